/** Drops what is past its retention, now and then and by itself (DESIGN 6, "Horizon"). */
import type { ChangeStore, CompactPolicy } from '../changelog/changelog.ts'
import type { Logger, Retention } from '../config.ts'
import type { Clock } from './clock.ts'

/** A server that has just started has clients to catch up; at most this long, ms. */
const FIRST_RUN = 5 * 60_000

/** Into how many parts the time that tombstones are kept is cut. */
const DAYS = 90

export interface HousekeepingDeps {
  readonly store: ChangeStore
  readonly clock: Clock
  readonly retention: Retention
  /** ms between two runs; Infinity for never. */
  readonly interval: number
  /** From 0 to 1. */
  readonly random: () => number
  readonly logger: Pick<Logger, 'debug' | 'error'>
}

/**
 * What the retention says is to go now. Purging a deleted document takes its versions with it, so tombstones
 * stay at least as long as the history.
 */
export function policyOf ({ history, tombstones, pushes, journal }: Retention, now: number): CompactPolicy {
  const tombstonesFor = Math.max(tombstones, history)
  return {
    ...history !== Infinity && { historyBefore: now - history },
    ...tombstonesFor !== Infinity && { tombstonesBefore: now - tombstonesFor },
    ...pushes !== Infinity && { pushesBefore: now - pushes },
    ...journal !== Infinity && { journalBefore: now - journal }
  }
}

export class Housekeeping {
  readonly #deps: HousekeepingDeps
  #cancel = (): void => {}
  #closed = false

  constructor (deps: HousekeepingDeps) {
    this.#deps = deps
  }

  open (): void {
    const { interval } = this.#deps
    if (interval !== Infinity) this.#schedule(Math.min(FIRST_RUN, interval))
  }

  /** @param policy default: what is past its retention. @throws SyncError storage_unavailable */
  async compact (policy?: CompactPolicy): Promise<void> {
    const { store, retention, clock } = this.#deps
    await store.compact(policy ?? policyOf(retention, clock.now()))
  }

  /** Drops what time has let go of. */
  async round (): Promise<void> {
    const { store, retention, clock, logger } = this.#deps
    const start = clock.now()
    try {
      await store.compact(this.#timed(policyOf(retention, start)))
      logger.debug({ ms: clock.now() - start }, 'the change log was compacted')
    } catch (error) {
      if (!this.#closed) logger.error({ err: error }, 'the change log could not be compacted; the next run tries again')
    }
  }

  /** No run begins any more; one under way ends with the log. */
  close (): void {
    this.#closed = true
    this.#cancel()
  }

  /** Sooner at random by up to a quarter, so that nodes which started together do not compact together. */
  #schedule (ms: number): void {
    if (this.#closed) return
    this.#cancel = this.#deps.clock.after(Math.round(ms * (1 - this.#deps.random() / 4)), () => this.#run())
  }

  #run (): void {
    const next = (): void => this.#schedule(this.#deps.interval)
    this.round().then(next, next)
  }

  /**
   * What an application's own `compact()` drops nobody here knows: it takes no policy. So no timer calls it; the
   * server's own records beside such a log are compacted. Identities are found by looking at all of them: so once a
   * day, where tombstones are kept for the usual time, and not in every run.
   */
  #timed ({ historyBefore, tombstonesBefore, ...others }: CompactPolicy): CompactPolicy {
    const { store: { supports }, retention } = this.#deps
    return {
      ...supports.facts && historyBefore !== undefined && { historyBefore },
      ...tombstonesBefore !== undefined && { tombstonesBefore: tombstonesBefore - tombstonesBefore % Math.max(1, Math.floor(retention.tombstones / DAYS)) },
      ...others
    }
  }
}
