/** A whole log from one place to another, by their names. */
import { openBackend, pathOf } from './backends.ts'
import type { ChangeStore } from './changelog/changelog.ts'
import { moveLog, type Moved, type MoveOptions } from './changelog/move.ts'
import { isMovable, type MovableStore } from './changelog/moving.ts'
import { hasTenants } from './changelog/networked.ts'

export interface CopyOptions extends MoveOptions {
  /** Of a place that holds the logs of many: whose. */
  readonly tenant?: string | undefined
}

/**
 * Copies the log with everything in it: see `moveLog`.
 * @throws TypeError when the two places do not go together, SyncError when one of them fails
 */
export async function copyLog (from: string, to: string, { tenant, ...options }: CopyOptions = {}): Promise<Moved> {
  requireTwoPlaces(from, to)
  const source = await openBackend(from)
  const target = await openBackend(to)
  try {
    if (tenant !== undefined && !hasTenants(source) && !hasTenants(target)) throw new TypeError('neither place holds the logs of tenants: name the log itself')
    return await moveLog(movable(from, source, tenant), movable(to, target, tenant), options)
  } finally {
    await source.close()
    await target.close()
  }
}

function movable (name: string, place: ChangeStore, tenant: string | undefined): MovableStore {
  const store = tenant !== undefined && hasTenants(place) ? place.tenant(tenant) : place
  if (!isMovable(store)) throw new TypeError(`a log cannot be copied from or to ${name}`)
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
  const { protocol, host, pathname, search } = new URL(name)
  return `${protocol.replace('postgresql', 'postgres')}//${host}${pathname}${search}`
}
