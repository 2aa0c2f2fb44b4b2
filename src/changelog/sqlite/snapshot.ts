/**
 * The live documents as they stood at one sequence. No transaction is held over it, since that would keep the
 * WAL from shrinking: what is read in later slices is put right by the chain of `previous`.
 */
import type { StoredEntry } from '../changelog.ts'
import type { Snapshot, SnapshotPage } from '../view.ts'
import type { Database, Statement } from './driver.ts'

/** Documents' text of one page. */
const PAGE_BYTES = 4 * 2 ** 20

interface SnapshotOptions {
  readonly at: number
  readonly collection: string | undefined
  readonly read: (sequences: readonly number[]) => ReadonlyArray<StoredEntry | null>
}

export class SqliteSnapshot implements Snapshot {
  readonly #options: SnapshotOptions
  readonly #heads: Statement
  readonly #moved: Statement
  readonly #previous: Statement
  readonly #begin: Statement
  readonly #end: Statement
  /** Heads up to here were looked at for documents that have moved since the snapshot. */
  #seen: number
  /** Versions of then of documents that have moved, not yet reached. */
  readonly #pending = new Set<number>()
  /** Heads of now of documents whose version of then is gone, by the number of that version. */
  readonly #late = new Map<number, number>()

  constructor (database: Database, options: SnapshotOptions) {
    this.#options = options
    this.#seen = options.at
    this.#heads = database.prepare('SELECT sequence FROM heads INDEXED BY heads_sequence WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT 0 + ?').pluck()
    this.#moved = database.prepare('SELECT sequence FROM heads INDEXED BY heads_sequence WHERE sequence > ? ORDER BY sequence').pluck()
    this.#previous = database.prepare('SELECT previous FROM log WHERE sequence = ?').pluck()
    this.#begin = database.prepare('BEGIN')
    this.#end = database.prepare('COMMIT')
  }

  next (after: number, limit: number): SnapshotPage {
    this.#begin.run()
    try {
      this.#followMoved(after)
      return this.#page(after, limit)
    } finally {
      this.#end.run()
    }
  }

  late (): StoredEntry[] {
    const entries = this.#options.read([...this.#late.values()]).filter(entry => entry !== null).sort((a, b) => a.sequence - b.sequence)
    // A document may have moved more than once since.
    const newest = new Map(entries.map(entry => [`${entry.collection}\0${entry.documentId}`, entry]))
    return [...newest.values()].filter(entry => this.#wanted(entry))
  }

  #followMoved (after: number): void {
    for (const head of this.#moved.all(this.#seen) as number[]) {
      this.#seen = head
      const version = this.#versionAt(head)
      if (version === 0 || version <= after) continue
      if (version <= this.#options.at && this.#previous.get(version) !== undefined) this.#pending.add(version)
      else this.#late.set(version, head)
    }
  }

  /** The document's entry at the snapshot, 0 for none; one after it where the chain breaks before. */
  #versionAt (head: number): number {
    let version = head
    while (version > this.#options.at) {
      const previous = this.#previous.get(version) as number | undefined
      if (previous === undefined) return version
      version = previous
    }
    return version
  }

  #page (after: number, limit: number): SnapshotPage {
    const { at, read } = this.#options
    const heads = this.#heads.all(after, at, limit) as number[]
    const end = heads.length < limit ? at : heads.at(-1)!
    const moved = [...this.#pending].filter(version => version <= end)
    const sequences = [...heads, ...moved].sort((a, b) => a - b).slice(0, limit)
    const entries: StoredEntry[] = []
    let position = end
    let bytes = 0
    for (const [index, sequence] of sequences.entries()) {
      this.#pending.delete(sequence)
      const [entry = null] = read([sequence])
      if (entry !== null && this.#wanted(entry)) {
        entries.push(entry)
        bytes += Buffer.byteLength(entry.document!)
      }
      const last = index === sequences.length - 1
      if (last ? heads.length + moved.length > sequences.length : bytes > PAGE_BYTES) position = sequence
      if (bytes > PAGE_BYTES) break
    }
    return { entries, position }
  }

  #wanted ({ collection, operation }: StoredEntry): boolean {
    return operation !== 'delete' && (this.#options.collection === undefined || collection === this.#options.collection)
  }
}
