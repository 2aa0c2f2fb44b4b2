/** What the last statements told about the server; while something is wrong it is asked again and again, ever more slowly. */
import type { StoreHealth } from '../changelog.ts'
import type { SyncError } from '../../errors.ts'

/** Between two questions to a server that fails, ms. */
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 5000

export class Health {
  readonly #probe: () => Promise<void>
  #problem: SyncError | null = null
  #unreachable = false
  #note: string | null = null
  #pause = FIRST_PAUSE
  #timer: NodeJS.Timeout | undefined
  #ended = false

  /** @param probe whether the server can be reached and written; what fails it reports itself */
  constructor (probe: () => Promise<void>) {
    this.#probe = probe
  }

  /** Why it is no use to try; null while the server may be there. */
  get refusal (): SyncError | null {
    return this.#unreachable ? this.#problem : null
  }

  /** What is true of a server that works, and puts what it keeps at risk. */
  warn (note: string | null): void {
    this.#note = note
  }

  /** @param unreachable nobody need try until a probe comes through */
  failed (problem: SyncError, unreachable: boolean): void {
    this.#problem = problem
    this.#unreachable ||= unreachable
    this.#schedule()
  }

  worked (): void {
    this.#problem = null
    this.#unreachable = false
    this.#pause = FIRST_PAUSE
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  told (): StoreHealth {
    if (this.#problem !== null) return { writable: false, detail: this.#problem.message }
    return { writable: true, detail: this.#note }
  }

  end (): void {
    this.#ended = true
    clearTimeout(this.#timer)
  }

  #schedule (): void {
    if (this.#timer !== undefined || this.#ended) return
    const pause = this.#pause
    this.#pause = Math.min(LONGEST_PAUSE, 2 * pause)
    this.#timer = setTimeout(() => { this.#look().catch(() => {}) }, pause)
    this.#timer.unref()
  }

  async #look (): Promise<void> {
    const worked = await this.#probe().then(() => true, () => false)
    this.#timer = undefined
    if (worked) this.worked()
    else this.#schedule()
  }
}
