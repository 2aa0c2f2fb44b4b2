/** What the adapters of the change log share: how entries are named and which epoch a sequence lies in. */
import { randomInt } from 'node:crypto'
import type { Epoch } from './changelog.ts'

const EPOCH_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
const EPOCH_LENGTH = 12

/** A random epoch id of 12 characters [a-z0-9]: two histories never share one by chance (62 bits). */
export function newEpochId (): string {
  let id = ''
  for (let i = 0; i < EPOCH_LENGTH; i++) id += EPOCH_ALPHABET[randomInt(EPOCH_ALPHABET.length)]!
  return id
}

/**
 * The epoch a sequence lies in: the newest that began at or before it, else the oldest.
 * @param epochs oldest first, never empty
 */
export function epochAt (epochs: readonly Epoch[], sequence: number): Epoch {
  let found = epochs[0]
  if (found === undefined) throw new TypeError('a change log has at least one epoch')
  for (const epoch of epochs) if (epoch.first <= sequence) found = epoch
  return found
}

/** The id of an entry that the server wrote: `<epoch>-<sequence>`. */
export function entryId (epochs: readonly Epoch[], sequence: number): string {
  return `${epochAt(epochs, sequence).id}-${sequence}`
}
