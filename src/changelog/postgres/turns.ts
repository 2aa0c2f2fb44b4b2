/**
 * Whose transaction is next. Never so many at once that reads have no connection, and whoever waits for a log that
 * another node holds makes way: however many logs are held, the others go on.
 */
import type { SyncError } from '../../errors.ts'
import { Gate } from './gate.ts'

/** How long a connection waits for a log before others have their turn, ms: longer where only the late ones wait for it. */
const FIRST_MS = 500
const LATE_MS = 1000

/** Another one holds the log; nothing was written. */
export class LogHeld extends Error {
  readonly problem: SyncError

  constructor (problem: SyncError) {
    super(problem.message)
    this.problem = problem
  }
}

export class Turns {
  readonly #all: Gate
  readonly #late: Gate

  constructor (connections: number) {
    this.#all = new Gate(Math.max(1, Math.floor(connections * 0.75)))
    this.#late = new Gate(Math.max(1, Math.floor(connections * 0.25)))
  }

  /**
   * @param waitMs how long a log is waited for in all
   * @param work is done anew as long as it throws `LogHeld`; it is given for how long to wait
   */
  async take<T> (waitMs: number, work: (lockMs: number) => Promise<T>): Promise<T> {
    const until = performance.now() + waitMs
    const left = (most: number): number => Math.ceil(Math.min(most, until - performance.now()))
    let held = await this.#attempt(() => this.#all.pass(() => work(Math.min(FIRST_MS, waitMs))))
    while (held instanceof LogHeld) {
      const { problem } = held
      held = await this.#attempt(() => this.#late.pass(async () => {
        if (left(LATE_MS) <= 0) throw problem
        return await this.#all.pass(() => work(Math.max(1, left(LATE_MS))))
      }))
    }
    return held
  }

  async #attempt<T> (work: () => Promise<T>): Promise<T | LogHeld> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof LogHeld) return error
      throw error
    }
  }
}
