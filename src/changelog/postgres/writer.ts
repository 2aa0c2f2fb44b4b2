/** Commits a group of pushes: the log is locked, what they rest on is looked up, and all their rows are written at once. */
import { SyncError } from '../../errors.ts'
import type { Committed, NewEntry } from '../changelog.ts'
import { blobs, flags, numbers, texts } from './arrays.ts'
import type { Connection } from './connection.ts'
import type { Filing } from './filing.ts'
import { Group, headName, keyName, type Job, type Lookup, type Place, type PushRecord } from './group.ts'
import { JournalWriter } from './journal.ts'
import type { Held, Lineage } from './lineage.ts'
import { decodeFacts, ENTRY_COLUMNS, ENTRY_TYPES, entryColumns, FACTS } from './rows.ts'
import type { Server } from './server.ts'
import { statement, type Statement, type Tuple } from './statement.ts'
import type { Statistics } from './statistics.ts'
import { fromText, toText } from './text.ts'

/** Old push records dropped per push: more than one, so that a backlog shrinks, few, so that no commit is slow. */
const PRUNED_PER_PUSH = 3

export class Writer {
  readonly #lineage: Lineage
  readonly #journal: JournalWriter
  readonly #filing: Filing
  readonly #statistics: Statistics
  readonly #retention: number
  readonly #places: Statement
  readonly #members: Statement
  readonly #records: Statement
  readonly #write: Statement
  readonly #file: Statement

