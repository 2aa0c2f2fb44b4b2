/** What the URLs of reads ask for. */
import { CollectionName, EpochId, MAX_INTEGER } from '../../schema/common.ts'
import { SyncError } from '../errors.ts'
import { parseCursor } from '../sync/cursor.ts'
import type { Position } from '../sync/cursor.ts'

const collectionName = new RegExp(CollectionName.pattern!)
const epochId = new RegExp(EpochId.pattern!)

/** Parameters of a URL, as a cache would read them: a second question mark is a part of a name. */
export function queryOf (url: string): URLSearchParams {
  const start = url.indexOf('?')
  return new URLSearchParams(start === -1 ? '' : url.slice(start))
}

/**
 * Each once: a cache or a proxy may go by another one than this server, and so show one reader's answer for another's.
 * @throws SyncError invalid_message
 */
export function assertOnce (query: URLSearchParams, names: readonly string[]): void {
  for (const name of names) {
    if (query.getAll(name).length > 1) throw new SyncError('invalid_message', { detail: `${name} was sent more than once` })
  }
}

/**
 * @param list names between commas; null = none, which is all
 * @throws SyncError invalid_message, too_large
 */
export function collectionsOf (list: string, most: number): readonly string[] | null {
  const names = [...new Set(list.split(','))].filter(name => name !== '')
  if (names.length === 0) return null
  const wrong = names.find(name => !collectionName.test(name))
  if (wrong !== undefined) throw new SyncError('invalid_message', { detail: `${JSON.stringify(wrong.slice(0, 130))} is no name of a collection` })
  if (names.length > most) throw new SyncError('too_large', { detail: `at most ${most} collections at once`, limit: { name: 'collectionsPerPull', max: most } })
  return names.sort()
}

/** @throws SyncError invalid_cursor */
export function epochOf (query: URLSearchParams): string | undefined {
  const epoch = query.get('epoch') || undefined
  if (epoch !== undefined && !epochId.test(epoch)) throw new SyncError('invalid_cursor', { detail: 'an epoch is 1 to 32 characters of [a-z0-9]' })
  return epoch
}

/** A cursor as a place; its own epoch beats the URL's. @throws SyncError invalid_cursor */
export function placeOf (cursor: string, epoch: string | undefined): Position & { readonly after: number } {
  const position = parseCursor(cursor)
  return { ...position, after: position.after as number, epoch: position.epoch ?? epoch }
}

/** @throws SyncError invalid_message */
export function wholeNumber (query: URLSearchParams, name: string, least: number): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN
  if (number >= least && number <= MAX_INTEGER) return number
  throw new SyncError('invalid_message', { detail: `${name} is a whole number from ${least} on` })
}
