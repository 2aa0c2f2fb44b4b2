import type { Clock } from './clock.ts'

/** Then others get their turn, ms. */
const TURN_MS = 10

/**
 * Long work for one request, cut into turns of the event loop: each of a push's changes may meet a large document
 * (promise 7). What awaits the store gives way to nobody where that answers at once.
 */
export class Turns {
  readonly #clock: Pick<Clock, 'now'>
  #since: number

  constructor (clock: Pick<Clock, 'now'>) {
    this.#clock = clock
    this.#since = clock.now()
  }

  /** To be called after each step; a promise only where this turn has lasted long enough. */
  end (): Promise<void> | undefined {
    const ms = this.#clock.now() - this.#since
    if (ms >= 0 && ms < TURN_MS) return undefined
    return new Promise(resolve => {
      setImmediate(() => {
        this.#since = this.#clock.now()
        resolve()
      })
    })
  }
}

/** One piece of work of many per turn of the event loop, however many wait: between two, others get theirs (promise 7). */
export class OneByOne {
  readonly #waiting: Array<() => void> = []

  turn (): Promise<void> {
    return new Promise(resolve => {
      if (this.#waiting.push(resolve) === 1) this.#next()
    })
  }

  #next (): void {
    setImmediate(() => {
      this.#waiting.shift()!()
      if (this.#waiting.length > 0) this.#next()
    })
  }
}
