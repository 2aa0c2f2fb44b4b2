/** What nodes agree on, as far as it answers in time: a request waits for it for a moment, and goes on without it. */
import type { Coordination, Draw, Drawn, Entry, Report, Reported, SharedTicket } from '../coordination/coordination.ts'
import type { Clock } from './clock.ts'
import { inTime, late } from './in-time.ts'

/** How long an answer may take, ms. */
const PATIENCE = 1000
/** After a failure it is left alone so long, ms; then one question tries it. */
const REST = 1000

export interface GuardedOptions {
  readonly coordination: Coordination
  readonly clock: Clock
  /** Told when it goes, and when it is there again. */
  readonly onAway: (error: unknown) => void
  readonly onBack: () => void
}

/** While the place is away every method rejects at once. */
export class Guarded implements Coordination {
  readonly #options: GuardedOptions
  #away = false
  /** Nobody asks: it rests, or a question is under way. */
  #shut = false
  #cancelRest = (): void => {}

  constructor (options: GuardedOptions) {
    this.#options = options
  }

  draw (asked: readonly Draw[]): Promise<readonly Drawn[]> {
    return this.#ask(place => place.draw(asked))
  }

  putTicket (ticket: SharedTicket): Promise<boolean> {
    return this.#ask(place => place.putTicket(ticket))
  }

  takeTicket (hash: string): Promise<string | null> {
    return this.#ask(place => place.takeTicket(hash))
  }

  enter (entry: Entry): Promise<boolean> {
    return this.#ask(place => place.enter(entry))
  }

  report (report: Report): Promise<Reported> {
    return this.#ask(place => place.report(report))
  }

  /** The place itself stays open. */
  async close (): Promise<void> {
    this.#cancelRest()
  }

  async #ask<T> (run: (place: Coordination) => Promise<T>): Promise<T> {
    const { coordination, clock } = this.#options
    if (this.#shut) throw new Error('what nodes agree on is away')
    this.#shut = this.#away
    try {
      const answer = await inTime(() => run(coordination), PATIENCE, clock)
      if (answer === late) throw new Error(`what nodes agree on did not answer within ${PATIENCE} ms`)
      this.#back()
      return answer
    } catch (error) {
      this.#rest(error)
      throw error
    }
  }

  #back (): void {
    if (!this.#away) return
    this.#cancelRest()
    this.#away = this.#shut = false
    this.#options.onBack()
  }

  #rest (error: unknown): void {
    if (!this.#away) this.#options.onAway(error)
    this.#away = this.#shut = true
    this.#cancelRest()
    this.#cancelRest = this.#options.clock.after(REST, () => { this.#shut = false })
  }
}
