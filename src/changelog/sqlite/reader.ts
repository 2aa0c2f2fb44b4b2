/** Questions to the log, answered by short statements. */
import type { DocumentKey, EntryFacts, Epoch, HeadAnswer, HeadKey, JournalQuery, JournalRow, Page, ReadQuery, Row, StoredEntry } from '../changelog.ts'
import { epochAt, isIdentityOf } from '../entry.ts'
import type { Database, Statement } from './driver.ts'
import { JournalReader } from './journal.ts'
import { Names } from './names.ts'
import { decodeEntry, decodeFacts, decodeShown, ENTRY, FACTS, type EntryRow, type FactsRow } from './rows.ts'
import { Turn } from './turn.ts'
import { Walks } from './walk.ts'

/** Rows per statement of a page: what is read beyond a page's bytes stays small. */
const STEP = 64
/** Rows looked at in one page: a page of which little is visible ends here and the next one goes on. */
const LOOKED_AT = 20_000

export class Reader {
  /** To be begun before any question. */
  readonly turn: Turn
  readonly #names: Names
  readonly #walks: Walks
  readonly #journal: JournalReader
  readonly #newest: Statement
  readonly #horizon: Statement
  readonly #historyHorizon: Statement
  readonly #secret: Statement
  readonly #text: Statement
  readonly #collections: Statement
  readonly #headFacts: Statement
  readonly #headSequence: Statement
  readonly #identity: Statement
  readonly #entry: Statement
  readonly #entryById: Statement
  readonly #since: Statement
  readonly #sinceOf: Statement
  readonly #epochs: readonly Epoch[]
  #known: { head?: number, horizon?: number, historyHorizon?: number } = {}
  /** The epoch that the last entry read lies in: most lie in the same one. */
  #epoch: { id: string, first: number, end: number } = { id: '', first: 0, end: 0 }

  /** A reader knows the epochs of when it was made: a new one begins only with an opening or `clear`. */
  constructor (database: Database) {
    this.#names = new Names(database)
    this.#walks = new Walks(database, this.#names)
    this.#journal = new JournalReader(database)
    this.turn = new Turn(database)
    this.#newest = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").pluck()
    this.#horizon = database.prepare("SELECT value FROM meta WHERE key = 'horizon'").pluck()
    this.#historyHorizon = database.prepare("SELECT value FROM meta WHERE key = 'history_horizon'").pluck()
    this.#secret = database.prepare("SELECT value FROM meta WHERE key = 'secret'").pluck()
    this.#text = database.prepare('SELECT value FROM meta WHERE key = ?').pluck()
    this.#collections = database.prepare('SELECT name FROM collections c WHERE EXISTS (SELECT 1 FROM heads h WHERE h.collection = c.id)').pluck()
    this.#headFacts = database.prepare(`SELECT ${FACTS} FROM heads h CROSS JOIN log l ON l.sequence = h.sequence WHERE h.collection = ? AND h.document_id = ?`).raw()
    this.#headSequence = database.prepare('SELECT sequence FROM heads WHERE collection = ? AND document_id = ?').pluck()
    this.#identity = database.prepare('SELECT sequence FROM identities WHERE collection = ? AND document_id = ? AND identity = ?').pluck()
    this.#entry = database.prepare(`SELECT ${ENTRY} FROM log l WHERE l.sequence = ?`).raw()
    this.#entryById = database.prepare(`SELECT ${ENTRY} FROM log l WHERE l.id = ?`).raw()
    this.#since = database.prepare(`SELECT ${ENTRY} FROM log l WHERE l.sequence > ? ORDER BY l.sequence LIMIT 0 + ?`).raw()
    this.#sinceOf = database.prepare(`SELECT ${ENTRY} FROM log l WHERE l.collection = ? AND l.sequence > ? ORDER BY l.sequence`).raw()
    this.#epochs = Object.freeze(database.prepare('SELECT id, first, started FROM epochs ORDER BY number').all() as Epoch[])
  }

