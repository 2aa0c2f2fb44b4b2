import type { Database, Statement } from './driver.ts'

/** Rows per statement: more gains nothing measurable (PERFORMANCE). */
const ROWS = 50

/** Inserts rows many at a time: about a third cheaper than one by one. */
export class MultiInsert {
  readonly #database: Database
  readonly #head: string
  readonly #row: string
  readonly #tail: string
  readonly #width: number
  readonly #statements = new Map<number, Statement>()

  /** @param sql.head `INSERT INTO t (a, b)`, @param sql.tail what follows the rows, e.g. `ON CONFLICT DO NOTHING` */
  constructor (database: Database, sql: { head: string, width: number, tail?: string }) {
    this.#database = database
    this.#head = sql.head
    this.#row = `(${Array(sql.width).fill('?').join(', ')})`
    this.#tail = sql.tail ?? ''
    this.#width = sql.width
  }

  /** @param values the columns of all rows, one row after the other */
  run (values: readonly unknown[]): void {
    const step = ROWS * this.#width
    for (let from = 0; from < values.length; from += step) {
      const part = values.length <= step ? values : values.slice(from, from + step)
      // Bound as arguments: the driver reads an array element by element, which costs 0.4 µs a row of the log more.
      this.#statement(part.length / this.#width).run(...part)
    }
  }

  #statement (rows: number): Statement {
    let statement = this.#statements.get(rows)
    if (statement === undefined) {
      const places = Array(rows).fill(this.#row).join(', ')
      statement = this.#database.prepare(`${this.#head} VALUES ${places} ${this.#tail}`)
      this.#statements.set(rows, statement)
    }
    return statement
  }
}
