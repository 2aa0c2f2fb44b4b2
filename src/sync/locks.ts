/** Who holds some keys; a promise of the end only once somebody waits for it, as of most nobody does. */
class Holder {
  #ended: Promise<void> | null = null
  #settle = (): void => {}

  ended (): Promise<void> {
    this.#ended ??= new Promise(resolve => { this.#settle = resolve })
    return this.#ended
  }

  end (): void {
    this.#settle()
  }
}

/** Lets pushes to one document queue within a process, so that they do not undo each other's decisions. */
export class DocumentLocks {
  /** By key the newest to hold it or to wait for it. */
  readonly #tails = new Map<string, Holder>()

  /**
   * Waits until every earlier holder of any of the keys has released; a promise only when there is one. All keys
   * are queued for in one step, so two holders can never wait for each other.
   * @param keys may repeat
   * @param wait for the earlier ones: who gives up goes on beside them
   * @returns releases; call it exactly once
   */
  acquire (keys: readonly string[], wait: (free: Promise<unknown>) => Promise<unknown> = free => free): (() => void) | Promise<() => void> {
    const held = new Holder()
    const earlier: Array<Promise<void>> = []
    for (const key of keys) {
      const tail = this.#tails.get(key)
      if (tail === held) continue
      if (tail !== undefined) earlier.push(tail.ended())
      this.#tails.set(key, held)
    }
    const release = (): void => {
      for (const key of keys) if (this.#tails.get(key) === held) this.#tails.delete(key)
      held.end()
    }
    return earlier.length === 0 ? release : wait(Promise.all(earlier)).then(() => release)
  }
}
