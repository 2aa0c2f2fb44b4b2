/** ADAPTER: hints within one process. Several to one topic in one turn of the event loop are one. */
import type { PubSub } from './pubsub.ts'
import { Topics } from './topics.ts'

export class MemoryPubSub implements PubSub {
  readonly #topics = new Topics()
  readonly #waiting = new Set<string>()
  #closed = false

  async subscribe (topic: string, listener: () => void): Promise<() => Promise<void>> {
    if (this.#closed) return async () => {}
    const end = this.#topics.add(topic, listener)
    return async () => end()
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
    for (const topic of topics) this.#topics.ring(topic)
  }
}
