import type { PoolOptions, PostgresPool } from '../../drivers/postgres.ts'

/** Options of the PostgreSQL change log, their defaults and units. */
export interface PostgresOptions extends PoolOptions {
  /** Where the tables lie; made when it is not there. 1 to 63 characters. Default `pocket`. */
  readonly schema?: string
  /** A standby, as a pool or by its URL: readers that are far behind read from it what it has. */
  readonly replica?: PostgresPool | string
  /** How long a push is known again by its message id, ms; default 7 days. */
  readonly pushRetention?: number
  /** Bound of the journal's text, oldest rows go first, so that refused changes cannot fill the disk; default 64 MiB. */
  readonly journalBytes?: number
  /** How long a commit waits for those of other nodes, ms; default 10,000. */
  readonly lockMs?: number
  /** After which the server gives up a transaction that its node does not go on with, ms: a node that is paused holds up the others for so long. Default 5,000. */
  readonly idleMs?: number
  /** The server's clock, ms since 1970; default `Date.now`. */
  readonly now?: () => number
}

export type Resolved = Readonly<Required<Omit<PostgresOptions, 'replica'>>> & Pick<PostgresOptions, 'replica'>

const DAY = 86_400_000
const MIB = 2 ** 20

/** @throws TypeError when the schema cannot be the name of one */
export function resolveOptions (options: PostgresOptions): Resolved {
  const resolved = {
    schema: 'pocket',
    pushRetention: 7 * DAY,
    journalBytes: 64 * MIB,
    lockMs: 10_000,
    idleMs: 5000,
    max: 10,
    connectMs: 5000,
    statementMs: 30_000,
    now: Date.now,
    ...options
  }

  if (!/^[^\0]{1,63}$/.test(resolved.schema) || Buffer.byteLength(resolved.schema) > 63) throw new TypeError('the schema needs a name of 1 to 63 characters')
  return Object.freeze(resolved)
}
