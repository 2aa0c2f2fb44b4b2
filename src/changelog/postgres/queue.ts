/** Group commit: pushes that wait together share one transaction, and gather while the one before is under way. */
import type { Committed } from '../changelog.ts'
import { SyncError } from '../../errors.ts'
import type { Job } from './group.ts'

interface Waiting {
  readonly job: Job
  readonly resolve: (result: Committed) => void
  readonly reject: (error: unknown) => void
}

/** Bounds of one transaction, so that nobody waits long behind others; a push larger than that goes alone. */
const GROUP_ENTRIES = 1000
const GROUP_CHARACTERS = 4 * 2 ** 20

export class CommitQueue {
  readonly #commit: (jobs: readonly Job[]) => Promise<Committed[]>
  #waiting: Waiting[] = []
  #running: Promise<void> | null = null

  /** @param commit all of them in one transaction */
  constructor (commit: (jobs: readonly Job[]) => Promise<Committed[]>) {
    this.#commit = commit
  }

  add (job: Job): Promise<Committed> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** When all pushes so far are answered. */
  async drained (): Promise<void> {
    while (this.#running !== null) await this.#running
  }

  async #run (): Promise<void> {
    // What comes in the same turn goes in the same transaction.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#waiting.length > 0) await this.#flush(this.#take())
    this.#running = null
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

  async #flush (group: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#commit(group.map(({ job }) => job))
      group.forEach(({ resolve }, index) => resolve(results[index]!))
    } catch (error) {
      // A push that cannot be written for reasons of its own must not take the others with it.
      if (group.length > 1 && !(error instanceof SyncError)) for (const one of group) await this.#flush([one])
      else for (const { reject } of group) reject(error)
    }
  }
}
