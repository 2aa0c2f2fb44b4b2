/** Lets pushes to one document queue within a process, so that they do not undo each other's decisions. */
export class DocumentLocks {
  readonly #tails = new Map<string, Promise<void>>()

  /**
   * Waits until every earlier holder of any of the keys has released; a promise only when there is one. All keys
   * are queued for in one step, so two holders can never wait for each other.
   * @param wait for the earlier ones: who gives up goes on beside them
   * @returns releases; call it exactly once
   */
  acquire (keys: ReadonlySet<string>, wait: (free: Promise<unknown>) => Promise<unknown> = free => free): (() => void) | Promise<() => void> {
    let settle!: () => void
    const held = new Promise<void>(resolve => { settle = resolve })
    const earlier: Array<Promise<void>> = []
    for (const key of keys) {
      const tail = this.#tails.get(key)
      if (tail !== undefined) earlier.push(tail)
      this.#tails.set(key, held)
    }
    const release = (): void => {
      for (const key of keys) if (this.#tails.get(key) === held) this.#tails.delete(key)
      settle()
    }
    return earlier.length === 0 ? release : wait(Promise.all(earlier)).then(() => release)
  }
}
