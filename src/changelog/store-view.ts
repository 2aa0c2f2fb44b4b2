/** A log on a server as the program looks at it: through the questions of its port, and without a write. */
import { SyncError } from '../errors.ts'
import type { DocumentKey, EntryFacts, Epoch, JournalQuery, JournalRow, StoredEntry } from './changelog.ts'
import type { MovableStore } from './moving.ts'
import { checkStore, countStore } from './store-look.ts'
import { StoreSnapshot } from './store-snapshot.ts'
import type { AuditQuery, Figures, Finding, LogView, Progress, Proof, Snapshot } from './view.ts'

/** Sequences of one look back. */
const STEP = 200

export class StoreView implements LogView {
  readonly path: string
  readonly #store: MovableStore
  #seen = -1

  /** @param path its URL, without the password @param store opened at rest */
  constructor (path: string, store: MovableStore) {
    this.path = path
    this.#store = store
  }

  head (): Promise<number> {
    return this.#store.getCurrentSequence()
  }

  epochs (): Promise<readonly Epoch[]> {
    return this.#store.epochs()
  }

  async since (sequence: number, limit: number): Promise<StoredEntry[]> {
    const found = await this.#store.getSince(sequence, limit)
    const entries = await this.#store.entries(found.map(entry => entry.sequence))
    return entries.filter(entry => entry !== null)
  }

  async moved (): Promise<boolean> {
    const before = this.#seen
    this.#seen = await this.head()
    return this.#seen !== before
  }

  async entry (sequence: number): Promise<StoredEntry | null> {
    return (await this.#store.entries([sequence]))[0] ?? null
  }

  history (key: DocumentKey, before: number, limit: number): Promise<StoredEntry[]> {
    return this.#store.history(key, { before, limit })
  }

  journal (query: JournalQuery & { limit: number }): Promise<JournalRow[]> {
    return this.#store.journal(query)
  }

  collections (): Promise<string[]> {
    return this.#store.collections()
  }

  bytes (): null {
    return null
  }

  snapshot (at: number, collection?: string): Snapshot {
    return new StoreSnapshot(this.#store, { at, collection })
  }

  figures (): AsyncGenerator<Progress, Figures> {
    return countStore(this.#store, this.path)
  }

  check (): AsyncGenerator<Progress | Finding, void> {
    return checkStore(this.#store)
  }

  async * audit (query: AuditQuery): AsyncGenerator<EntryFacts[], void> {
    for (let from = await this.head(); from > 0; from -= STEP) {
      const entries = await this.#store.entries(Array.from({ length: Math.min(STEP, from) }, (_, index) => from - index))
      yield entries.filter(entry => entry !== null && isAsked(entry, query)) as StoredEntry[]
    }
  }

  async * prove (): AsyncGenerator<Progress, Proof> {
    throw new SyncError('storage_unavailable', { detail: `${this.path} has no audit chain: only a log in a file is sealed. audit list works here` })
  }

  close (): Promise<void> {
    return this.#store.close()
  }
}

function isAsked (entry: EntryFacts, { since = 0, until = Infinity, ...equal }: AuditQuery): boolean {
  const wanted = Object.entries(equal) as Array<[keyof typeof equal, string | undefined]>
  return entry.serverTimestamp >= since && entry.serverTimestamp < until && wanted.every(([name, value]) => value === undefined || entry[name] === value)
}
