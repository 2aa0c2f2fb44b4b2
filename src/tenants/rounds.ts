/** What one log does by timers of its own, for all tenants by one timer, log after log: sealing and compaction. */
import type { Parts } from '../compose.ts'
import type { Clock } from '../sync/clock.ts'
import type { OpenTenants } from './open-tenants.ts'

/** ms between two rounds. */
const ROUND = 60_000
/** Tenants of which is remembered when they were compacted. */
const KNOWN = 10_000

export interface RoundsDeps {
  readonly tenants: Pick<OpenTenants<Parts>, 'names' | 'whileOpen'>
  readonly clock: Clock
  /** ms between two compactions of one log; Infinity for never. */
  readonly interval: number
}

export class Rounds {
  readonly #deps: RoundsDeps
  /** When each was compacted, the oldest first: one that is closed and opened again does not begin anew. */
  readonly #compacted = new Map<string, number>()
  #cancel: (() => void) | null = null
  #running = false
  #closed = false

  constructor (deps: RoundsDeps) {
    this.#deps = deps
  }

  /** Something is open: the next round comes. While nothing is, no timer runs. */
  wake (): void {
    if (this.#closed || this.#running) return
    this.#cancel ??= this.#deps.clock.after(ROUND, () => {
      this.#cancel = null
      this.#running = true
      const done = (): void => {
        this.#running = false
        if (this.#deps.tenants.names.length > 0) this.wake()
      }
      this.run().then(done, done)
    })
  }

  async run (): Promise<void> {
    const { tenants } = this.#deps
    for (const name of tenants.names) {
      if (this.#closed) return
      await tenants.whileOpen(name, parts => this.#look(name, parts))
    }
  }

  /** What is under way ends with the log. */
  close (): void {
    this.#closed = true
    this.#cancel?.()
  }

  async #look (name: string, { housekeeping, sealing }: Parts): Promise<void> {
    const { clock, interval } = this.#deps
    const now = clock.now()
    const isDue = interval !== Infinity && now - (this.#compacted.get(name) ?? -Infinity) >= interval
    // A store seals before it compacts.
    if (!isDue) await sealing?.round()
    else {
      this.#compacted.delete(name)
      this.#compacted.set(name, now)
      if (this.#compacted.size > KNOWN) this.#compacted.delete(this.#compacted.keys().next().value!)
      await housekeeping.round()
    }
  }
}