  constructor (lineage: Lineage, filing: Filing, { statistics, options: { schema, journalBytes, pushRetention } }: Server) {
    this.#lineage = lineage
    this.#filing = filing
    this.#statistics = statistics
    this.#journal = new JournalWriter(schema, journalBytes)
    this.#retention = pushRetention
    // OFFSET 0 keeps each look one probe of an index, however the tables are judged.
    this.#places = statement(schema, `SELECT k.n, h.sequence, ${FACTS}
      FROM unnest($2::text[], $3::text[], $4::int8[], $5::bool[]) WITH ORDINALITY k (collection, document_id, expected, wanted, n)
      CROSS JOIN LATERAL (SELECT * FROM pocket.heads h WHERE h.log = $1 AND h.collection = k.collection AND h.document_id = k.document_id OFFSET 0) h
      LEFT JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = h.sequence AND (k.wanted OR h.sequence <> k.expected) OFFSET 0) e ON true`)
    this.#members = statement(schema, `SELECT k.n, c.channel, c.position FROM unnest($2::text[], $3::text[]) WITH ORDINALITY k (collection, document_id, n)
      CROSS JOIN LATERAL (SELECT * FROM pocket.channels c WHERE c.log = $1 AND c.collection = k.collection AND c.document_id = k.document_id AND c.member OFFSET 0) c`)
    this.#records = statement(schema, `SELECT k.n, p.fingerprint, p.first, p.outcome FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY k (message_id, key, n)
      CROSS JOIN LATERAL (SELECT * FROM pocket.pushes p WHERE p.log = $1 AND p.message_id IN (k.message_id, '') AND p.key = k.key OFFSET 0) p`)
    this.#write = statement(schema, writeAll())
    this.#file = statement(schema, `INSERT INTO pocket.channels (log, collection, document_id, channel, position, member)
      SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::int8[], $6::bool[])
      ON CONFLICT (log, collection, document_id, channel) DO UPDATE SET position = excluded.position, member = excluded.member`)
  }

  /** All of the group in one transaction; when it throws, nothing is written, or after a failed COMMIT it is unknown. */
  async commit (jobs: readonly Job[]): Promise<Committed[]> {
    const results = await this.#lineage.hold(async (connection, held) => {
      if (this.#isOutdated(held)) {
        await connection.script('ROLLBACK')
        return null
      }
      const group = new Group(held, await this.#lookUp(connection, held, jobs))
      const results = jobs.map(job => group.decide(job))
      if (group.pushes.length === 0) await connection.script('ROLLBACK')
      else await this.#keep(connection, group, held)
      return results
    })
    if (results === null) throw new SyncError('storage_unavailable', { detail: 'the documents have been filed by another "channels" than this node\'s, as in a rolling upgrade: restart this node with the new one' })
    return results
  }

  /** A newer node has filed all anew: what is filed by the old rule now would stay there for ever, for others to see. */
  #isOutdated ({ filedBy }: Held): boolean {
    const { filedAs } = this.#filing
    return filedAs !== null && filedBy !== null && filedBy !== filedAs
  }

  async #lookUp (connection: Connection, held: Held, jobs: readonly Job[]): Promise<Lookup> {
    const entries = firstOfEach(jobs)
    const { log } = this.#lineage
    const collections = texts(entries.map(({ collection }) => toText(collection)))
    const documents = texts(entries.map(({ documentId }) => toText(documentId)))
    const expected = numbers(entries.map(entry => entry.expected))
    const wanted = flags(entries.map(({ expected, replaces }) => expected > 0 && replaces?.sequence !== expected))
    const keys = jobs.map(({ push: { messageId, key } }) => ({ messageId: toText(messageId), key }))
    const questions: Array<readonly [Statement, readonly unknown[]]> = [
      [this.#records, [log, texts(keys.map(({ messageId }) => messageId)), blobs(keys.map(({ key }) => key))]]
    ]
    if (entries.length > 0) questions.push([this.#places, [log, collections, documents, expected, wanted]])
    if (entries.length > 0 && isFiled(held, entries)) questions.push([this.#members, [log, collections, documents]])
    const [records = [], places = [], members = []] = await connection.together(...questions)
    return { records: recordsFrom(records, jobs), places: placesFrom(places, members, entries) }
  }

  async #keep (connection: Connection, group: Group, held: Held): Promise<void> {
    const { log } = this.#lineage
    if (group.moved.size > 0) await connection.run(this.#file, [log, ...channelColumns(group)])
    const journal = await this.#journal.write(connection, log, { held, pushes: group.pushes.map(({ push }) => push) })
    await connection.finish(this.#write, [
      log, ...entryColumns(group.entries), ...headColumns(group), ...identityColumns(group), ...pushColumns(group),
      group.pushes.at(-1)!.push.serverTimestamp - this.#retention, group.pushes.length * PRUNED_PER_PUSH,
      group.head, group.filed, group.unfiled, journal.head, journal.bytes
    ])
    this.#lineage.saw(group.head)
    this.#statistics.grown(held.head, group.head)
  }
}

/** Entries, heads, identities and records of pushes in one statement, which also moves the head of the log. */
function writeAll (): string {
  let place = 1
  const arrays = (types: readonly string[]): string => types.map(type => `$${++place}::${type}[]`).join(', ')
  return `WITH entries AS (INSERT INTO pocket.entries (log, ${ENTRY_COLUMNS}) SELECT $1, * FROM unnest(${arrays(ENTRY_TYPES)})),
    heads AS (INSERT INTO pocket.heads (log, collection, document_id, sequence, deleted) SELECT $1, * FROM unnest(${arrays(['text', 'text', 'int8', 'bool'])})
      ON CONFLICT (log, collection, document_id) DO UPDATE SET sequence = excluded.sequence, deleted = excluded.deleted),
    identities AS (INSERT INTO pocket.identities (log, collection, document_id, identity, sequence, server_timestamp)
      SELECT $1, * FROM unnest(${arrays(['text', 'text', 'bytea', 'int8', 'int8'])}) ON CONFLICT DO NOTHING),
    pushes AS (INSERT INTO pocket.pushes (log, message_id, key, fingerprint, first, outcome, server_timestamp)
      SELECT $1, * FROM unnest(${arrays(['text', 'bytea', 'bytea', 'int8', 'text', 'int8'])})),
    pruned AS (DELETE FROM pocket.pushes WHERE log = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM pocket.pushes WHERE log = $1 AND server_timestamp < $${++place} ORDER BY server_timestamp LIMIT $${++place})))
    UPDATE pocket.logs SET head = $${++place}, channels = $${++place}, filed_by = CASE WHEN $${++place}::bool THEN NULL ELSE filed_by END,
      journal_head = $${++place}, journal_bytes = $${++place} WHERE log = $1`
}

function headColumns ({ heads }: Group): Buffer[] {
  const rows = [...heads.values()]
  return [texts(rows.map(row => toText(row.collection))), texts(rows.map(row => toText(row.documentId))), numbers(rows.map(row => row.sequence)), flags(rows.map(row => row.operation === 'delete'))]
}

function identityColumns ({ identities: rows }: Group): Buffer[] {
  return [
    texts(rows.map(row => toText(row.collection))), texts(rows.map(row => toText(row.documentId))), blobs(rows.map(row => row.identity)),
    numbers(rows.map(row => row.sequence)), numbers(rows.map(row => row.serverTimestamp))
  ]
}

function pushColumns ({ pushes }: Group): Buffer[] {
  const rows = pushes.map(({ push }) => push)
  return [
    texts(rows.map(row => toText(row.messageId))), blobs(rows.map(row => row.key)), blobs(rows.map(row => row.fingerprint)),
    numbers(pushes.map(({ first }) => first)), texts(rows.map(row => toText(row.outcome))), numbers(rows.map(row => row.serverTimestamp))
  ]
}

function channelColumns (group: Group): Buffer[] {
  const rows = [...group.moved].flatMap(([name, key]) => [...group.placeOf(name).channels].map(([channel, row]) => ({ ...key, channel, ...row })))
  return [
    texts(rows.map(row => toText(row.collection))), texts(rows.map(row => toText(row.documentId))), texts(rows.map(row => toText(row.channel))),
    numbers(rows.map(row => row.position)), flags(rows.map(row => row.member))
  ]
}

/** Of each document the first entry, on which its decision rests. */
function firstOfEach (jobs: readonly Job[]): NewEntry[] {
  const first = new Map<string, NewEntry>()
  for (const { push } of jobs) {
    for (const entry of push.entries) {
      const name = headName(entry)
      if (!first.has(name)) first.set(name, entry)
    }
  }
  return [...first.values()]
}

function isFiled ({ channels }: Held, entries: readonly NewEntry[]): boolean {
  return channels || entries.some(entry => entry.channels !== undefined && entry.channels.length > 0)
}

function recordsFrom (rows: readonly Tuple[], jobs: readonly Job[]): Map<string, PushRecord> {
  const records = new Map<string, PushRecord>()
  for (const [n, fingerprint, first, outcome] of rows as Array<[number, Uint8Array, number, string]>) {
    records.set(keyName(jobs[n - 1]!.push.key), { fingerprint, first, outcome: fromText(outcome) })
  }
  return records
}

function placesFrom (rows: readonly Tuple[], members: readonly Tuple[], entries: readonly NewEntry[]): Map<string, Place> {
  const places = new Map<string, Place>()
  for (const [n, sequence, ...facts] of rows as Array<[number, number, ...Tuple]>) {
    places.set(headName(entries[n - 1]!), { sequence, facts: facts[0] === null ? null : decodeFacts(facts), channels: new Map() })
  }
  for (const [n, channel, position] of members as Array<[number, string, number]>) {
    places.get(headName(entries[n - 1]!))?.channels.set(fromText(channel), { position, member: true })
  }
  return places
}
