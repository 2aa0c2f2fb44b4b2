/** Hints that wait to be sent: several to one topic in one turn, or while others are on their way, are one. */
export class Outbox {
  readonly #send: (topics: readonly string[]) => Promise<unknown>
  readonly #waiting = new Set<string>()
  /** The sending that is under way or due. */
  #sending: Promise<void> | null = null

  /** @param send what it throws is a hint lost */
  constructor (send: (topics: readonly string[]) => Promise<unknown>) {
    this.#send = send
  }

  add (topic: string): void {
    this.#waiting.add(topic)
    this.#sending ??= this.#sendAll()
  }

  /** Resolves when what waited is sent, or lost. */
  async empty (): Promise<void> {
    await this.#sending
  }

  async #sendAll (): Promise<void> {
    await new Promise(resolve => { setImmediate(resolve) })
    while (this.#waiting.size > 0) {
      const topics = [...this.#waiting]
      this.#waiting.clear()
      await this.#send(topics).catch(() => {})
    }
    this.#sending = null
  }
}
