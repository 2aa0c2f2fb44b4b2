/** A whole log from one place to another, by their names. */
import { openBackend, pathOf, tenantLog } from './backends.ts'
import { moveLog, type Moved, type MoveOptions } from './changelog/move.ts'
import { holdsAll, isMovable, type LogFacts, type MovableStore } from './changelog/moving.ts'
import { SyncError } from './errors.ts'

export interface CopyOptions extends MoveOptions {
  /** Whose log, where both places have one for each tenant. */
  readonly tenant?: string | undefined
}

export interface Copied extends Moved {
  /** An earlier run had ended, whose answer may have been lost: nothing was done. */
  readonly already: boolean
}

const NOTHING = { kind: null, sequence: 0, taken: { entry: 0, identity: 0, channel: 0, push: 0, journal: 0 }, resumed: false } as const

/**
 * Copies the log with everything in it: see `moveLog`.
 * @throws TypeError when the two places do not go together, SyncError when one of them fails
 */
export async function copyLog (from: string, to: string, { tenant, ...options }: CopyOptions = {}): Promise<Copied> {
  requireTwoPlaces(from, to)
  const source = await movable(from, tenant)
  const target = await movable(to, tenant)
  try {
    await source.openAtRest()
    const facts = await source.facts()
    const place = await source.place?.()
    const there = await lookedAt(await movable(to, tenant))
    if (place !== undefined && there?.place === place) throw new TypeError('both places are the same log, by two names')
    if (there !== null && holdsAll(there.facts, facts)) return { ...NOTHING, head: facts.head, facts, already: true }
    return { ...await moveLog(source, target, options), already: false }
  } finally {
    await source.close()
    await target.close()
  }
}

/** @returns null where there is no whole log that can be looked at */
async function lookedAt (store: MovableStore): Promise<{ facts: LogFacts, place: string | undefined } | null> {
  try {
    await store.openAtRest()
    return { facts: await store.facts(), place: await store.place?.() }
  } catch (error) {
    if (error instanceof SyncError) return null
    throw error
  } finally {
    await store.close()
  }
}

async function movable (place: string, tenant: string | undefined): Promise<MovableStore> {
  const store = await openBackend(tenant === undefined ? place : await tenantLog(place, tenant))
  if (!isMovable(store)) throw new TypeError(`a log cannot be copied from or to ${place}`)
  return store
}

function requireTwoPlaces (from: string, to: string): void {
  for (const name of [from, to]) if (/^:?memory:$/.test(name)) throw new TypeError(`a log in ${name} ends with its process: name a file or a server`)
  const files = [from, to].filter(name => pathOf(name) !== null)
  if (files.length === 2) throw new TypeError('both places are files: backup makes a whole copy of a log in one file, its audit chain included, and restore puts it in place')
  if (files.length === 0 && addressOf(from) === addressOf(to)) throw new TypeError('both places are the same one')
}

/** Who comes there is no part of where it is. */
function addressOf (name: string): string {
  if (!URL.canParse(name)) throw new TypeError(`${name} is no URL: in a password write @ as %40, / as %2F, " as %22 and so on`)
  const { protocol, host, pathname, search, hash } = new URL(name)
  return `${protocol.replace('postgresql', 'postgres')}//${host}${pathname}${search}${hash}`
}
