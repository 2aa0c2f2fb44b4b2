/** Work on the whole log that one node does while the others wait. */
import { randomUUID } from 'node:crypto'
import { HOLDS } from './lua/drop.ts'
import type { Session } from './session.ts'

/** A node that is gone holds others up no longer than this, ms. */
const HELD_MS = 30_000
/** Between two attempts to get hold of it. */
export const WAIT_MS = 100

export class Hold {
  readonly #session: Session
  readonly #work: keyof typeof HOLDS
  readonly #who = randomUUID()
  #renewed = -Infinity

  constructor (session: Session, work: keyof typeof HOLDS) {
    this.#session = session
    this.#work = work
  }

  /** @returns whether it is held */
  async renew (): Promise<boolean> {
    const now = performance.now()
    if (now - this.#renewed < HELD_MS / 3) return true
    const { values: [held] } = await this.#session.ask(HOLDS[this.#work], [this.#who, HELD_MS])
    if (held !== 1) return false
    this.#renewed = now
    return true
  }

  async end (): Promise<void> {
    await this.#session.ask(HOLDS[this.#work], [this.#who, 0])
  }
}
