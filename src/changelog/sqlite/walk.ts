/**
 * Walks along positions: the next few rows after a place. Each step is a short statement read to its end,
 * since an open iterator keeps the WAL from shrinking (RELIABILITY, SQLite).
 */
import type { ChannelRow, ReadQuery } from '../changelog.ts'
import type { Database, Statement } from './driver.ts'
import type { Names } from './names.ts'
import { SHOWN, type ShownRow } from './rows.ts'

/** Places of one statement; more are merged from several. */
const TERMS = 100
/** Channel rows looked at in one step at least: some may be of no use. */
const PLACES = 16

/** A channel row, and of a member the document's newest entry, which lies where the row does. */
type PlaceRow = [position: number, collection: number, documentId: string, member: number, ...shown: ShownRow]
const SHOWN_AT = 4

export interface Found {
  readonly position: number
  readonly member: boolean
  readonly row: ShownRow
}

/** What a step found, and up to where it looked. */
export interface Step {
  readonly found: readonly Found[]
  /** Infinity when nothing lies beyond. */
  readonly looked: number
}

/** Rows after a position; `limit` is how many are of use, in a walk that passes over none. */
export type Walk = (after: number, limit: number) => Step

/** Several ordered sources as one: `term` selects the rows of one source, its first column their position. */
class Merge {
  readonly #database: Database
  readonly #term: string
  readonly #wrap: (merged: string) => string
  readonly #statements = new Map<number, Statement>()

  constructor (database: Database, term: string, wrap: (merged: string) => string = merged => merged) {
    this.#database = database
    this.#term = term
    this.#wrap = wrap
  }

  rows<R extends [number, ...unknown[]]> (sources: ReadonlyArray<readonly unknown[]>, limit: number): R[] {
    const rows: R[] = []
    for (let from = 0; from < sources.length; from += TERMS) {
      const part = sources.slice(from, from + TERMS)
      rows.push(...this.#statement(part.length).all([...part.flat(), limit]) as R[])
    }
    return rows.sort((a, b) => a[0] - b[0]).slice(0, limit)
  }

  #statement (terms: number): Statement {
    let statement = this.#statements.get(terms)
    if (statement === undefined) {
      const merged = Array(terms).fill(this.#term).join(' UNION ALL ')
      statement = this.#database.prepare(this.#wrap(`${merged} ORDER BY 1 LIMIT 0 + ?`)).raw()
      this.#statements.set(terms, statement)
    }
    return statement
  }
}

/** Starts per collection number; null when every collection is read from `least` on. */
interface Starts {
  readonly of: ReadonlyMap<number, number> | null
  readonly least: number
}

export class Walks {
  readonly #names: Names
  readonly #all: Statement
  readonly #heads: Merge
  readonly #places: Merge
  readonly #rowsOf: Statement
  readonly #filed: Statement
  readonly #head: Statement
  readonly #count: Statement
  readonly #countOf: Statement
  readonly #next: Statement
  readonly #nextOf: Statement

