/** ADAPTER: hints within one process. Several to one topic in one turn of the event loop are one. */
import type { PubSub } from './pubsub.ts'

interface Subscription {
  readonly listener: () => void
}

export class MemoryPubSub implements PubSub {
  readonly #topics = new Map<string, Set<Subscription>>()
  readonly #waiting = new Set<string>()
  #closed = false

  async subscribe (topic: string, listener: () => void): Promise<() => Promise<void>> {
    if (this.#closed) return async () => {}
    const subscription = { listener }
    const subscriptions = this.#topics.get(topic)
    if (subscriptions === undefined) this.#topics.set(topic, new Set([subscription]))
    else subscriptions.add(subscription)
    return async () => this.#unsubscribe(topic, subscription)
  }

  publish (topic: string): void {
    if (!this.#topics.has(topic)) return
    // Later, so that whoever publishes is not kept waiting by those who listen.
    if (this.#waiting.size === 0) setImmediate(() => this.#deliver())
    this.#waiting.add(topic)
  }

  async close (): Promise<void> {
    this.#closed = true
    this.#topics.clear()
  }

  #deliver (): void {
    const topics = [...this.#waiting]
    this.#waiting.clear()
    for (const topic of topics) {
      for (const { listener } of this.#topics.get(topic) ?? []) {
        try {
          listener()
        } catch {
          // Its hint is lost, as any hint may be; the others get theirs.
        }
      }
    }
  }

  #unsubscribe (topic: string, subscription: Subscription): void {
    const subscriptions = this.#topics.get(topic)
    subscriptions?.delete(subscription)
    if (subscriptions?.size === 0) this.#topics.delete(topic)
  }
}
