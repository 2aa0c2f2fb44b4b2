import type { Filing } from './filings.ts'

/** The newest changes, encoded once for all streams; a cache of the log that may forget but never has holes. */

export interface Encoded {
  readonly position: number
  readonly collection: string
  /** One change as the wire has it, without line breaks. */
  readonly text: string
  /** Of the text in UTF-8. */
  readonly bytes: number
  /** Where rules say who may see it, instead of the text. */
  readonly filing?: Filing
}

/** What an entry costs beside its text. */
const OVERHEAD = 96
/** Below this many forgotten places the array is not worth moving. */
const SQUEEZE_FROM = 1024

export class Ring {
  readonly #limit: number
  readonly #onForget: (entry: Encoded) => void
  #entries: Encoded[] = []
  #first = 0
  #bytes = 0
  #start = 0
  #end = 0

  /** @param limit bytes */
  constructor (limit: number, onForget: (entry: Encoded) => void = () => {}) {
    this.#limit = limit
    this.#onForget = onForget
  }

  /** Every change after `start`, up to `end`, is here. */
  get start (): number {
    return this.#start
  }

  get end (): number {
    return this.#end
  }

  get bytes (): number {
    return this.#bytes
  }

  /** Forgets everything and goes on at a position. */
  reset (position: number): void {
    for (let i = this.#first; i < this.#entries.length; i++) this.#onForget(this.#entries[i]!)
    this.#entries = []
    this.#first = 0
    this.#bytes = 0
    this.#start = this.#end = position
  }

  /** @param entries all there are after the present end, ascending @param end how far they reach */
  add (entries: readonly Encoded[], end: number): void {
    for (const entry of entries) {
      this.#entries.push(entry)
      this.#bytes += entry.bytes + OVERHEAD
    }
    this.#end = end
    while (this.#bytes > this.#limit) this.#forget()
    if (this.#first > SQUEEZE_FROM && this.#first * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#first)
      this.#first = 0
    }
  }

  /** Whether what lies after a position is all here. */
  covers (position: number): boolean {
    return position >= this.#start && position <= this.#end
  }

  /** Changes after a position that the ring covers, ascending. */
  * after (position: number): Generator<Encoded> {
    let low = this.#first
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#entries[middle]!.position <= position) low = middle + 1
      else high = middle
    }
    for (let i = low; i < this.#entries.length; i++) yield this.#entries[i]!
  }

  #forget (): void {
    const forgotten = this.#entries[this.#first]!
    const { position, bytes } = forgotten
    this.#onForget(forgotten)
    // Lets the text go now; the place goes with the next squeeze.
    this.#entries[this.#first++] = { position, collection: '', text: '', bytes: 0 }
    this.#bytes -= bytes + OVERHEAD
    this.#start = position
  }
}
