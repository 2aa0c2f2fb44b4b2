/** Lets pushes to one document queue within a process, so that they do not undo each other's decisions. */
export class DocumentLocks {
  readonly #tails = new Map<string, Promise<void>>()

  /**
   * Resolves when every earlier holder of any of the keys has released. All keys are queued for in one step, so
   * two holders can never wait for each other.
   * @returns releases; call it exactly once
   */
  async acquire (keys: ReadonlySet<string>): Promise<() => void> {
    let release!: () => void
    const held = new Promise<void>(resolve => { release = resolve })
    const earlier: Array<Promise<void>> = []
    for (const key of keys) {
      const tail = this.#tails.get(key)
      if (tail !== undefined) earlier.push(tail)
      this.#tails.set(key, held)
    }
    if (earlier.length > 0) await Promise.all(earlier)
    return () => {
      for (const key of keys) if (this.#tails.get(key) === held) this.#tails.delete(key)
      release()
    }
  }
}
