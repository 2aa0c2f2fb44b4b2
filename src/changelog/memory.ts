/** ADAPTER: the change log in memory. Every promise of the port but durability; for tests and prototypes. */
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { SyncError } from '../errors.ts'
import { appendedPush, appendedSequence, newEpochId } from './entry.ts'
import { compactState } from './memory-compact.ts'
import { fileAnew } from './memory-file.ts'
import { historyOf, journalOf, readPage, type Slice } from './memory-read.ts'
import { MemoryState } from './memory-state.ts'
import type {
  ChangeEntry, ChangeStore, Committed, CompactPolicy, DocumentKey, Epoch, Filer, HeadAnswer, HeadKey,
  JournalQuery, JournalRow, Page, Push, ReadQuery, StoredEntry, StoreHealth, Supports
} from './changelog.ts'

export interface MemoryChangeLogOptions {
  /** The clock, ms since 1970; default `Date.now`. */
  readonly now?: () => number
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
    return keys.map(key => state.headOf(key))
  }

  async read (query: ReadQuery): Promise<Page> {
    return readPage(this.#opened(), query)
  }

  async entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>> {
    const state = this.#opened()
    return sequences.map(sequence => state.log.get(sequence) ?? null)
  }

  async history (key: DocumentKey, options: Slice = {}): Promise<StoredEntry[]> {
    return historyOf(this.#opened(), key, options)
  }

  async journal (query: JournalQuery = {}): Promise<JournalRow[]> {
    return journalOf(this.#opened(), query)
  }

  async discardJournal (ids: readonly number[]): Promise<number> {
    return this.#opened().discard(ids)
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

  async file (name: string, channelsOf: Filer): Promise<void> {
    fileAnew(this.#opened(), name, channelsOf)
  }

  async filing (): Promise<string> {
    return this.#opened().filing.id
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
    const { log, heads, identities, pushes, journal } = this.#state
    return { entries: log.size, documents: heads.size, identities: identities.size, pushes: pushes.size, journal: journal.size }
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
    const refused = state.refusal(push)
    if (refused !== null) return refused
    const first = push.entries.length > 0 ? next : 0
    push.entries.forEach((entry, index) => state.put(first + index, entry, push, id))
    state.record(push, first)
    return { status: 'committed', first }
  }
}
