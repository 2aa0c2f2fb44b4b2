/** Counts changes in the bytes of a stream, wherever they are cut. */

const MARK = Buffer.from('"documentId":"n')

export class Marks {
  readonly #found: ((number: number) => void) | null
  /** How much of a mark the last bytes ended with. */
  #begun = 0

  /** @param found is told each change's number, but of those that were cut */
  constructor (found: ((number: number) => void) | null) {
    this.#found = found
  }

  count (buffer: Buffer, length: number): number {
    const bytes = buffer.subarray(0, length)
    let count = 0
    let from = 0
    if (this.#begun > 0) {
      const missing = MARK.subarray(this.#begun)
      if (bytes.subarray(0, missing.length).equals(missing)) count++
      this.#begun = 0
    }
    for (let at = bytes.indexOf(MARK, from); at !== -1; at = bytes.indexOf(MARK, from)) {
      count++
      from = at + MARK.length
      if (this.#found !== null) this.#found(parseInt(bytes.toString('latin1', from, from + 16), 10))
    }
    for (let part = Math.min(MARK.length - 1, length - from); part > 0; part--) {
      if (!bytes.subarray(length - part).equals(MARK.subarray(0, part))) continue
      this.#begun = part
      break
    }
    return count
  }
}
