/** All streams of a node, over all of its logs: limits count them, and they must not come back together. */
export class Crowd {
  /** Those of them that were not said hello yet. */
  readonly waiting = new Set<object>()
  readonly #node: string
  #size = 0
  #ids = 0

  /** @param node no other one has this name */
  constructor (node: string) {
    this.#node = node
  }

  /** Open streams. */
  get size (): number {
    return this.#size
  }

  /** Names one stream, as no other one of any node is named. */
  newId (): string {
    return `${this.#node}-${++this.#ids}`
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
