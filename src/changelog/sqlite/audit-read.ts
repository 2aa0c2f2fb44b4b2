/** Who changed what: entries without their documents, newest first. */
import type { EntryFacts } from '../changelog.ts'
import type { AuditQuery } from '../view.ts'
import type { Database, Statement } from './driver.ts'
import type { Names } from './names.ts'
import { decodeFacts, FACTS, type FactsRow } from './rows.ts'

/** Entries per statement, so that each is short however few of them are asked for. */
const SLICE = 5000

const COLUMNS = [
  ['userId', 'l.user_id = ?'],
  ['documentId', 'l.document_id = ?'],
  ['clientId', 'l.client_id = ?'],
  ['address', 'l.address = ?'],
  ['since', 'l.server_timestamp >= ?'],
  ['until', 'l.server_timestamp < ?']
] as const

const OPERATIONS = ['insert', 'update', 'delete']

export class AuditReader {
  readonly #database: Database
  readonly #names: Names
  readonly #newest: Statement
  readonly #below: Statement

  constructor (database: Database, names: Names) {
    this.#database = database
    this.#names = names
    this.#newest = database.prepare('SELECT max(sequence) FROM log').pluck()
    this.#below = database.prepare(`SELECT sequence FROM log WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1 OFFSET ${SLICE}`).pluck()
  }

  /** In pages, between which the caller may look away; many are empty. */
  * read (query: AuditQuery): Generator<EntryFacts[]> {
    const { sql, values } = this.#filter(query)
    if (values === null) return
    const page = this.#database.prepare(`SELECT ${FACTS} FROM log l WHERE l.sequence > ? AND l.sequence <= ?${sql} ORDER BY l.sequence DESC`).raw()
    for (let upTo = Number(this.#newest.get() ?? 0), after: number; upTo > 0; upTo = after) {
      after = Number(this.#below.get(upTo) ?? 0)
      const rows = page.all(after, upTo, ...values) as FactsRow[]
      yield rows.map(row => decodeFacts(row, this.#names.name(row[1])))
    }
  }

  /** `values` null: nothing can fit. */
  #filter (query: AuditQuery): { sql: string, values: unknown[] | null } {
    const given = COLUMNS.filter(([name]) => query[name] !== undefined)
    const terms: string[] = given.map(([, term]) => term)
    const values: unknown[] = given.map(([name]) => query[name])
    if (query.operation !== undefined) {
      terms.push('l.operation = ?')
      values.push(OPERATIONS.indexOf(query.operation))
    }
    if (query.collection !== undefined) {
      const number = this.#names.number(query.collection)
      if (number === undefined) return { sql: '', values: null }
      terms.push('l.collection = ?')
      values.push(number)
    }
    return { sql: terms.map(term => ` AND ${term}`).join(''), values }
  }
}
