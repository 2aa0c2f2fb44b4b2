/**
 * Says "look again". A hint may be lost anywhere between the nodes, so it also rings by itself now and then:
 * a lost one costs latency, never data.
 */
import type { PubSub } from '../pubsub/pubsub.ts'
import type { Clock } from './clock.ts'

export class Doorbell {
  readonly #pubsub: PubSub
  readonly #clock: Clock
  readonly #pollInterval: number
  readonly #topic: string
  readonly #listeners = new Set<() => void>()
  #unsubscribe: (() => Promise<void>) | undefined
  #cancelPoll: (() => void) | null = null
  #closed = false

  /** @param pollInterval ms between two rings without a hint @param topic one for each log whose hints share the pubsub */
  constructor (pubsub: PubSub, clock: Clock, pollInterval: number, topic = 'changes') {
    this.#pubsub = pubsub
    this.#clock = clock
    this.#pollInterval = pollInterval
    this.#topic = topic
  }

  /** Resolves when hints of other nodes arrive. */
  async open (): Promise<void> {
    this.#unsubscribe = await this.#pubsub.subscribe(this.#topic, () => this.#wake())
  }

  /** To be called after a commit is durable, never before: whoever wakes reads at once. */
  ring (): void {
    this.#wake()
    this.#pubsub.publish(this.#topic)
  }

  /** Listen before the first read, so that nothing falls between the two. While nobody does, no timer runs. @returns stops it */
  listen (listener: () => void): () => void {
    this.#listeners.add(listener)
    if (this.#cancelPoll === null) this.#poll()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#rest()
    }
  }

  async close (): Promise<void> {
    this.#closed = true
    this.#rest()
    this.#listeners.clear()
    await this.#unsubscribe?.()
  }

  #wake (): void {
    for (const listener of this.#listeners) listener()
  }

  #rest (): void {
    this.#cancelPoll?.()
    this.#cancelPoll = null
  }

  #poll (): void {
    if (this.#closed) return
    this.#cancelPoll = this.#clock.after(this.#pollInterval, () => {
      // Before it wakes anybody: who is woken may close it.
      this.#poll()
      this.#wake()
    })
  }
}
