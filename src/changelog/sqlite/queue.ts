/** Group commit: pushes that wait together share one transaction and its fsync. */
import type { Committed } from '../changelog.ts'
import { SyncError } from '../../errors.ts'
import type { Job } from './writer.ts'

interface Waiting {
  readonly job: Job
  readonly resolve: (result: Committed) => void
  readonly reject: (error: unknown) => void
}

/** Bounds of one transaction, so that nobody waits long behind others; a push larger than that goes alone. */
const GROUP_ENTRIES = 1000
const GROUP_CHARACTERS = 4 * 2 ** 20
/** Turns of the event loop to wait while each brings more pushes. */
const TURNS = 4

export class CommitQueue {
  readonly #commit: (jobs: readonly Job[]) => Committed[]
  #waiting: Waiting[] = []
  #scheduled = false
  #idle: Array<() => void> = []

  /** @param commit all of them in one transaction */
  constructor (commit: (jobs: readonly Job[]) => Committed[]) {
    this.#commit = commit
  }

  add (job: Job): Promise<Committed> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject })
      this.#schedule()
    })
  }

  /** When all pushes so far are answered. */
  drained (): Promise<void> {
    if (!this.#scheduled) return Promise.resolve()
    return new Promise(resolve => { this.#idle.push(resolve) })
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#turn(this.#waiting.length, 1))
  }

  /** A lone push is committed in the first turn; while a turn adds more, the group grows. */
  #turn (seen: number, turns: number): void {
    const { length } = this.#waiting
    if (length > seen && turns < TURNS) {
      setImmediate(() => this.#turn(length, turns + 1))
      return
    }
    this.#flush(this.#take())
    this.#scheduled = false
    if (this.#waiting.length > 0) return this.#schedule()
    for (const done of this.#idle.splice(0)) done()
  }

  #take (): Waiting[] {
    let entries = 0
    let characters = 0
    const end = this.#waiting.findIndex(({ job: { push } }, index) => {
      entries += push.entries.length
      for (const { document } of push.entries) characters += document?.length ?? 0
      return index > 0 && (entries > GROUP_ENTRIES || characters > GROUP_CHARACTERS)
    })
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end)
  }

  #flush (group: readonly Waiting[]): void {
    try {
      const results = this.#commit(group.map(({ job }) => job))
      group.forEach(({ resolve }, index) => resolve(results[index]!))
    } catch (error) {
      // A push that cannot be written for reasons of its own must not take the others with it.
      if (group.length > 1 && !concernsAll(error)) for (const one of group) this.#flush([one])
      else for (const { reject } of group) reject(error)
    }
  }
}

/** The medium failed: whether this group was kept is unknown. */
function concernsAll (error: unknown): boolean {
  return error instanceof SyncError && error.facts.cause !== undefined
}
