import type { Database, Statement } from './driver.ts'

/**
 * One read transaction for all questions of a turn of the event loop: each of its own would take and give back
 * the file's locks, 2 µs that double the cost of looking at a head. It ends with the turn, so the WAL can shrink.
 */
export class Turn {
  readonly #database: Database
  readonly #begin: Statement
  readonly #end: Statement
  #begun = false

  constructor (database: Database) {
    this.#database = database
    this.#begin = database.prepare('BEGIN')
    this.#end = database.prepare('COMMIT')
  }

  begin (): void {
    if (this.#begun) return
    this.#begin.run()
    this.#begun = true
    setImmediate(() => this.end())
  }

  /** Before every write: what is asked afterwards sees it. */
  end (): void {
    if (!this.#begun) return
    this.#begun = false
    // A failure may have ended it, or the connection.
    if (this.#database.open && this.#database.inTransaction) this.#end.run()
  }
}
