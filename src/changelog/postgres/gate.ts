/** Lets so many through at once: reads leave connections for those who commit. */
export class Gate {
  readonly #width: number
  readonly #waiting: Array<() => void> = []
  #inside = 0

  constructor (width: number) {
    this.#width = width
  }

  async pass<T> (work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#width) await new Promise<void>(resolve => { this.#waiting.push(resolve) })
    else this.#inside++
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#inside--
      else next()
    }
  }
}
