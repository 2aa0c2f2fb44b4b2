/** A whole log from one place to another, by their names. */
import { openBackend, pathOf, tenantLog } from './backends.ts'
import { moveLog, type Moved, type MoveOptions } from './changelog/move.ts'
import { isMovable, type MovableStore } from './changelog/moving.ts'

export interface CopyOptions extends MoveOptions {
  /** Whose log, where both places have one for each tenant. */
  readonly tenant?: string | undefined
}

/**
 * Copies the log with everything in it: see `moveLog`.
 * @throws TypeError when the two places do not go together, SyncError when one of them fails
 */
export async function copyLog (from: string, to: string, { tenant, ...options }: CopyOptions = {}): Promise<Moved> {
  requireTwoPlaces(from, to)
  const source = await movable(from, tenant)
  const target = await movable(to, tenant)
  try {
    return await moveLog(source, target, options)
  } finally {
    await source.close()
    await target.close()
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
  const { protocol, host, pathname, search, hash } = new URL(name)
  return `${protocol.replace('postgresql', 'postgres')}//${host}${pathname}${search}${hash}`
}
