/** A page by one statement, so from one snapshot, together with what is true of the log in it. */
import type { ChannelRow, Page, ReadQuery, Row } from '../changelog.ts'
import { numbers, texts } from './arrays.ts'
import { SAME_SERVER, STATE, type LogState } from './lineage.ts'
import { decodeShown, SHOWN } from './rows.ts'
import { statement, type Statement, type Tuple } from './statement.ts'
import { fromText, toText } from './text.ts'

/** The state, whether the server is the same, up to where was looked; then of each row its place, and what is shown of it. */
const LOOKED = 6
const PLACE = 7
const SHOWN_AT = 11

/** Channel rows looked at: some are of no use. A page that found too few ends where it looked. */
const PLACES = '2 * $4::int8 + 256'

export interface Question {
  readonly statement: Statement
  readonly values: readonly unknown[]
}

export class Pages {
  readonly #all: Statement
  readonly #of: Statement
  readonly #channels: Statement

  /** @param primary false of a standby, which cannot say which timeline it is on */
  constructor (schema: string, primary = true) {
    const same = primary ? SAME_SERVER : '$2::text IS NOT NULL'
    this.#all = statement(schema, page(same, 'SELECT h.sequence AS position, h.sequence, true AS member FROM pocket.heads h WHERE h.log = $1 AND h.sequence > $7 ORDER BY h.sequence LIMIT $4::int8 + 1'))
    this.#of = statement(schema, page(same, `SELECT h.sequence AS position, h.sequence, true AS member FROM unnest($7::text[], $8::int8[]) k (collection, start)
      CROSS JOIN LATERAL (SELECT h.sequence FROM pocket.heads h WHERE h.log = $1 AND h.collection = k.collection AND h.sequence > k.start ORDER BY h.sequence LIMIT $4::int8 + 1) h
      ORDER BY h.sequence LIMIT $4::int8 + 1`))
    this.#channels = statement(schema, `WITH places AS MATERIALIZED (${CHANNEL_PLACES}) ${page(same, CHANNEL_ROWS, `(SELECT CASE WHEN count(*) >= ${PLACES} THEN max(p.position) END FROM places p)`)}`)
  }

  question (query: ReadQuery): Question {
    const { limit, bytes, filedAfter, channels, after } = query
    const starts = startsOf(query)
    const common = [limit, Math.min(bytes, Number.MAX_SAFE_INTEGER), filedAfter ?? null]
    const collections = starts && texts([...starts.keys()].map(name => toText(name)))
    const positions = starts && numbers([...starts.values()])
    if (channels !== undefined) {
      const least = starts === null ? after : Math.min(Number.MAX_SAFE_INTEGER, ...starts.values())
      return { statement: this.#channels, values: [...common, texts([...new Set(channels)].map(name => toText(name))), least, collections, positions] }
    }
    if (starts === null) return { statement: this.#all, values: [...common, after] }
    return { statement: this.#of, values: [...common, collections, positions] }
  }
}

/** Where each collection is read from; null when all of them are from one position. */
function startsOf ({ after, collections }: ReadQuery): ReadonlyMap<string, number> | null {
  if (typeof after !== 'number') return after
  return collections && new Map(collections.map(name => [name, after]))
}

/** Rows of these channels `$7` after `$8`, in order. */
const CHANNEL_PLACES = `SELECT c.* FROM unnest($7::text[]) k (channel)
  CROSS JOIN LATERAL (SELECT c.position, c.member, c.collection, c.document_id FROM pocket.channels c WHERE c.log = $1 AND c.channel = k.channel AND c.position > $8 ORDER BY c.position LIMIT ${PLACES}) c
  ORDER BY c.position LIMIT ${PLACES}`

/**
 * A document is a member where its newest entry lies, so nothing of it is newer; a leave counts only if it is the newest
 * of its rows in these channels. `$9` and `$10` are the collections and where each is read from.
 */
const CHANNEL_ROWS = `SELECT p.position, h.sequence, p.member OR s.visible AS member
  FROM (SELECT p.position, p.collection, p.document_id, bool_or(p.member) AS member FROM places p GROUP BY 1, 2, 3) p
  CROSS JOIN LATERAL (SELECT max(c.position) AS newest, bool_or(c.member) AS visible FROM pocket.channels c
    WHERE NOT p.member AND c.log = $1 AND c.collection = p.collection AND c.document_id = p.document_id AND c.channel = ANY ($7::text[])) s
  CROSS JOIN LATERAL (SELECT h.sequence FROM pocket.heads h WHERE h.log = $1 AND h.collection = p.collection AND h.document_id = p.document_id OFFSET 0) h
  WHERE (p.member OR s.newest = p.position)
    AND ($9::text[] IS NULL OR EXISTS (SELECT 1 FROM unnest($9::text[], $10::int8[]) k (collection, start) WHERE k.collection = p.collection AND p.position > k.start))
  ORDER BY p.position LIMIT $4::int8 + 1`

/**
 * The state has a row of its own, so that it is there where nothing else is. Sizes are summed up before documents are
 * read, so that what is beyond the bytes of a page is not.
 * @param found position, sequence of the entry that is shown, member; at most one row more than are wanted
 */
function page (same: string, found: string, looked = 'NULL::int8'): string {
  return `SELECT ${STATE}, ${same}, ${looked}, NULL::int8, NULL::bool, NULL::bool, NULL::text, NULL::int8, NULL::text, NULL::text, NULL::int4, NULL::int8, NULL::int4, NULL::text FROM pocket.logs l WHERE l.log = $1
    UNION ALL (SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.position, r.member, r.more, r.filed, r.sequence, r.collection, r.document_id, r.operation, r.timestamp, r.checksum, r.document
    FROM (SELECT f.position, f.member, ${SHOWN}, CASE WHEN $6::int8 IS NOT NULL THEN coalesce((SELECT json_agg(json_build_array(c.channel, c.position, c.member))::text
          FROM pocket.channels c WHERE c.log = $1 AND c.collection = e.collection AND c.document_id = e.document_id AND c.position > $6), '[]') END AS filed,
        row_number() OVER w AS number, lead(f.position) OVER w IS NOT NULL AS more,
        sum(coalesce(octet_length(e.document), 0)) OVER w - coalesce(octet_length(e.document), 0) AS before
      FROM (${found}) f CROSS JOIN LATERAL (SELECT ${SHOWN} FROM pocket.entries e WHERE e.log = $1 AND e.sequence = f.sequence OFFSET 0) e
      WINDOW w AS (ORDER BY f.position ROWS UNBOUNDED PRECEDING)) r
    WHERE r.number <= $4 AND (r.number = 1 OR r.before <= $5))`
}

export function pageFrom (answer: readonly Tuple[], state: LogState, filedAfter: number | undefined): Page {
  const rows: Row[] = []
  let looked = state.head
  let cut = false
  for (const row of answer) {
    const [position, member, more, filed] = row.slice(PLACE, SHOWN_AT) as [number | null, boolean, boolean, string]
    if (position === null) {
      if (row[LOOKED] !== null) looked = row[LOOKED]
      continue
    }
    const entry = decodeShown(row, SHOWN_AT)
    rows.push(filedAfter === undefined ? { position, entry, member } : { position, entry, member, filed: channelRows(filed) })
    cut = more
  }
  return { rows, scanned: cut ? rows.at(-1)!.position : looked, ...state }
}

function channelRows (filed: string): ChannelRow[] {
  return (JSON.parse(filed) as Array<[string, number, boolean]>).map(([channel, position, member]) => ({ channel: fromText(channel), position, member }))
}
