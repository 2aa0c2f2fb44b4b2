/** ADAPTER: the change log in memory. Every promise of the port but durability; for tests and prototypes. */
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { SyncError } from '../errors.ts'
import { appendedPush, appendedSequence, newEpochId } from './entry.ts'
import { compactState } from './memory-compact.ts'
import { readPage } from './memory-read.ts'
import { digestKey, factsOf, MemoryState } from './memory-state.ts'
import type {
  ChangeEntry, ChangeStore, Committed, CompactPolicy, DocumentKey, EntryFacts, Epoch, HeadAnswer, HeadKey,
  JournalRow, NewEntry, Page, Push, ReadQuery, StoredEntry, StoreHealth, Supports
} from './changelog.ts'

export interface MemoryChangeLogOptions {
  /** The clock, ms since 1970; default `Date.now`. */
  readonly now?: () => number
}

interface Slice {
  readonly before?: number
  readonly limit?: number
}

const PAGE = 100

export class MemoryChangeLog implements ChangeStore {
  readonly supports: Supports = { durable: false, sharedByProcesses: false, facts: true, channels: true }
  readonly #now: () => number
  readonly #secret: Uint8Array = randomBytes(32)
  readonly #state = new MemoryState()
  #closed = false

  constructor (options: MemoryChangeLogOptions = {}) {
    this.#now = options.now ?? Date.now
  }

  async open (): Promise<void> {
    this.#opened()
  }

  async commit (push: Push): Promise<Committed> {
    return this.#commit(push, this.#opened().head + 1)
  }

  async heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    const state = this.#opened()
    return keys.map(key => {
      const document = state.document(key)
      return {
        head: document?.head ? factsOf(document.head) : null,
        duplicateOf: key.identity === undefined ? 0 : document?.identities.get(digestKey(key.identity)) ?? 0
      }
    })
  }

  async read (query: ReadQuery): Promise<Page> {
    return readPage(this.#opened(), query)
  }

  async entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>> {
    const state = this.#opened()
    return sequences.map(sequence => state.log.get(sequence) ?? null)
  }

  async history (key: DocumentKey, options: Slice = {}): Promise<StoredEntry[]> {
    const entries = this.#opened().document(key)?.entries ?? []
    return newestFirst(entries, entry => entry.sequence, options)
  }

  async journal (options: Slice = {}): Promise<JournalRow[]> {
    return newestFirst([...this.#opened().journal.after(0)], row => row.id, options)
  }

  async collections (): Promise<string[]> {
    return [...this.#opened().headsOf.keys()]
  }

  async horizon (): Promise<number> {
    return this.#opened().horizon
  }

  async epochs (): Promise<readonly Epoch[]> {
    return [...this.#opened().epochs]
  }

  async secret (): Promise<Uint8Array> {
    this.#opened()
    return Uint8Array.from(this.#secret)
  }

  async append (change: ChangeEntry): Promise<void> {
    const state = this.#opened()
    const sequence = appendedSequence(change.sequence, state.head)
    if (change.id && this.#find(change.id) !== null) throw new TypeError(`the log already has an entry with the id ${change.id}`)
    const push = appendedPush(change, state.document(change)?.head ?? null, this.#now())
    this.#commit(push, sequence, change.id)
  }

  async getSince (sequence: number, limit = PAGE): Promise<ChangeEntry[]> {
    const found: ChangeEntry[] = []
    for (const entry of this.#opened().log.after(sequence)) {
      if (found.length >= limit) break
      found.push(entry)
    }
    return found
  }

  async getForCollection (collection: string, since: number): Promise<ChangeEntry[]> {
    return [...this.#opened().log.after(since)].filter(entry => entry.collection === collection)
  }

  async get (id: string): Promise<ChangeEntry | null> {
    this.#opened()
    return this.#find(id)
  }

  async getCurrentSequence (): Promise<number> {
    return this.#opened().head
  }

  async compact (policy?: CompactPolicy): Promise<void> {
    const pause = async (): Promise<boolean> => {
      await setImmediate()
      return !this.#closed
    }
    await compactState(this.#opened(), policy, pause)
  }

  async clear (): Promise<void> {
    const state = this.#opened()
    state.clear()
    // Clearing takes a sequence itself: with it the head of before is told from the head of now.
    state.head++
    state.horizon = state.head
    state.beginEpoch({ id: newEpochId(), first: state.head, started: this.#now() })
  }

  health (): StoreHealth {
    return this.#closed ? { writable: false, detail: 'The change log is closed.' } : { writable: true, detail: null }
  }

  stats (): Readonly<Record<string, number>> {
    const { log, heads, pushes, journal } = this.#state
    return { entries: log.size, documents: heads.size, pushes: pushes.size, journal: journal.size }
  }

  async close (): Promise<void> {
    this.#closed = true
  }

  #opened (): MemoryState {
    if (this.#closed) throw new SyncError('storage_unavailable', { detail: 'The change log is closed.' })
    const state = this.#state
    if (state.epochs.length === 0) state.beginEpoch({ id: newEpochId(), first: 1, started: this.#now() })
    return state
  }

  #find (id: string): StoredEntry | null {
    const { givenIds, log } = this.#state
    const entry = log.get(givenIds.get(id) ?? Number(id.slice(id.lastIndexOf('-') + 1)))
    return entry?.id === id ? entry : null
  }

  /** Everything that can refuse comes before the first write, so a push is all or nothing. */
  #commit (push: Push, next: number, id?: string): Committed {
    const state = this.#opened()
    const seen = state.pushes.get(digestKey(push.key))
    if (seen !== undefined) {
      if (seen.fingerprint !== digestKey(push.fingerprint)) return { status: 'reused' }
      return { status: 'seen', first: seen.first, outcome: seen.outcome }
    }
    const moved = this.#moved(push.entries)
    if (moved !== null) return { status: 'moved', heads: moved }
    const first = push.entries.length > 0 ? next : 0
    push.entries.forEach((entry, index) => state.put(first + index, entry, push, id))
    state.record(push, first)
    return { status: 'committed', first }
  }

  /** The heads that are not the expected ones, null when all are. */
  #moved (entries: readonly NewEntry[]): EntryFacts[] | null {
    const asked = new Set<string>()
    const moved: EntryFacts[] = []
    let any = false
    for (const entry of entries) {
      const key = JSON.stringify([entry.collection, entry.documentId])
      if (asked.has(key)) continue
      asked.add(key)
      const head = this.#state.document(entry)?.head ?? null
      if ((head?.sequence ?? 0) === entry.expected) continue
      any = true
      if (head !== null) moved.push(factsOf(head))
    }
    return any ? moved : null
  }
}

/** @param place rising along the rows */
function newestFirst<T> (rows: readonly T[], place: (row: T) => number, { before = Infinity, limit = PAGE }: Slice): T[] {
  const end = rows.findLastIndex(row => place(row) < before) + 1
  return rows.slice(Math.max(0, end - limit), end).reverse()
}
