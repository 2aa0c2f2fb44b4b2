/** Draws on accounts that all nodes share: those of one turn, or that come while others are under way, go together. */
import type { Coordination, Draw, Drawn } from '../coordination/coordination.ts'

/** Attack: a crowd of addresses. Of one question. */
const MOST = 500

interface Waiting {
  readonly draw: Draw
  readonly done: (drawn: Drawn | null) => void
}

export class Ledger {
  readonly #coordination: Pick<Coordination, 'draw'>
  #waiting: Waiting[] = []
  #asking = false

  constructor (coordination: Pick<Coordination, 'draw'>) {
    this.#coordination = coordination
  }

  /** @returns null while the accounts are away: whether it was drawn nobody knows */
  async draw (draw: Draw): Promise<Drawn | null> {
    return await new Promise(resolve => {
      this.#waiting.push({ draw, done: resolve })
      if (!this.#asking) this.#askAll().catch(() => {})
    })
  }

  async #askAll (): Promise<void> {
    this.#asking = true
    await new Promise(resolve => { setImmediate(resolve) })
    while (this.#waiting.length > 0) {
      const asked = this.#waiting.splice(0, MOST)
      const answers = await this.#coordination.draw(asked.map(({ draw }) => draw)).catch(() => null)
      for (const [i, { done }] of asked.entries()) done(answers?.[i] ?? null)
    }
    this.#asking = false
  }
}
