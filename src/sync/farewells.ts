/** Sockets that were told goodbye and are not gone yet: who does not take it is cut off. */
import type { Sink } from './stream.ts'

export interface FarewellsOptions {
  /** Sweeps that a peer may take to go. */
  readonly sweeps: number
  /** One is gone. */
  readonly onGone: () => void
}

export class Farewells {
  readonly #options: FarewellsOptions
  /** With the sweeps since. */
  readonly #leaving = new Map<Sink, number>()

  constructor (options: FarewellsOptions) {
    this.#options = options
  }

  get size (): number {
    return this.#leaving.size
  }

  add (sink: Sink): void {
    this.#leaving.set(sink, 0)
    sink.listen({ drained () {}, closed: () => this.#gone(sink) })
    sink.end()
  }

  sweep (): void {
    for (const [sink, sweeps] of this.#leaving) {
      if (sweeps > this.#options.sweeps) this.#drop(sink)
      else this.#leaving.set(sink, sweeps + 1)
    }
  }

  cutOff (): void {
    for (const sink of [...this.#leaving.keys()]) this.#drop(sink)
  }

  #drop (sink: Sink): void {
    sink.destroy()
    this.#gone(sink)
  }

  #gone (sink: Sink): void {
    this.#leaving.delete(sink)
    this.#options.onGone()
  }
}
