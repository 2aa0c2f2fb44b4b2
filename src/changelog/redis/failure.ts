/** What Redis refuses or fails in, in words that say what to do. */
import { RedisFailure } from '../../drivers/redis.ts'
import { SyncError } from '../../errors.ts'

const ADVICE: ReadonlyMap<string, string> = new Map([
  ['OOM', 'Redis has used the memory it may: give it more (maxmemory), or compact the log. Nothing was written.'],
  ['READONLY', 'This Redis is a replica that takes no writes: name its master, or end the fail-over.'],
  ['MISCONF', 'Redis cannot write to its disk and takes no writes: look at its log, and at the space of its disk.'],
  ['LOADING', 'Redis is loading its data: it will answer when it is done.'],
  ['MASTERDOWN', 'This Redis is a replica that lost its master.'],
  ['NOAUTH', 'Redis wants a password: redis://user:password@host.'],
  ['WRONGPASS', 'Redis does not take this user and password.'],
  ['NOPERM', 'The user of Redis lacks a right: it needs EVAL, EVALSHA, INFO and all commands on the keys of the log.'],
  ['CLUSTERDOWN', 'The Redis cluster does not serve all its slots.'],
  ['NOREPLICAS', 'Redis has fewer replicas than it needs for a write.'],
  ['BUSY', 'Redis is held up by another script.'],
  ['WRONGTYPE', 'A key of the log holds something else: another program uses the same prefix.'],
  ['CROSSSLOT', 'The keys of the log do not lie in one slot: choose a prefix without { and }.']
])

/** Codes by which Redis says that it has not begun. Whatever else fails may have been done all the same. */
export function concernsWriting (error: unknown): boolean {
  return error instanceof RedisFailure && ['OOM', 'READONLY', 'MISCONF', 'NOREPLICAS'].includes(error.code)
}

export function failure (error: unknown): SyncError {
  if (error instanceof SyncError) return error
  const cause = RedisFailure.of(error)
  const detail = ADVICE.get(cause.code) ?? `The change log cannot be reached: ${cause.message}.`
  return new SyncError('storage_unavailable', { detail, cause })
}

export function closedFailure (): SyncError {
  return new SyncError('storage_unavailable', { detail: 'The change log is closed.' })
}
