/**
 * Erasing what the log holds of a document below its deletion, at once and in the file. Each piece leaves the log
 * whole, so what was cut short is done by doing it again.
 */
import type { Compaction, Work } from './compaction.ts'
import type { Database, Statement } from './driver.ts'

/** A document by the number of its collection, undefined where the log never had that, and by its name. */
export interface Place {
  readonly number: number | undefined
  readonly collection: string
  readonly documentId: string
}

/** What went, counted while it goes. */
export interface Tally {
  versions: number
  journal: number
}

type LinkRow = [sequence: number, previous: number, userId: string | null, operation: number]
type NoteRow = [id: number, messageId: string]
type IdentityRow = [identity: Buffer]

const ROWS = 250
const DELETE = 2

export class Erasure {
  readonly #database: Database
  readonly #compaction: Compaction
  readonly #head: Statement
  readonly #link: Statement
  readonly #identities: Statement
  readonly #deleteIdentity: Statement
  readonly #journal: Statement
  readonly #journalOf: Statement
  readonly #deletePushes: Statement
  readonly #written: Statement
  readonly #horizon: Statement

  constructor (database: Database, compaction: Compaction) {
    this.#database = database
    this.#compaction = compaction
    this.#head = database.prepare('SELECT sequence, deleted FROM heads WHERE collection = ? AND document_id = ?').raw()
    this.#link = database.prepare('SELECT sequence, previous, user_id, operation FROM log WHERE sequence = ?').raw()
    this.#identities = database.prepare('SELECT identity FROM identities WHERE collection = ? AND document_id = ? AND sequence < ? LIMIT 0 + ?').raw()
    this.#deleteIdentity = database.prepare('DELETE FROM identities WHERE collection = ? AND document_id = ? AND identity = ?')
    this.#journal = database.prepare('SELECT id, message_id FROM journal WHERE collection = ? AND document_id = ? ORDER BY id LIMIT 1').raw()
    this.#journalOf = database.prepare('SELECT id, message_id FROM journal WHERE id > ? AND user_id = ? ORDER BY id LIMIT 1').raw()
    // What they answer tells why a change was refused, in words that may quote it.
    this.#deletePushes = database.prepare('DELETE FROM pushes WHERE message_id = ?')
    this.#written = database.prepare('SELECT sequence, collection, document_id, user_id FROM log WHERE sequence > ? ORDER BY sequence LIMIT 0 + ?').raw()
    this.#horizon = database.prepare("UPDATE meta SET value = max(value, ?) WHERE key = 'history_horizon'")
  }

  /** What is deleted meanwhile is overwritten with zeros, by others too, until `end`. */
  * documents (places: readonly Place[], tally: Tally): Work {
    this.#database.pragma('secure_delete = ON')
    for (const place of places) yield * this.#document(place, tally)
  }

  end (): void {
    this.#database.pragma('secure_delete = OFF')
  }

  /** @returns whether nothing is left in it: not while others read it */
  emptyWal (): boolean {
    const [checkpoint] = this.#database.pragma('wal_checkpoint(TRUNCATE)') as Array<{ busy: number }>
    return checkpoint?.busy === 0
  }

  /** Below the deletion that is its head; all there is of a document that has none. A document that lives stays. */
  * #document (place: Place, tally: Tally): Work {
    const { number, documentId } = place
    if (number !== undefined) {
      const [sequence, deleted] = this.#head.get(number, documentId) as [number, number] | undefined ?? [Infinity, 1]
      if (deleted === 1) yield * this.#below(sequence, place, tally)
    }
    for (let row: NoteRow | undefined; (row = this.#journal.get(place.collection, documentId) as NoteRow | undefined) !== undefined; yield) this.#dropNote(row, tally)
  }

  /** Who wrote them, of those versions of a document that this user wrote. */
  * writer ({ number, documentId }: Place, userId: string, tally: Tally): Work {
    for (const [sequence, , writer] of this.#chain(number, documentId)) {
      if (writer === userId) {
        this.#compaction.blocks.unname(sequence)
        tally.versions++
      }
      yield
    }
  }

  * journalOf (userId: string, tally: Tally): Work {
    for (let after = 0, row: NoteRow | undefined; (row = this.#journalOf.get(after, userId) as NoteRow | undefined) !== undefined; yield) {
      this.#dropNote(row, tally)
      after = row[0]
    }
  }

  /** Whether all that it kept was said by this user; who deleted it does not matter. */
  isAlone (place: Place, userId: string): boolean {
    for (const [, , writer, operation] of this.#chain(place.number, place.documentId)) if (writer !== userId && operation !== DELETE) return false
    return true
  }

  /** Documents of which this user wrote a version, among the next entries. */
  writtenBy (userId: string, after: number): { documents: Array<[collection: number, documentId: string]>, next: number | null } {
    const rows = this.#written.all(after, ROWS) as Array<[number, number, string, string | null]>
    const documents = new Map<string, [number, string]>()
    for (const [, collection, documentId, writer] of rows) if (writer === userId) documents.set(`${collection} ${documentId}`, [collection, documentId])
    return { documents: [...documents.values()], next: rows.length < ROWS ? null : rows.at(-1)![0] }
  }

  * #below (sequence: number, place: Place, tally: Tally): Work {
    const { number, documentId } = place
    const versions = [...this.#chain(number, documentId)].map(([version]) => version).filter(version => version !== sequence)
    if (versions.length > 0) this.#horizon.run(BigInt(sequence))
    for (const version of versions.reverse()) {
      this.#compaction.blocks.drop(version)
      tally.versions++
      yield
    }
    for (let rows: IdentityRow[]; (rows = this.#identities.all(number, documentId, Math.min(sequence, Number.MAX_SAFE_INTEGER), ROWS) as IdentityRow[]).length > 0; yield) {
      for (const [identity] of rows) this.#deleteIdentity.run(number, documentId, identity)
    }
  }

  #dropNote ([id, messageId]: NoteRow, tally: Tally): void {
    tally.journal += this.#compaction.discardJournal([id])
    this.#deletePushes.run(messageId)
  }

  /** Newest first. */
  * #chain (number: number | undefined, documentId: string): Generator<LinkRow> {
    const head = this.#head.get(number ?? 0, documentId) as [number, number] | undefined
    for (let next = head?.[0] ?? 0; next !== 0;) {
      const row = this.#link.get(next) as LinkRow | undefined
      if (row === undefined) return
      yield row
      next = row[1]
    }
  }
}
