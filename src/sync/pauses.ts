/** How long clients stay away, at random: those who were lost together must not come back together. */
import type { ByeReason } from './frames.ts'

/** ms. */
const SOON = [1000, 3000] as const
/** For each open stream, ms: a crowd that is cut off at once comes back at 2,000 a second at most. */
const EACH = 0.5
/** Longer than a restart: a browser's EventSource that meets a proxy's 502 never comes back. */
const LATER = [3000, 10_000] as const

export class Pauses {
  readonly #random: () => number
  readonly #streams: { readonly size: number }

  /** @param random 0 ≤ x < 1 @param streams the open ones */
  constructor (random: () => number, streams: { readonly size: number }) {
    this.#random = random
    this.#streams = streams
  }

  /** Of a stream that is lost, ms. */
  get soon (): number {
    const [least, most] = SOON
    return this.#between(least, Math.max(most, least + this.#streams.size * EACH))
  }

  /** Of a stream that is told why it ends, ms. */
  after (reason: ByeReason): number {
    return reason === 'shutdown' || reason === 'overloaded' ? this.#between(...LATER) : this.soon
  }

  #between (least: number, most: number): number {
    return Math.floor(least + this.#random() * (most - least))
  }
}
