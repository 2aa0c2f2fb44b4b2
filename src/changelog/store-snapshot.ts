/** The live documents of a log on a server as they stood at one sequence: what moves meanwhile is put right by the documents' histories. */
import type { ChangeStore, DocumentKey, Row, StoredEntry } from './changelog.ts'
import type { Snapshot, SnapshotPage } from './view.ts'

/** Documents' text of one page. */
const PAGE_BYTES = 4 * 2 ** 20
const PAGE = 500

interface SnapshotOptions {
  readonly at: number
  readonly collection: string | undefined
}

export class StoreSnapshot implements Snapshot {
  readonly #store: ChangeStore
  readonly #at: number
  readonly #collections: readonly string[] | null
  /** Heads up to here were looked at for documents that have moved since the snapshot. */
  #seen: number
  /** Versions of then of documents that have moved, not yet returned. */
  readonly #pending = new Set<number>()
  /** Documents whose version of then is gone. */
  readonly #late = new Map<string, DocumentKey>()

  constructor (store: ChangeStore, { at, collection }: SnapshotOptions) {
    this.#store = store
    this.#at = this.#seen = at
    this.#collections = collection === undefined ? null : [collection]
  }

  async next (after: number, limit: number): Promise<SnapshotPage> {
    const page = await this.#read(after, limit)
    const heads = page.rows.filter(({ position }) => position <= this.#at).map(({ position }) => position)
    const end = heads.length < page.rows.length ? this.#at : Math.min(page.scanned, this.#at)
    // After the page, so that what left it meanwhile is found here, and what is in both counts once.
    await this.#followMoved(after)
    const moved = [...this.#pending].filter(sequence => sequence > after && sequence <= end)
    for (const sequence of moved) this.#pending.delete(sequence)
    const entries = await this.#store.entries([...new Set([...heads, ...moved])].sort((a, b) => a - b))
    return { entries: entries.filter(entry => entry !== null && entry.operation !== 'delete') as StoredEntry[], position: end }
  }

  async late (): Promise<StoredEntry[]> {
    const answers = await this.#store.heads([...this.#late.values()])
    const entries = await this.#store.entries(answers.flatMap(({ head }) => head === null ? [] : [head.sequence]))
    return entries.filter(entry => entry !== null && entry.operation !== 'delete').sort((a, b) => a!.sequence - b!.sequence) as StoredEntry[]
  }

  async #followMoved (after: number): Promise<void> {
    for (let left = true; left;) {
      const { rows, scanned, head } = await this.#read(this.#seen, PAGE)
      for (const row of rows) await this.#follow(row, after)
      this.#seen = Math.max(scanned, this.#seen)
      left = this.#seen < head
    }
  }

  async #follow ({ entry: { collection, documentId } }: Row, after: number): Promise<void> {
    const versions = await this.#store.history({ collection, documentId }, { limit: Number.MAX_SAFE_INTEGER })
    const then = versions.find(({ sequence }) => sequence <= this.#at)?.sequence
    // Where the chain breaks, what it names next is the version of then, or came after it.
    const gone = versions.at(-1)?.previous ?? 0
    if (then !== undefined && then > after) this.#pending.add(then)
    if (then === undefined && gone > after) this.#late.set(JSON.stringify([collection, documentId]), { collection, documentId })
  }

  #read (after: number, limit: number): ReturnType<ChangeStore['read']> {
    return this.#store.read({ after, collections: this.#collections, limit, bytes: PAGE_BYTES })
  }
}
