/** ADAPTER: an application's own class with the seven methods of `ChangeLog`. */
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { SyncError } from '../errors.ts'
import { appendedPush, appendedSequence, entryId, newEpochId } from './entry.ts'
import { compactState } from './memory-compact.ts'
import { historyOf, journalOf, readPage, type Slice } from './memory-read.ts'
import { PlainLog } from './plain-log.ts'
import { PlainState } from './plain-state.ts'
import type {
  ChangeEntry, ChangeLog, ChangeStore, Committed, CompactPolicy, DocumentKey, Epoch, HeadAnswer, HeadKey,
  JournalQuery, JournalRow, NewEntry, Page, Push, ReadQuery, StoredEntry, StoreHealth, Supports
} from './changelog.ts'

export interface PlainOptions {
  /** The clock, ms since 1970; default `Date.now`. */
  readonly now?: () => number
}

const PAGE = 100

/**
 * A whole store around a log of seven methods, for one node: the entries are the application's, everything else the
 * server keeps in memory, every document's newest version included, and reads back from the log at the start.
 * Entries get `id` and `sequence` before `append`; a log must keep both and return entries in their order.
 *
 * What lapses beside our own stores:
 * - a push is appended entry by entry: when that fails midway, what was appended stays, an `atomic` push too; the
 *   repeated push finds it as duplicates and goes on
 * - push records, journal and superseded versions are bounded in memory and end with the process, as do users,
 *   clients, addresses and what compaction purged
 * - a repeated change is known after a restart by the log's `timestamp`; without such a column only while it is
 *   the newest of its document, and the first change after a restart wins against an older version
 * - `compact()` drops what the application's method drops, at once; it must keep each document's newest entry,
 *   tombstones too, or replicas that slept meanwhile keep what was deleted
 * - after `clear()` and a restart sequences begin anew; the epoch tells clients that send it, as ours do
 * - an append beside the server is seen at the next look, if its sequence is the log's newest
 * - no channels, no second node
 */
export class PlainChangeStore implements ChangeStore {
  readonly supports: Supports = { durable: false, sharedByProcesses: false, facts: false, channels: false }
  readonly #log: PlainLog
  readonly #now: () => number
  readonly #secret: Uint8Array = randomBytes(32)
  #state: PlainState | null = null
  /** What the log last said, or was last given. */
  #logHead = 0
  #queue: Promise<unknown> = Promise.resolve()
  #looking: Promise<void> | null = null
  #writing = false
  #closed = false

  constructor (log: ChangeLog, options: PlainOptions = {}) {
    this.#log = new PlainLog(log)
    this.#now = options.now ?? Date.now
  }

  async open (): Promise<void> {
    await this.#opened()
  }

