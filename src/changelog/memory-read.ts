/** Reading the memory adapter: walks over orders, so that a read costs what lies after its position. */
import { merge, type Order } from './memory-order.ts'
import type { DocumentKey, JournalQuery, JournalRow, Page, ReadQuery, Row, StoredEntry } from './changelog.ts'
import type { MemoryDocument, MemoryState } from './memory-state.ts'

export interface Slice {
  readonly before?: number
  readonly limit?: number
}

const PAGE = 100

export function historyOf (state: MemoryState, key: DocumentKey, slice: Slice): StoredEntry[] {
  return newestFirst(state.document(key)?.entries ?? [], entry => entry.sequence, slice)
}

export function journalOf (state: MemoryState, { collection, documentId, ...slice }: JournalQuery): JournalRow[] {
  const asked = (row: JournalRow): boolean => (collection ?? row.collection) === row.collection && (documentId ?? row.documentId) === row.documentId
  return newestFirst([...state.journal.after(0)].filter(asked), row => row.id, slice)
}

export function readPage (state: MemoryState, query: ReadQuery): Page {
  const rows: Row[] = []
  let bytes = 0
  let cut = false
  for (const row of walk(state, query)) {
    cut = rows.length > 0 && (rows.length >= query.limit || bytes > query.bytes)
    if (cut) break
    rows.push(row)
    bytes += Buffer.byteLength(row.entry.document ?? '')
  }
  const { head, horizon, historyHorizon } = state
  return { rows, scanned: cut ? rows.at(-1)!.position : head, head, horizon, historyHorizon, epochs: [...state.epochs] }
}

function walk (state: MemoryState, query: ReadQuery): Iterable<Row> {
  return query.filedAfter === undefined ? rowsOf(state, query) : filedRows(state, rowsOf(state, query), query.filedAfter)
}

function * filedRows (state: MemoryState, rows: Iterable<Row>, after: number): Generator<Row> {
  for (const row of rows) {
    const places = state.document(row.entry)!.channels
    yield { ...row, filed: [...places].filter(([, { position }]) => position > after).map(([channel, place]) => ({ channel, ...place })) }
  }
}

function rowsOf (state: MemoryState, { after, collections, channels }: ReadQuery): Iterable<Row> {
  const starts = typeof after === 'number' ? collections && new Map(collections.map(name => [name, after])) : after
  const least = typeof after === 'number' ? after : Math.min(...after.values())
  if (channels !== undefined) return channelRows(state, new Set(channels), { starts, least })
  if (starts === null) return headRows(state.heads, least)
  return merge([...starts].map(([name, start]) => headRows(state.headsOf.get(name), start)), row => row.position)
}

function * headRows (heads: Order<StoredEntry> | undefined, after: number): Generator<Row> {
  if (heads === undefined) return
  for (const entry of heads.after(after)) yield { position: entry.sequence, entry, member: true }
}

interface Start {
  /** Position by collection, null when all collections are read. */
  readonly starts: ReadonlyMap<string, number> | null
  readonly least: number
}

function * channelRows (state: MemoryState, channels: ReadonlySet<string>, { starts, least }: Start): Generator<Row> {
  const walks = [...channels].map(channel => placesIn(state, channel, least))
  let last = 0
  for (const { position, document } of merge(walks, place => place.position)) {
    const start = starts === null ? least : starts.get(document.collection)
    if (position === last || start === undefined || position <= start) continue
    const seen = seenFrom(document, channels)
    // Only the newest row counts: an older one is a leave that a return, or a later leave, has overtaken.
    if (position !== seen.position) continue
    last = position
    yield { position, entry: document.head!, member: seen.member }
  }
}

function * placesIn (state: MemoryState, channel: string, after: number): Generator<{ position: number, document: MemoryDocument }> {
  const order = state.channels.get(channel)
  if (order === undefined) return
  for (const document of order.after(after)) yield { position: document.channels.get(channel)!.position, document }
}

/** Where a document stands for a reader of these channels: visible at its newest row, or removed there. */
function seenFrom (document: MemoryDocument, channels: ReadonlySet<string>): { position: number, member: boolean } {
  let position = 0
  let member = false
  for (const [channel, row] of document.channels) {
    if (!channels.has(channel)) continue
    position = Math.max(position, row.position)
    member ||= row.member
  }
  return { position, member }
}

/** @param place rising along the rows */
function newestFirst<T> (rows: readonly T[], place: (row: T) => number, { before = Infinity, limit = PAGE }: Slice): T[] {
  const end = rows.findLastIndex(row => place(row) < before) + 1
  return rows.slice(Math.max(0, end - limit), end).reverse()
}
