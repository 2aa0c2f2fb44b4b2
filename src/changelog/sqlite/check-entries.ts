/** Entries and heads: checksums, the chain of `previous`, and that each document's head is its newest entry. */
import type { Finding, Progress } from '../view.ts'
import type { Database, Statement } from './driver.ts'
import { decodeEntry, ENTRY, type EntryRow } from './rows.ts'

/** Rows per statement. */
const SLICE = 1000
/** Entries' columns in the statement before those of the rows beside them. */
const ENTRY_COLUMNS = ENTRY.split(',').length

const DELETE = 2

type Beside = [name: string | null, head: number | null, previousCollection: number | null, previousId: string | null]
type HeadRow = [sequence: number, collection: number, documentId: string, deleted: number, name: string | null, entryCollection: number | null, entryId: string | null, operation: number | null]

interface Place {
  readonly sequence: number
  readonly collection: string | null
  readonly documentId: string
}

export class EntryCheck {
  readonly #newest: number
  /** One bit per sequence: an entry names it as the one before. */
  readonly #named: Uint8Array
  readonly #entries: Statement
  readonly #heads: Statement
  readonly #headOf: Statement
  readonly #link: Statement

  /** @param newest entries after it were written since the check began, and are left to the next one */
  constructor (database: Database, newest: number) {
    this.#newest = newest
    this.#named = new Uint8Array(Math.floor(newest / 8) + 1)
    this.#entries = database.prepare(`SELECT ${ENTRY}, c.name, h.sequence, p.collection, p.document_id FROM log l
      LEFT JOIN collections c ON c.id = l.collection
      LEFT JOIN heads h ON h.collection = l.collection AND h.document_id = l.document_id
      LEFT JOIN log p ON p.sequence = l.previous
      WHERE l.sequence < ? ORDER BY l.sequence DESC LIMIT ${SLICE}`).raw()
    this.#heads = database.prepare(`SELECT h.sequence, h.collection, h.document_id, h.deleted, c.name, l.collection, l.document_id, l.operation FROM heads h
      LEFT JOIN collections c ON c.id = h.collection LEFT JOIN log l ON l.sequence = h.sequence
      WHERE (h.collection, h.document_id) > (?, ?) ORDER BY h.collection, h.document_id LIMIT ${SLICE}`).raw()
    this.#headOf = database.prepare('SELECT sequence FROM heads WHERE collection = ? AND document_id = ?').pluck()
    this.#link = database.prepare('SELECT previous FROM log WHERE sequence = ?').pluck()
  }

  * run (): Generator<Progress | Finding, void> {
    yield * this.#checkEntries()
    yield * this.#checkHeads()
  }

  /** Downwards, so that whoever names an entry as the one before has been seen before that entry. */
  * #checkEntries (): Generator<Progress | Finding, void> {
    for (let below = this.#newest + 1; ;) {
      yield { done: this.#newest + 1 - below, total: 2 * this.#newest }
      const rows = this.#entries.all(below) as unknown[][]
      for (const row of rows) yield * this.#checkEntry(row.slice(0, ENTRY_COLUMNS) as EntryRow, row.slice(ENTRY_COLUMNS) as Beside)
      if (rows.length < SLICE) return
      below = rows.at(-1)![0] as number
    }
  }

  * #checkEntry (row: EntryRow, [name, head, previousCollection, previousId]: Beside): Generator<Finding> {
    const [sequence, collection, documentId] = row
    const previous = row[7]
    const place = { sequence, collection: name, documentId }
    if (name === null) yield finding('entry', place, `it lies in collection number ${collection}, which has no name`, 'restore a backup')
    else if (!isIntact(row, name)) yield this.#damaged(place, head)
    if (previous >= sequence) yield finding('chain', place, `it names entry ${previous}, which is not older, as the one before`, 'restore a backup')
    else if (previousId !== null && (previousId !== documentId || previousCollection !== collection)) yield finding('chain', place, `it names entry ${previous} as the one before, which is of another document`, 'restore a backup')
    else if (previous > 0 && this.#isNamed(previous)) yield finding('chain', place, `entry ${previous} is named as the one before by a newer entry too`, 'restore a backup')
    const isNewest = !this.#isNamed(sequence)
    this.#name(previous)
    if (isNewest === (head === sequence)) return
    if (isNewest) yield * this.#unreached(place, collection)
    else yield finding('head', place, 'the head of its document is this entry, and there is a newer one', 'restore a backup, or push the document again')
  }

  #damaged (place: Place, head: number | null): Finding {
    const advice = place.sequence === head
      ? 'restore a backup, or push the document again: that makes a new entry'
      : 'only this older version of the document is lost: compact drops it'
    return finding('entry', place, 'its content is not what was written: the checksum differs', advice)
  }

  /** No entry up to where the check began leads to it, and it is no head: unless its document has moved since. */
  * #unreached (place: Place, collection: number): Generator<Finding> {
    const head = this.#headOf.get(collection, place.documentId) as number | undefined
    let link = head ?? 0
    while (link > place.sequence) link = (this.#link.get(link) ?? 0) as number
    if (link === place.sequence) return
    if (this.#link.get(place.sequence) === undefined) return
    const advice = 'restore a backup, or push the document again'
    if (head === undefined) yield finding('head', place, 'its document has no head: nobody is sent it', advice)
    else if (head < place.sequence) yield finding('head', place, `the head of its document is the older entry ${head}`, advice)
    else yield finding('chain', place, `the newer entries of its document, ${head} the newest, do not lead to it`, 'only its history is broken: compact drops it')
  }

  * #checkHeads (): Generator<Progress | Finding, void> {
    for (let after: [number, string] = [0, ''], seen = 0; ;) {
      yield { done: Math.min(2 * this.#newest, this.#newest + seen), total: 2 * this.#newest }
      const rows = this.#heads.all(...after) as HeadRow[]
      for (const row of rows) yield * this.#checkHead(row)
      if (rows.length < SLICE) return
      after = [rows.at(-1)![1], rows.at(-1)![2]]
      seen += rows.length
    }
  }

  * #checkHead ([sequence, collection, documentId, deleted, name, entryCollection, entryId, operation]: HeadRow): Generator<Finding> {
    const place = { sequence, collection: name, documentId }
    const advice = 'restore a backup, or push the document again'
    if (entryId === null) yield finding('head', place, `the head is entry ${sequence}, which is gone`, advice)
    else if (entryId !== documentId || entryCollection !== collection) yield finding('head', place, `the head is entry ${sequence}, which is of another document`, advice)
    else if ((operation === DELETE) !== (deleted === 1)) yield finding('head', place, deleted === 1 ? 'the head says deleted, its entry does not' : 'the entry is a delete, the head does not say so', advice)
  }

  #name (sequence: number): void {
    if (sequence > 0 && sequence <= this.#newest) this.#named[sequence >> 3]! |= 1 << (sequence & 7)
  }

  #isNamed (sequence: number): boolean {
    return sequence <= this.#newest && (this.#named[sequence >> 3]! & 1 << (sequence & 7)) !== 0
  }
}

function isIntact (row: EntryRow, collection: string): boolean {
  try {
    decodeEntry(row, collection, '')
    return true
  } catch {
    return false
  }
}

function finding (about: Finding['about'], { sequence, collection, documentId }: Place, problem: string, advice: string): Finding {
  return { about, sequence, collection, documentId, problem, advice }
}