  async heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    const state = await this.#caughtUp()
    return keys.map(key => state.headOf(key))
  }

  async commit (push: Push): Promise<Committed> {
    this.#requireOpen()
    return await this.#alone(async () => {
      const state = await this.#follow()
      const refused = state.refusal(push)
      if (refused !== null) return refused
      const first = push.entries.length > 0 ? state.head + 1 : 0
      await this.#write(state, push, { first })
      return { status: 'committed', first }
    })
  }

  async read (query: ReadQuery): Promise<Page> {
    const { filedAfter, ...plain } = query
    if (query.channels !== undefined) throw new TypeError('this change log has no channels')
    return readPage(await this.#caughtUp(), plain)
  }

  async entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>> {
    const { log } = await this.#opened()
    return sequences.map(sequence => log.get(sequence) ?? null)
  }

  async history (key: DocumentKey, options: Slice = {}): Promise<StoredEntry[]> {
    return historyOf(await this.#opened(), key, options)
  }

  async journal (query: JournalQuery = {}): Promise<JournalRow[]> {
    return journalOf(await this.#opened(), query)
  }

  async discardJournal (ids: readonly number[]): Promise<number> {
    return (await this.#opened()).discard(ids)
  }

  async collections (): Promise<string[]> {
    return [...(await this.#caughtUp()).headsOf.keys()]
  }

  async horizon (): Promise<number> {
    return (await this.#opened()).horizon
  }

  async epochs (): Promise<readonly Epoch[]> {
    return [...(await this.#opened()).epochs]
  }

  async secret (): Promise<Uint8Array> {
    await this.#opened()
    return Uint8Array.from(this.#secret)
  }

  async file (): Promise<void> {
    throw new TypeError('this change log has no channels')
  }

  async filing (): Promise<string> {
    return ''
  }

  async append (change: ChangeEntry): Promise<void> {
    this.#requireOpen()
    await this.#alone(async () => {
      const state = await this.#follow()
      const first = appendedSequence(change.sequence, state.head)
      if (change.id && await this.get(change.id) !== null) throw new TypeError(`the log already has an entry with the id ${change.id}`)
      await this.#write(state, appendedPush(change, state.document(change)?.head ?? null, this.#now()), { first, id: change.id })
    })
  }

  async getSince (sequence: number, limit = PAGE): Promise<ChangeEntry[]> {
    this.#requireOpen()
    const rows = await this.#log.getSince(sequence, limit)
    return rows.slice(0, limit).map(({ entry }) => entry)
  }

  async getForCollection (collection: string, since: number): Promise<ChangeEntry[]> {
    this.#requireOpen()
    return await this.#log.getForCollection(collection, since)
  }

  async get (id: string): Promise<ChangeEntry | null> {
    this.#requireOpen()
    return await this.#log.get(id)
  }

  async getCurrentSequence (): Promise<number> {
    return (await this.#caughtUp()).head
  }

  async compact (policy?: CompactPolicy): Promise<void> {
    this.#requireOpen()
    const state = await this.#alone(async () => {
      const state = await this.#follow()
      if (policy !== undefined && policy.historyBefore === undefined) return state
      await this.#log.compact()
      this.#logHead = await this.#log.getCurrentSequence()
      return state
    })
    await compactState(state, policy, async () => {
      await setImmediate()
      return !this.#closed
    })
  }

  async clear (): Promise<void> {
    this.#requireOpen()
    await this.#alone(async () => {
      const state = await this.#follow()
      await this.#log.clear()
      this.#logHead = await this.#log.getCurrentSequence()
      state.clear()
      // Clearing takes a sequence itself: with it the head of before is told from the head of now.
      state.head++
      state.horizon = state.head
      state.beginEpoch({ id: newEpochId(), first: state.head, started: this.#now() })
    })
  }

  health (): StoreHealth {
    const detail = this.#closed ? 'The change log is closed.' : this.#log.failure
    return { writable: detail === null, detail }
  }

  stats (): Readonly<Record<string, number>> {
    const { log, heads, pushes, journal } = this.#state ?? new PlainState()
    return { entries: log.size, documents: heads.size, pushes: pushes.size, journal: journal.size }
  }

  async close (): Promise<void> {
    this.#closed = true
    await this.#queue
  }

  #requireOpen (): void {
    if (this.#closed) throw new SyncError('storage_unavailable', { detail: 'The change log is closed.' })
  }

  async #opened (): Promise<PlainState> {
    this.#requireOpen()
    return this.#state ?? await this.#alone(async () => this.#state ?? await this.#load())
  }

  /** One after the other: what writes, and what reads the log back. */
  #alone<T> (run: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(run)
    this.#queue = result.catch(() => {})
    return result
  }

  /** With what others appended. While the log cannot be asked, what is known is served. */
  async #caughtUp (): Promise<PlainState> {
    const state = await this.#opened()
    if (this.#writing) return state
    this.#looking ??= this.#look().catch(() => {}).finally(() => { this.#looking = null })
    await this.#looking
    return this.#state ?? state
  }

  async #look (): Promise<void> {
    const known = this.#logHead
    const current = await this.#log.getCurrentSequence()
    // When we wrote meanwhile, the answer was out of date before it came.
    if (current !== known && known === this.#logHead && !this.#writing) await this.#alone(() => this.#follow())
  }

  /** @returns the state as the log stands */
  async #follow (): Promise<PlainState> {
    const state = this.#state
    const current = await this.#log.getCurrentSequence()
    if (state === null || current < this.#logHead) return await this.#load()
    if (current > this.#logHead) await this.#readBack(state)
    return state
  }

  /** From nothing: at the start, and when the log went back behind the server's back. */
  async #load (): Promise<PlainState> {
    const state = new PlainState()
    await this.#readBack(state)
    state.beginEpoch({ id: newEpochId(), first: state.head + 1, started: this.#now() })
    this.#state = state
    return state
  }

  async #readBack (state: PlainState): Promise<void> {
    const from = state.head
    let rows = 0
    this.#logHead = await this.#log.readBack(from, row => {
      rows++
      state.takeBack(row, this.#now())
    })
    state.head = Math.max(state.head, this.#logHead)
    // What is missing nobody knows: it may be versions that the log's own `compact` has dropped.
    if (rows < state.head - from) state.historyHorizon = state.head
  }

  async #write (state: PlainState, push: Push, { first, id }: { first: number, id?: string }): Promise<void> {
    this.#writing = true
    let appended = 0
    try {
      for (const entry of push.entries) {
        const sequence = first + appended
        const change = changeOf(entry, sequence, id || entryId(state.epochs, sequence))
        await this.#log.append(change)
        appended++
      }
    } finally {
      // Seen at once, and also when the rest failed: what is in the log is not undone.
      for (const [index, entry] of push.entries.slice(0, appended).entries()) {
        const { channels, ...kept } = entry
        state.put(first + index, kept, push, id)
      }
      if (appended > 0) this.#logHead = state.head
      this.#writing = false
    }
    state.record(push, first)
  }
}

function changeOf ({ collection, documentId, operation, document, timestamp }: NewEntry, sequence: number, id: string): ChangeEntry {
  return { id, sequence, collection, documentId, operation, document, data: document, timestamp }
}
