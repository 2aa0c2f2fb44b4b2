/** A document's kept versions, and beside them what the journal has of it. Bodies are passed on as stored text. */
import type { ChangeStore, DocumentKey, JournalRow, StoredEntry } from '../changelog/changelog.ts'
import type { Limits } from '../config.ts'
import type { Caller } from './caller.ts'
import type { Clock } from './clock.ts'
import type { Sight } from './sight.ts'
import { Turns } from './turns.ts'

export interface HistoryQuery {
  /** Only versions below this sequence. */
  readonly before?: number
  /** Only journal rows below this id. */
  readonly journalBefore?: number
  /** Of each at most; default `limits.pullDefault`, lowered to `limits.pullMax`. */
  readonly limit?: number
}

export interface HistoryDeps {
  readonly store: ChangeStore
  readonly limits: Pick<Limits, 'pullDefault' | 'pullMax' | 'pageBytes'>
  readonly sight: Sight
  readonly clock: Pick<Clock, 'now'>
}

/** Read at once: documents may be long, and a page ends with its bytes. */
const BATCH = 8

export class Histories {
  readonly #deps: HistoryDeps

  constructor (deps: HistoryDeps) {
    this.#deps = deps
  }

  /**
   * The `History` message, as JSON text. To whom does not see a document as it stands it is unknown, and of an unknown
   * one the lists are empty; of the versions of one that they see, those are shown which they may see.
   */
  async text (key: DocumentKey, query: HistoryQuery, caller: Caller): Promise<string> {
    const { store, limits, sight, clock } = this.#deps
    if (sight.limited && !await this.#isKnown(key, caller)) return historyText(key, nothing, nothing)
    const bounds = { rows: Math.min(query.limit ?? limits.pullDefault, limits.pullMax), bytes: limits.pageBytes, turns: new Turns(clock) }
    const start = await this.#start(key, query.before ?? Infinity)
    const versions = await gather(start, bounds, { place: sequenceOf, text: versionText, shows: entry => sight.seesHead(caller, entry), read: before => store.history(key, { before, limit: BATCH }) })
    const rows = await gather(query.journalBefore ?? Infinity, bounds, { place: idOf, text: rowText, shows: row => this.#showsRow(row, caller), read: before => store.journal({ ...key, before, limit: BATCH }) })
    return historyText(key, versions, rows)
  }

  async #isKnown (key: DocumentKey, caller: Caller): Promise<boolean> {
    const { store, sight } = this.#deps
    const [head] = await store.history(key, { limit: 1 })
    return head !== undefined && await sight.seesHead(caller, head)
  }

  /** What lost to others, or was refused, is shown to whom it came from; of others' documents that lost too, what they may see. */
  async #showsRow ({ collection, documentId, userId, status, raw }: JournalRow, caller: Caller): Promise<boolean> {
    const { sight } = this.#deps
    if (!sight.limited || caller.operator === true) return true
    if (userId === null || userId !== caller.user?.id) return false
    if (status === 'rejected') return true
    const { document } = JSON.parse(raw) as { document: object | null }
    return document === null || await sight.sees(caller, { collection, documentId }, JSON.stringify(document))
  }

  /**
   * Stores find a document's older versions along a chain, so a place in it is looked up, never searched for: whoever
   * asked again and again from the far end of a long one would hold up everybody. Below a version that is gone all are.
   */
  async #start (key: DocumentKey, before: number): Promise<number> {
    if (before === Infinity) return before
    const [entry] = await this.#deps.store.entries([before])
    if (entry?.collection === key.collection && entry.documentId === key.documentId) return before
    const [answer] = await this.#deps.store.heads([key])
    return before > (answer?.head?.sequence ?? Infinity) ? Infinity : 0
  }
}

interface Source<T> {
  /** Newest first, below a place; `BATCH` rows, or fewer at the end. */
  readonly read: (before: number) => Promise<T[]>
  readonly place: (row: T) => number
  readonly text: (row: T) => string
  readonly shows: (row: T) => Promise<boolean>
}

interface List { readonly text: string, readonly hasMore: boolean }

const nothing: List = { text: '', hasMore: false }

function historyText ({ collection, documentId }: DocumentKey, versions: List, rows: List): string {
  return `{"type":"history","collection":${JSON.stringify(collection)},"documentId":${JSON.stringify(documentId)}` +
    `,"versions":[${versions.text}],"hasMore":${versions.hasMore},"journal":[${rows.text}],"journalHasMore":${rows.hasMore}}`
}

/** As many rows as the bounds allow, at least one. */
async function gather<T> (from: number, bounds: { rows: number, bytes: number, turns: Turns }, { read, place, text, shows }: Source<T>): Promise<List> {
  const texts: string[] = []
  let bytes = 0
  for (let before = from; ;) {
    const rows = await read(before)
    for (const row of rows) {
      before = place(row)
      await bounds.turns.end()
      // First of all: that there is more is nothing to be told of what is not shown.
      if (!await shows(row)) continue
      if (texts.length > 0 && (texts.length >= bounds.rows || bytes > bounds.bytes)) return { text: texts.join(), hasMore: true }
      const one = text(row)
      texts.push(one)
      bytes += one.length
    }
    if (rows.length < BATCH) return { text: texts.join(), hasMore: false }
  }
}

function sequenceOf ({ sequence }: StoredEntry): number {
  return sequence
}

function idOf ({ id }: JournalRow): number {
  return id
}

function versionText ({ sequence, operation, document, timestamp, serverTimestamp, userId, clientId, address }: StoredEntry): string {
  const facts = JSON.stringify({ timestamp, serverTimestamp, userId, clientId, address })
  return `{"sequence":${sequence},"operation":"${operation}","document":${document ?? 'null'},${facts.slice(1)}`
}

function rowText ({ id, status, code, raw, messageId, serverTimestamp, userId, clientId }: JournalRow): string {
  return JSON.stringify({ id, status, code, raw, messageId, serverTimestamp, userId, clientId })
}
