/** Losers and refused changes, bounded by bytes: whoever sends rubbish pushes out older rubbish, not the disk. */
import type { JournalRow, NewJournalRow, Push } from '../changelog.ts'
import { numbers, texts } from './arrays.ts'
import type { Connection } from './connection.ts'
import type { Held } from './lineage.ts'
import { statement, type Statement, type Tuple } from './statement.ts'
import { fromText, toText } from './text.ts'

/** What a row takes beside its text, roughly. */
const ROW_BYTES = 200
export const WEIGHT = `octet_length(raw) + ${ROW_BYTES}`
/** Rows dropped by one statement. */
const DROPPED = 1000

export const JOURNAL_TYPES = ['int8', 'text', 'text', 'text', 'text', 'text', 'text', 'int8', 'text', 'text', 'text'] as const
export const JOURNAL = 'id, collection, document_id, status, code, raw, message_id, server_timestamp, user_id, client_id, address'

export class JournalWriter {
  readonly #limit: number
  readonly #insert: Statement
  readonly #weigh: Statement
  readonly #drop: Statement

  constructor (schema: string, limit: number) {
    this.#limit = limit
    this.#insert = statement(schema, `INSERT INTO pocket.journal (log, ${JOURNAL})
      SELECT $1, * FROM unnest($2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int8[], $10::text[], $11::text[], $12::text[])`)
    this.#weigh = statement(schema, `SELECT id, ${WEIGHT} FROM pocket.journal WHERE log = $1 ORDER BY id LIMIT ${DROPPED}`)
    this.#drop = statement(schema, 'DELETE FROM pocket.journal WHERE log = $1 AND id = ANY ($2::int8[])')
  }

  /** Within a transaction that holds the log. @returns what its row must say from now on */
  async write (connection: Connection, log: string, { held, pushes }: { held: Held, pushes: readonly Push[] }): Promise<{ head: number, bytes: number }> {
    let { journalHead: head, journalBytes: bytes } = held
    const rows = pushes.flatMap(({ journal, ...push }) => journal.map(row => ({ ...push, ...row, id: ++head })))
    if (rows.length === 0) return { head, bytes }
    await connection.run(this.#insert, [log, ...journalColumns(rows)])
    for (const { raw } of rows) bytes += Buffer.byteLength(toText(raw)) + ROW_BYTES
    while (bytes > this.#limit) {
      const gone = await this.#dropOldest(connection, log, bytes - this.#limit)
      if (gone === 0) break
      bytes -= gone
    }
    return { head, bytes }
  }

  /** @returns how many bytes went */
  async #dropOldest (connection: Connection, log: string, enough: number): Promise<number> {
    const ids: number[] = []
    let gone = 0
    for (const [id, weight] of await connection.run(this.#weigh, [log]) as Array<[number, number]>) {
      if (gone >= enough) break
      ids.push(id)
      gone += weight
    }
    if (ids.length > 0) await connection.run(this.#drop, [log, numbers(ids)])
    return gone
  }
}

/** Drops rows, and their bytes from the sum. Within a transaction that holds the log. */
export class JournalCleaner {
  readonly #of: Statement
  readonly #before: Statement

  constructor (schema: string) {
    const drop = (which: string): string => `WITH gone AS (DELETE FROM pocket.journal WHERE log = $1 AND ${which} RETURNING ${WEIGHT} AS weight),
      kept AS (UPDATE pocket.logs SET journal_bytes = journal_bytes - (SELECT coalesce(sum(weight), 0) FROM gone) WHERE log = $1)
      SELECT count(*) FROM gone`
    this.#of = statement(schema, drop('id = ANY ($2::int8[])'))
    this.#before = statement(schema, drop('ctid = ANY (ARRAY(SELECT ctid FROM pocket.journal WHERE log = $1 AND server_timestamp < $2 ORDER BY server_timestamp LIMIT $3))'))
  }

  /** @returns how many of these there were */
  async drop (connection: Connection, log: string, ids: readonly number[]): Promise<number> {
    return (await connection.run(this.#of, [log, numbers(ids)]))[0]![0] as number
  }

  /** @returns how many went */
  async dropBefore (connection: Connection, log: string, { time, limit }: { time: number, limit: number }): Promise<number> {
    return (await connection.run(this.#before, [log, time, limit]))[0]![0] as number
  }
}

type JournalColumns = Pick<Push, 'messageId' | 'serverTimestamp' | 'userId' | 'clientId' | 'address'> & NewJournalRow & { readonly id: number }

export function journalColumns (rows: readonly JournalColumns[]): Buffer[] {
  return [
    numbers(rows.map(row => row.id)),
    texts(rows.map(row => toText(row.collection))),
    texts(rows.map(row => toText(row.documentId))),
    texts(rows.map(row => row.status)),
    texts(rows.map(row => toText(row.code))),
    texts(rows.map(row => toText(row.raw))),
    texts(rows.map(row => toText(row.messageId))),
    numbers(rows.map(row => row.serverTimestamp)),
    texts(rows.map(row => toText(row.userId))),
    texts(rows.map(row => toText(row.clientId))),
    texts(rows.map(row => toText(row.address)))
  ]
}

export function decodeJournal ([id, collection, documentId, status, code, raw, messageId, serverTimestamp, userId, clientId, address]: Tuple): JournalRow {
  return {
    id,
    collection: fromText(collection as string),
    documentId: fromText(documentId as string),
    status,
    code: fromText(code as string),
    raw: fromText(raw as string),
    messageId: fromText(messageId as string),
    serverTimestamp,
    userId: fromText(userId as string | null),
    clientId: fromText(clientId as string | null),
    address: fromText(address as string | null)
  }
}
