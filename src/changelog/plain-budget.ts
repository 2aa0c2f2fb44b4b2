/** Keeps the newest of what would otherwise grow without end. */
export class Budget<T> {
  readonly #limit: number
  readonly #costs = new Map<T, number>()
  #used = 0

  /** @param limit of all costs together */
  constructor (limit: number) {
    this.#limit = limit
  }

  /** @returns those that came first and must go for it */
  add (item: T, cost: number): T[] {
    this.#forget(item)
    this.#costs.set(item, cost)
    this.#used += cost
    const gone: T[] = []
    for (const first of this.#costs.keys()) {
      if (this.#used <= this.#limit) break
      gone.push(first)
      this.#forget(first)
    }
    return gone
  }

  clear (): void {
    this.#costs.clear()
    this.#used = 0
  }

  #forget (item: T): void {
    this.#used -= this.#costs.get(item) ?? 0
    this.#costs.delete(item)
  }
}
