/** Below this many removed places an order is not worth rewriting. */
const SQUEEZE_FROM = 64

/**
 * Values by rising position. Finding a place costs a binary search and a walk costs the values that are still
 * there, however many were removed between them: removed places point to the next one (union-find).
 */
export class Order<T> {
  #positions: number[] = []
  #values: Array<T | undefined> = []
  /** Index → itself while its value is there, else a later index; one more than there are places. */
  #next: number[] = [0]
  #removed = 0

  get size (): number {
    return this.#positions.length - this.#removed
  }

  /** @param position above every other one in this order */
  add (position: number, value: T): void {
    this.#positions.push(position)
    this.#values.push(value)
    this.#next.push(this.#positions.length)
  }

  get (position: number): T | undefined {
    const index = this.#above(position - 1)
    return this.#positions[index] === position ? this.#values[index] : undefined
  }

  remove (position: number): void {
    const index = this.#above(position - 1)
    if (this.#positions[index] !== position || this.#values[index] === undefined) return
    this.#values[index] = undefined
    this.#next[index] = index + 1
    this.#removed++
    if (this.#removed > SQUEEZE_FROM && this.#removed > this.size) this.#squeeze()
  }

  /** Values after a position, ascending; not to be changed while it is walked. */
  * after (position: number): Generator<T> {
    let index = this.#present(this.#above(position))
    while (index < this.#positions.length) {
      yield this.#values[index]!
      index = this.#present(index + 1)
    }
  }

  /** The first index whose position is above the given one. */
  #above (position: number): number {
    let low = 0
    let high = this.#positions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#positions[middle]! > position) high = middle
      else low = middle + 1
    }
    return low
  }

  #present (index: number): number {
    const next = this.#next
    while (next[index] !== index) {
      next[index] = next[next[index]!]!
      index = next[index]!
    }
    return index
  }

  #squeeze (): void {
    const positions = this.#positions
    const values = this.#values
    this.#positions = []
    this.#values = []
    this.#next = [0]
    this.#removed = 0
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== undefined) this.add(positions[i]!, values[i]!)
    }
  }
}

/** Walks several orders as one. @param place position of a value; equal ones come in the order of the walks */
export function * merge<T> (walks: Array<Iterator<T>>, place: (value: T) => number): Generator<T> {
  const waiting = walks.map(walk => ({ walk, at: walk.next() })).filter(({ at }) => at.done !== true)
  while (waiting.length > 0) {
    let first = waiting[0]!
    for (const other of waiting) if (place(other.at.value) < place(first.at.value)) first = other
    yield first.at.value
    first.at = first.walk.next()
    if (first.at.done === true) waiting.splice(waiting.indexOf(first), 1)
  }
}
