/** Options of the SQLite change log, their defaults and units. */
export interface SqliteOptions {
  /**
   * `full` (default): an answered push survives a power cut. `normal`: several times faster on slow disks,
   * and a power cut or a crash of the operating system loses the pushes of the last moments although they were
   * answered; a crash of this process alone loses nothing.
   */
  readonly synchronous?: 'full' | 'normal'
  /** How long a push is known again by its message id, ms; default 7 days. */
  readonly pushRetention?: number
  /** Bound of the journal's text, oldest rows go first, so that refused changes cannot fill the disk; default 64 MiB. */
  readonly journalBytes?: number
  /** Size of `<path>.ballast`, given back when the disk is full at the start; 0 for none; default 1 MiB. */
  readonly ballastBytes?: number
  /** Free bytes below which pushes are refused while there is still room to start again; 0 for none; default 8 MiB. */
  readonly reserveBytes?: number
  /** Part of the caches and of the WAL that a log takes which is alone, for one of many; default 1. */
  readonly share?: number
  /** The server's clock, ms since 1970; default `Date.now`. */
  readonly now?: () => number
}

export type Resolved = Readonly<Required<SqliteOptions>>

const DAY = 86_400_000
const MIB = 2 ** 20

export function resolveOptions (options: SqliteOptions): Resolved {
  return Object.freeze({
    synchronous: 'full',
    pushRetention: 7 * DAY,
    journalBytes: 64 * MIB,
    ballastBytes: MIB,
    reserveBytes: 8 * MIB,
    share: 1,
    now: Date.now,
    ...options
  })
}