  page (query: ReadQuery): Page {
    const head = this.head()
    const { stamp } = query
    if (stamp !== undefined && stamp === this.#stampNow(query, scannedIn(stamp))) return this.#page([], scannedIn(stamp), stamp)
    // Most pulls find nothing new.
    if (!isBehind(query, head)) return this.#page([], head)
    const { rows, scanned } = this.#rows(query)
    if (scanned < head && isPlain(query)) return this.#page(rows, scanned, stampText(this.#epochs, scanned, rows.length))
    return this.#page(rows, Math.min(scanned, head))
  }

  #page (rows: Row[], scanned: number, stamp?: string): Page {
    const page = { rows, scanned, head: this.head(), horizon: this.horizon(), historyHorizon: this.#historyFrom(), epochs: this.#epochs }
    return stamp === undefined ? page : { ...page, stamp }
  }

  /** What a page that is cut there would be stamped with. */
  #stampNow (query: ReadQuery, scanned: number): string | null {
    if (!isPlain(query)) return null
    const { count, more } = this.#walks.count(query, scanned)
    return more ? stampText(this.#epochs, scanned, count) : null
  }

  heads (keys: readonly HeadKey[]): HeadAnswer[] {
    return keys.map(key => this.#answer(key))
  }

  #answer ({ collection, documentId, identity }: HeadKey): HeadAnswer {
    const number = this.#names.number(collection)
    if (number === undefined) return { head: null, duplicateOf: 0 }
    const row = this.#headFacts.get(number, documentId) as FactsRow | undefined
    const head = row === undefined ? null : decodeFacts(row, collection)
    if (identity === undefined) return { head, duplicateOf: 0 }
    const first = this.#identity.get(number, documentId, identity) as number | undefined
    return { head, duplicateOf: first ?? (head?.exact === true && isIdentityOf(identity, head) ? head.sequence : 0) }
  }

  headOf (key: DocumentKey): EntryFacts | null {
    return this.heads([key])[0]!.head
  }

  entries (sequences: readonly number[]): Array<StoredEntry | null> {
    return sequences.map(sequence => this.#decode(this.#entry.get(sequence) as EntryRow | undefined))
  }

  /** Along the chain of `previous`: compaction drops a document's entries from its oldest on. */
  history ({ collection, documentId }: DocumentKey, before: number, limit: number): StoredEntry[] {
    const number = this.#names.number(collection)
    const found: StoredEntry[] = []
    if (number === undefined) return found
    let next = (this.#headSequence.get(number, documentId) ?? 0) as number
    // Whoever pages asks below an entry of this document: no need to walk down to it again.
    const from = before < next ? this.#entry.get(before) as EntryRow | undefined : undefined
    if (from?.[1] === number && from[2] === documentId) next = from[7]
    while (next > 0 && found.length < limit) {
      const entry = this.#decode(this.#entry.get(next) as EntryRow | undefined)
      if (entry === null) break
      if (entry.sequence < before) found.push(entry)
      next = entry.previous
    }
    return found
  }

  since (sequence: number, limit: number): StoredEntry[] {
    return (this.#since.all(sequence, limit) as EntryRow[]).map(row => this.#entryOf(row))
  }

  sinceOf (collection: string, sequence: number): StoredEntry[] {
    const number = this.#names.number(collection)
    if (number === undefined) return []
    return (this.#sinceOf.all(number, sequence) as EntryRow[]).map(row => this.#entryOf(row))
  }

  byId (id: string): StoredEntry | null {
    const given = this.#decode(this.#entryById.get(id) as EntryRow | undefined)
    if (given !== null) return given
    const sequence = Number(id.slice(id.lastIndexOf('-') + 1))
    if (!Number.isSafeInteger(sequence)) return null
    const entry = this.#decode(this.#entry.get(sequence) as EntryRow | undefined)
    return entry?.id === id ? entry : null
  }

  journal (query: JournalQuery & { limit: number }): JournalRow[] {
    return this.#journal.read(query)
  }

  collections (): string[] {
    return this.#collections.all() as string[]
  }

  head (): number {
    this.#known.head ??= (this.#newest.get() ?? 0) as number
    return this.#known.head
  }

  horizon (): number {
    this.#known.horizon ??= this.#horizon.get() as number
    return this.#known.horizon
  }

  #historyFrom (): number {
    // A file of an older layout that can only be read does not say.
    this.#known.historyHorizon ??= (this.#historyHorizon.get() ?? this.head()) as number
    return this.#known.historyHorizon
  }

  /** To be called after every write: what every push and pull asks for is read once in between. */
  forget (): void {
    this.#known = {}
  }

  epochs (): readonly Epoch[] {
    return this.#epochs
  }

  secret (): Uint8Array {
    return Uint8Array.from(this.#secret.get() as Buffer)
  }

  /** By what the documents are filed, and which filing that is; '' for neither. */
  filed (about: 'filed_by' | 'filing'): string {
    return (this.#text.get(about) ?? '') as string
  }

  #rows (query: ReadQuery): { rows: Row[], scanned: number } {
    const { walk, after } = this.#walks.for(query)
    const rows: Row[] = []
    let bytes = 0
    let place = after
    for (let looked = 0; looked < LOOKED_AT && place !== Infinity; looked += STEP) {
      // One more than is wanted, to know whether anything is left.
      const step = walk(place, Math.min(STEP, query.limit - rows.length + 1))
      for (const { position, member, row } of step.found) {
        const full = rows.length > 0 && (rows.length >= query.limit || bytes > query.bytes)
        if (full) return { rows, scanned: rows.at(-1)!.position }
        const entry = decodeShown(row, this.#names.name(row[1]))
        const { document } = entry
        rows.push(query.filedAfter === undefined ? { position, entry, member } : { position, entry, member, filed: this.#walks.filed(row, query.filedAfter) })
        if (document !== null) bytes += Buffer.byteLength(document)
      }
      place = step.looked
    }
    return { rows, scanned: place }
  }

  #decode (row: EntryRow | undefined): StoredEntry | null {
    return row === undefined ? null : this.#entryOf(row)
  }

  #entryOf (row: EntryRow): StoredEntry {
    return decodeEntry(row, this.#names.name(row[1]), `${this.#epochOf(row[0])}-${row[0]}`)
  }

  #epochOf (sequence: number): string {
    const { first, end } = this.#epoch
    if (sequence < first || sequence >= end) {
      const { id } = epochAt(this.#epochs, sequence)
      const starts = this.#epochs.map(epoch => epoch.first)
      this.#epoch = {
        id,
        first: Math.max(0, ...starts.filter(start => start <= sequence)),
        end: Math.min(Infinity, ...starts.filter(start => start > sequence))
      }
    }
    return this.#epoch.id
  }
}

type PlainQuery = ReadQuery & { readonly after: number }

/** Whether the rows are heads as they lie, of which nothing else tells more. */
function isPlain (query: ReadQuery): query is PlainQuery {
  return typeof query.after === 'number' && query.channels === undefined && query.filedAfter === undefined
}

/** No head joins those that lie before the newest: they only leave. While as many are left in an epoch, they are the same. */
function stampText (epochs: readonly Epoch[], scanned: number, rows: number): string {
  return `${scanned}.${rows}.${epochs.at(-1)!.id}`
}

function scannedIn (stamp: string): number {
  return Number(stamp.slice(0, stamp.indexOf('.')))
}

function isBehind ({ after }: ReadQuery, head: number): boolean {
  return typeof after !== 'number' || after < head
}
