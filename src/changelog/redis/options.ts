/** Options of the Redis change log, their defaults and units. */
export interface RedisLogOptions {
  /** What the keys of the log begin with, as `{prefix}:…`; default `pocket`. Logs with different ones do not meet. */
  readonly prefix?: string
  /** How long a push is known again by its message id, ms; default 7 days. */
  readonly pushRetention?: number
  /** Bound of the journal's text, oldest rows go first, so that refused changes cannot fill the memory; default 64 MiB. */
  readonly journalBytes?: number
  /** The server's clock, ms since 1970; default `Date.now`. */
  readonly now?: () => number
  /** Whose log it is, of those under one prefix; default '' for the one of nobody. `tenant()` sets it. */
  readonly tenant?: string
}

export type Resolved = Readonly<Required<RedisLogOptions>>

const DAY = 86_400_000
const MIB = 2 ** 20

/** @throws TypeError when the prefix or tenant cannot be part of a key */
export function resolveOptions (options: RedisLogOptions): Resolved {
  const resolved = Object.freeze({ prefix: 'pocket', pushRetention: 7 * DAY, journalBytes: 64 * MIB, now: Date.now, tenant: '', ...options })
  if (!/^[^{}:\s]{1,128}$/.test(resolved.prefix)) throw new TypeError('the prefix of a log in Redis is 1 to 128 characters, none of them { } : or a space')
  return resolved
}
