/**
 * The documents of the ring as the store would show them to a reader: each in its newest version alone, and with
 * channels by its channel rows, so that who may see what is told without a read of the store (DESIGN 7 and 8).
 * A version that a newer one has replaced is let go: nobody may be shown what was open once and is not any more.
 */
import type { Row } from '../changelog/changelog.ts'
import { oneLine } from './frames.ts'
import { changeText } from './page.ts'
import type { Encoded, Ring } from './ring.ts'

/** One document of the ring. */
export interface Filing {
  /** Its head when it was last read. */
  row: Row
  /** Its channel rows; null where the store cannot say. */
  places: Map<string, { readonly position: number, readonly member: boolean }> | null
  /** Places in the ring. */
  items: number
}

/** What an item costs beside its document. */
const OVERHEAD = 200

export class Filings {
  readonly #filings = new Map<string, Filing>()
  readonly #texts = new WeakMap<Row, string>()

  /** @returns the places that a document takes in the ring: its entry's, and those where it left channels before that */
  take ({ filed, ...row }: Row): Encoded[] {
    const { collection, document } = row.entry
    const key = keyOf(row)
    const filing = this.#filings.get(key) ?? { row, places: new Map(), items: 0 }
    this.#filings.set(key, filing)
    filing.row = row
    if (filed === undefined) filing.places = null
    for (const { channel, position, member } of filed ?? []) filing.places?.set(channel, { position, member })
    const positions = new Set([row.position, ...(filed ?? []).map(({ position }) => position)])
    filing.items += positions.size
    const bytes = OVERHEAD + 2 * (document?.length ?? 0)
    return [...positions].map(position => ({ position, collection, text: '', bytes, filing }))
  }

  /** The ring has let an item go. */
  release ({ filing }: Encoded): void {
    if (filing !== undefined && --filing.items === 0) this.#filings.delete(keyOf(filing.row))
  }

  /** A row as the wire has it, made once for all who are shown it. */
  textOf (row: Row): string {
    let text = this.#texts.get(row)
    if (text === undefined) {
      text = oneLine(changeText(row))
      this.#texts.set(row, text)
    }
    return text
  }
}

/** No name of a collection holds a line break. */
function keyOf ({ entry }: Row): string {
  return `${entry.collection}\n${entry.documentId}`
}

export interface FiledQuery {
  readonly after: number
  /** Up to here. */
  readonly until: number
  /** null = all. */
  readonly collections: ReadonlySet<string> | null
  /** null = all documents. */
  readonly channels: ReadonlySet<string> | null
  readonly entries: number
  readonly bytes: number
}

export interface FiledPage {
  readonly rows: readonly Row[]
  readonly reached: number
}

/** What a read of the store would give from a position that the ring covers; null where only the store can say. */
export function readFiled (ring: Ring, { after, until, collections, channels, entries, bytes }: FiledQuery): FiledPage | null {
  const rows: Row[] = []
  let total = 0
  let reached = after
  for (const { position, collection, filing } of ring.after(after)) {
    if (position > until) break
    if (filing === undefined || (channels !== null && filing.places === null)) return null
    if (position !== reached && (collections === null || collections.has(collection))) {
      const row = rowAt(filing, position, channels)
      if (row !== null) {
        const size = row.entry.document?.length ?? 0
        if (rows.length > 0 && (rows.length >= entries || total + size > bytes)) return { rows, reached }
        rows.push(row)
        total += size
      }
    }
    reached = position
  }
  return { rows, reached: Math.min(until, ring.end) }
}

/** A document at one of its places: null where a later one has overtaken it, or none of the channels was touched. */
function rowAt ({ row, places }: Filing, position: number, channels: ReadonlySet<string> | null): Row | null {
  if (channels === null) return row.position === position ? row : null
  let newest = 0
  let member = false
  for (const [channel, place] of places!) {
    if (!channels.has(channel)) continue
    newest = Math.max(newest, place.position)
    member ||= place.member
  }
  if (newest !== position) return null
  return member ? row : { position, entry: row.entry, member }
}