  constructor (database: Database, names: Names) {
    this.#names = names
    const heads = `SELECT ${SHOWN} FROM heads h INDEXED BY heads_sequence CROSS JOIN log l ON l.sequence = h.sequence`
    this.#all = database.prepare(`${heads} WHERE h.sequence > ? ORDER BY h.sequence LIMIT 0 + ?`).raw()
    this.#heads = new Merge(database, 'SELECT sequence FROM heads INDEXED BY heads_collection WHERE collection = ? AND sequence > ?',
      merged => `SELECT ${SHOWN} FROM (${merged}) h CROSS JOIN log l ON l.sequence = h.sequence`)
    this.#places = new Merge(database, 'SELECT position, collection, document_id, member FROM channels INDEXED BY channels_position WHERE channel = ? AND position > ?',
      merged => `SELECT p.*, ${SHOWN} FROM (${merged}) p LEFT JOIN log l ON l.sequence = p.position AND p.member = 1 ORDER BY 1`)
    this.#rowsOf = database.prepare('SELECT channel, position, member FROM channels WHERE collection = ? AND document_id = ?').raw()
    this.#filed = database.prepare('SELECT channel, position, member FROM channels WHERE collection = ? AND document_id = ? AND position > ?').raw()
    this.#head = database.prepare(`SELECT ${SHOWN} FROM heads h CROSS JOIN log l ON l.sequence = h.sequence WHERE h.collection = ? AND h.document_id = ?`).raw()
    this.#count = database.prepare('SELECT count(*) FROM heads INDEXED BY heads_sequence WHERE sequence > ? AND sequence <= ?').pluck()
    this.#next = database.prepare('SELECT 1 FROM heads INDEXED BY heads_sequence WHERE sequence > ? LIMIT 1').pluck()
    this.#nextOf = database.prepare('SELECT 1 FROM heads INDEXED BY heads_collection WHERE collection = ? AND sequence > ? LIMIT 1').pluck()
    this.#countOf = database.prepare('SELECT count(*) FROM heads INDEXED BY heads_collection WHERE collection = ? AND sequence > ? AND sequence <= ?').pluck()
  }

  /** How many heads lie after `after` up to `last`, and whether any lies beyond: by the index alone, at a thirtieth of what reading them takes. */
  count ({ after, collections }: ReadQuery & { readonly after: number }, last: number): { count: number, more: boolean } {
    if (collections === null) return { count: this.#count.get(after, last) as number, more: this.#next.get(last) !== undefined }
    const numbers = [...new Set(collections)].map(name => this.#names.number(name)).filter(number => number !== undefined)
    return {
      count: numbers.reduce((sum, number) => sum + (this.#countOf.get(number, after, last) as number), 0),
      more: numbers.some(number => this.#nextOf.get(number, last) !== undefined)
    }
  }

  for (query: ReadQuery): { walk: Walk, after: number } {
    const starts = this.#starts(query)
    const channels = query.channels && new Set(query.channels)
    const walk: Walk = channels !== undefined
      ? (after, limit) => this.#channelStep([...channels], starts, { after, limit: Math.max(limit, PLACES) })
      : (after, limit) => this.#headStep(starts, after, limit)
    return { walk, after: starts.least }
  }

  /** Where a document was filed after a position. */
  filed (row: ShownRow, after: number): ChannelRow[] {
    const rows = this.#filed.all(row[1], row[2], after) as Array<[channel: string, position: number, member: number]>
    return rows.map(([channel, position, member]) => ({ channel, position, member: member === 1 }))
  }

  #starts ({ after, collections }: ReadQuery): Starts {
    if (typeof after === 'number' && collections === null) return { of: null, least: after }
    const named = typeof after === 'number' ? collections!.map(name => [name, after] as const) : [...after]
    const of = new Map<number, number>()
    for (const [name, start] of named) {
      const number = this.#names.number(name)
      if (number !== undefined) of.set(number, start)
    }
    return { of, least: Math.min(...of.values()) }
  }

  #headStep ({ of }: Starts, after: number, limit: number): Step {
    const rows = of === null
      ? this.#all.all(after, limit) as ShownRow[]
      : this.#heads.rows<ShownRow>([...of].map(([collection, start]) => [collection, Math.max(start, after)]), limit)
    const found = rows.map(row => ({ position: row[0], member: true, row }))
    return { found, looked: rows.length < limit ? Infinity : rows.at(-1)![0] }
  }

  #channelStep (channels: readonly string[], { of, least }: Starts, { after, limit }: { after: number, limit: number }): Step {
    const places = this.#places.rows<PlaceRow>(channels.map(channel => [channel, after]), limit)
    const found: Found[] = []
    for (const place of places) {
      const [position, collection] = place
      const start = of === null ? least : of.get(collection)
      if (start === undefined || position <= start || found.at(-1)?.position === position) continue
      const one = this.#foundAt(place, channels)
      if (one !== null) found.push(one)
    }
    return { found, looked: places.length < limit ? Infinity : places.at(-1)![0] }
  }

  /** A document is a member where its newest entry lies, so nothing of it is newer; a leave may have been overtaken. */
  #foundAt (place: PlaceRow, channels: readonly string[]): Found | null {
    const [position, collection, documentId, member] = place
    if (member === 1) return { position, member: true, row: place.slice(SHOWN_AT) as ShownRow }
    const seen = this.#seen(new Set(channels), collection, documentId)
    return seen.position === position ? { position, member: seen.member, row: this.#head.get(collection, documentId) as ShownRow } : null
  }

  /** Where a document stands for a reader of these channels: visible at its newest row, or removed there. */
  #seen (channels: ReadonlySet<string>, collection: number, documentId: string): { position: number, member: boolean } {
    let newest = 0
    let visible = false
    for (const [channel, position, member] of this.#rowsOf.all(collection, documentId) as Array<[string, number, number]>) {
      if (!channels.has(channel)) continue
      newest = Math.max(newest, position)
      visible ||= member === 1
    }
    return { position: newest, member: visible }
  }
}
