/** Losers and refused changes, bounded by bytes: whoever sends rubbish pushes out older rubbish, not the disk. */
import type { JournalQuery, JournalRow, Push } from '../changelog.ts'
import type { Database, Statement } from './driver.ts'

/** What a row takes beside its text, roughly. */
export const ROW_BYTES = 200
const WEIGHT = `octet_length(raw) + ${ROW_BYTES}`

export class JournalWriter {
  readonly #limit: number
  readonly #insert: Statement
  readonly #oldest: Statement
  readonly #delete: Statement
  readonly #stale: Statement
  readonly #weight: Statement
  readonly #load: Statement
  readonly #save: Statement

  constructor (database: Database, limit: number) {
    this.#limit = limit
    this.#insert = database.prepare('INSERT INTO journal (collection, document_id, status, code, raw, message_id, server_timestamp, user_id, client_id, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    this.#oldest = database.prepare(`SELECT id, ${WEIGHT} FROM journal ORDER BY id LIMIT 100`).raw()
    this.#delete = database.prepare('DELETE FROM journal WHERE id = ?')
    this.#stale = database.prepare(`SELECT id, ${WEIGHT} FROM journal WHERE server_timestamp < ? ORDER BY server_timestamp LIMIT 0 + ?`).raw()
    this.#weight = database.prepare(`SELECT id, ${WEIGHT} FROM journal WHERE id = ?`).raw()
    this.#load = database.prepare("SELECT value FROM meta WHERE key = 'journal_bytes'").pluck()
    this.#save = database.prepare("UPDATE meta SET value = ? WHERE key = 'journal_bytes'")
  }

  /** Only within a transaction. */
  write ({ journal, messageId, serverTimestamp, userId, clientId, address }: Push): void {
    let bytes = this.#load.get() as number
    for (const { collection, documentId, status, code, raw } of journal) {
      this.#insert.run(collection, documentId, status, code, raw, messageId, serverTimestamp, userId, clientId, address)
      bytes += Buffer.byteLength(raw) + ROW_BYTES
    }
    while (bytes > this.#limit) {
      const rows = this.#oldest.all() as Array<[number, number]>
      if (rows.length === 0) break
      bytes -= this.#drop(rows, bytes - this.#limit)
    }
    this.#save.run(BigInt(bytes))
  }

  /** Drops at most `limit` rows from before a time; says how many. Only within a transaction. */
  dropBefore (time: number, limit: number): number {
    return this.#dropAll(this.#stale.all(time, limit) as Array<[number, number]>)
  }

  /** Says how many of these rows there were. Only within a transaction. */
  discard (ids: readonly number[]): number {
    return this.#dropAll([...new Set(ids)].flatMap(id => this.#weight.all(id) as Array<[number, number]>))
  }

  #dropAll (rows: ReadonlyArray<[id: number, bytes: number]>): number {
    if (rows.length > 0) this.#save.run(BigInt(this.#load.get() as number - this.#drop(rows, Infinity)))
    return rows.length
  }

  /** Drops rows in order until `enough` bytes are gone; says how many bytes went. */
  #drop (rows: ReadonlyArray<[id: number, bytes: number]>, enough: number): number {
    let gone = 0
    for (const [id, bytes] of rows) {
      if (gone >= enough) break
      this.#delete.run(id)
      gone += bytes
    }
    return gone
  }
}

const JOURNAL = 'id, collection, document_id, status, code, raw, message_id, server_timestamp, user_id, client_id, address'

type JournalTuple = [number, string, string, JournalRow['status'], string, string, string, number, string | null, string | null, string | null]

export class JournalReader {
  readonly #all: Statement
  readonly #ofCollection: Statement
  readonly #ofDocument: Statement
  readonly #ofId: Statement

  constructor (database: Database) {
    const select = (where: string): Statement => database.prepare(`SELECT ${JOURNAL} FROM journal WHERE ${where} id < ? ORDER BY id DESC LIMIT 0 + ?`).raw()
    this.#all = select('')
    this.#ofCollection = select('collection = ? AND')
    this.#ofDocument = select('collection = ? AND document_id = ? AND')
    this.#ofId = select('document_id = ? AND')
  }

  read (query: JournalQuery & { limit: number }): JournalRow[] {
    return this.#rows(query).map(([id, collection, documentId, status, code, raw, messageId, serverTimestamp, userId, clientId, address]) =>
      ({ id, collection, documentId, status, code, raw, messageId, serverTimestamp, userId, clientId, address }))
  }

  #rows ({ before = Infinity, limit, collection, documentId }: JournalQuery & { limit: number }): JournalTuple[] {
    const rows = collection !== undefined && documentId !== undefined
      ? this.#ofDocument.all(collection, documentId, before, limit)
      : collection !== undefined
        ? this.#ofCollection.all(collection, before, limit)
        : documentId !== undefined ? this.#ofId.all(documentId, before, limit) : this.#all.all(before, limit)
    return rows as JournalTuple[]
  }
}
