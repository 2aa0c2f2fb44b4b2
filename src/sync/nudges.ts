import type { Clock } from './clock.ts'
import { NUDGE } from './frames.ts'
import type { Stream } from './stream.ts'

/** What follows the first frame after this many ms makes proxies let go of it (WIRE). */
const AFTER = 50

/** Sends each new stream its nudge, all of them from one timer. */
export class Nudges {
  readonly #clock: Clock
  readonly #waiting: Array<{ readonly stream: Stream, readonly since: number }> = []
  #cancel: (() => void) | undefined

  constructor (clock: Clock) {
    this.#clock = clock
  }

  add (stream: Stream): void {
    this.#waiting.push({ stream, since: this.#clock.now() })
    this.#later(AFTER)
  }

  close (): void {
    this.#cancel?.()
  }

  #later (ms: number): void {
    this.#cancel ??= this.#clock.after(ms, () => this.#send())
  }

  #send (): void {
    const now = this.#clock.now()
    this.#cancel = undefined
    // Timers may fire a little early, and a clock that was set back must not hold anybody up.
    const early = this.#waiting.findIndex(({ since }) => now >= since && now - since < AFTER - 2)
    const due = this.#waiting.splice(0, early === -1 ? Infinity : early)
    for (const { stream } of due) if (stream.open && !stream.full) stream.send(NUDGE)
    const first = this.#waiting[0]
    if (first !== undefined) this.#later(AFTER - (now - first.since))
  }
}
