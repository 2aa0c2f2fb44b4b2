/** All streams of a node, over all of its logs: limits count them, and they must not come back together. */
export class Crowd {
  /** Those of them that were not said hello yet. */
  readonly waiting = new Set<object>()
  #size = 0
  #ids = 0

  /** Open streams. */
  get size (): number {
    return this.#size
  }

  /** Names one stream of this node. */
  newId (): string {
    return String(++this.#ids)
  }

  enter (stream: object): void {
    this.#size++
    this.waiting.add(stream)
  }

  leave (stream: object): void {
    this.#size--
    this.waiting.delete(stream)
  }
}
