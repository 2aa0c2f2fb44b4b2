/** Collections by the integer under which the file keeps their names. */
import type { Database, Statement } from './driver.ts'

/** Names come from clients: beyond this many the cache starts anew, so that memory stays bounded. */
const CACHED_NAMES = 10_000

export class Names {
  readonly #select: Statement
  readonly #selectName: Statement
  readonly #insert: Statement
  readonly #numbers = new Map<string, number>()
  readonly #names = new Map<number, string>()

  constructor (database: Database) {
    this.#select = database.prepare('SELECT id FROM collections WHERE name = ?').pluck()
    this.#selectName = database.prepare('SELECT name FROM collections WHERE id = ?').pluck()
    this.#insert = database.prepare('INSERT INTO collections (name) VALUES (?)')
  }

  /** The number of a collection; undefined of one that never held anything. */
  number (name: string): number | undefined {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const number = this.#select.get(name) as number | undefined
    if (number !== undefined) this.#keep(name, number)
    return number
  }

  /** The number of a collection, given out when it has none. Only within a transaction of the writer. */
  ensure (name: string): number {
    const known = this.number(name)
    if (known !== undefined) return known
    const number = Number(this.#insert.run(name).lastInsertRowid)
    this.#keep(name, number)
    return number
  }

  name (number: number): string {
    const known = this.#names.get(number)
    if (known !== undefined) return known
    const name = (this.#selectName.get(number) ?? '') as string
    this.#keep(name, number)
    return name
  }

  /** After a rollback, which may have taken numbers back. */
  forget (): void {
    this.#numbers.clear()
    this.#names.clear()
  }

  #keep (name: string, number: number): void {
    if (this.#numbers.size >= CACHED_NAMES) this.forget()
    this.#numbers.set(name, number)
    this.#names.set(number, name)
  }
}
