/** ADAPTER: the change log in memory. Every promise of the port but durability; for tests and prototypes. */
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { SyncError } from '../errors.ts'
import { appendedPush, appendedSequence, newEpochId } from './entry.ts'
import { compactState } from './memory-compact.ts'
import { fileAnew } from './memory-file.ts'
import { historyOf, journalOf, readPage, type Slice } from './memory-read.ts'
import { Arrivals, factsOf, partOf } from './memory-moving.ts'
import { MemoryState } from './memory-state.ts'
import type { LogFacts, MovableStore, MovedPart, MovedRecord, MoveSource } from './moving.ts'
import { assertTenant, type TenantStore } from './networked.ts'
import type {
  ChangeEntry, Committed, CompactPolicy, DocumentKey, Epoch, Filer, HeadAnswer, HeadKey,
  JournalQuery, JournalRow, Page, Push, ReadQuery, StoredEntry, StoreHealth, Supports
} from './changelog.ts'

export interface MemoryChangeLogOptions {
  /** The clock, ms since 1970; default `Date.now`. */
  readonly now?: () => number
}

const PAGE = 100

export class MemoryChangeLog implements MovableStore, TenantStore {
  readonly supports: Supports = { durable: false, sharedByProcesses: false, facts: true, channels: true }
  readonly #now: () => number
  #secret: Uint8Array = randomBytes(32)
  #state = new MemoryState()
  #begun = false
  #arrivals: Arrivals | null = null
  #closed = false
  /** Of each tenant the newest: closed or not, it holds what there is. */
  readonly #tenants = new Map<string, MemoryChangeLog>()

  constructor (options: MemoryChangeLogOptions = {}) {
    this.#now = options.now ?? Date.now
  }

  /** @see TenantStore; what it holds stays until this log goes, however often it is closed */
  tenant (name: string): MemoryChangeLog {
    assertTenant(name)
    const log = new MemoryChangeLog({ now: this.#now })
    const before = this.#tenants.get(name)
    if (before !== undefined) {
      log.#secret = before.#secret
      log.#state = before.#state
      log.#begun = before.#begun
    }
    this.#tenants.set(name, log)
    return log
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

  async openAtRest (): Promise<void> {
    if (!this.#begun) throw new SyncError('storage_unavailable', { detail: 'There is no change log in this memory.' })
    this.#opened()
  }

  async facts (): Promise<LogFacts> {
    return factsOf(this.#opened(), this.#secret)
  }

  async part (from: string | null, size: number): Promise<MovedPart> {
    return partOf(this.#opened(), from, size)
  }

  async begin (source: MoveSource): Promise<{ progress: string | null }> {
    this.#requireOpen()
    const { head, pushes, journal } = this.#state
    if (head + pushes.size + journal.size > 0) throw new TypeError('the target holds a log already: name an empty or new one')
    const before = this.#arrivals?.source
    if (before !== undefined && before.log !== source.log) throw new TypeError('the target was begun with another log: name another one')
    if (before?.state !== source.state) this.#arrivals = new Arrivals(source)
    return { progress: this.#arrivals!.progress }
  }

  async take (records: readonly MovedRecord[], progress: string): Promise<void> {
    this.#arriving().take(records, progress)
  }

  async end (facts: LogFacts): Promise<void> {
    this.#state = this.#arriving().whole(facts)
    this.#secret = Uint8Array.from(facts.secret)
    this.#arrivals = null
    this.#begun = false
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
    this.#requireOpen()
    if (this.#arrivals !== null) throw new SyncError('storage_unavailable', { detail: 'The change log is the target of a move that has not ended.' })
    const state = this.#state
    if (!this.#begun) state.beginEpoch({ id: newEpochId(), first: state.head + 1, started: this.#now() })
    this.#begun = true
    return state
  }

  #requireOpen (): void {
    if (this.#closed) throw new SyncError('storage_unavailable', { detail: 'The change log is closed.' })
  }

  #arriving (): Arrivals {
    this.#requireOpen()
    if (this.#arrivals === null) throw new TypeError('begin comes before take and end')
    return this.#arrivals
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
