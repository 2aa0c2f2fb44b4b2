/** Who listens to what, within one process. */
interface Subscription {
  readonly listener: () => void
}

export class Topics {
  readonly #topics = new Map<string, Set<Subscription>>()

  /** Those that somebody listens to. */
  get names (): readonly string[] {
    return [...this.#topics.keys()]
  }

  has (topic: string): boolean {
    return this.#topics.has(topic)
  }

  /** @returns ends it, idempotent */
  add (topic: string, listener: () => void): () => void {
    const subscription = { listener }
    const subscriptions = this.#topics.get(topic)
    if (subscriptions === undefined) this.#topics.set(topic, new Set([subscription]))
    else subscriptions.add(subscription)
    return () => this.#remove(topic, subscription)
  }

  ring (topic: string): void {
    for (const { listener } of this.#topics.get(topic) ?? []) {
      try {
        listener()
      } catch {
        // Its hint is lost, as any hint may be; the others get theirs.
      }
    }
  }

  /** Hints were lost, and nobody knows whose. */
  ringAll (): void {
    for (const topic of this.names) this.ring(topic)
  }

  clear (): void {
    this.#topics.clear()
  }

  #remove (topic: string, subscription: Subscription): void {
    const subscriptions = this.#topics.get(topic)
    if (subscriptions?.delete(subscription) === true && subscriptions.size === 0) this.#topics.delete(topic)
  }
}
