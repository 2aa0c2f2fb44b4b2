/** A log as the source of a move, part by part. */
import type { Epoch } from '../changelog.ts'
import { identityOf } from '../entry.ts'
import type { LogFacts, MovedPart, MovedRecord } from '../moving.ts'
import type { Connection } from './connection.ts'
import { decodeJournal, JOURNAL } from './journal.ts'
import { epochsFrom, type Lineage } from './lineage.ts'
import { decodeEntry, decodeFacts, ENTRY, FACTS, FACTS_WIDTH } from './rows.ts'
import type { Server } from './server.ts'
import { statement, type Statement, type Tuple } from './statement.ts'
import { fromText } from './text.ts'

/** Text of a part for each of its records, about. */
const RECORD_BYTES = 1024
const GIVEN_ID = FACTS_WIDTH + 3

type Key = ReadonlyArray<string | number>

/** Records of one kind, in an order of their own. */
interface Kind {
  readonly statement: Statement
  readonly first: Key
  /** Of the statement's row. */
  readonly keyOf: (row: Tuple) => Key
  /** null where the row is none. */
  readonly recordOf: (row: Tuple) => MovedRecord | null
}

export class LogParts {
  readonly #server: Server
  readonly #lineage: Lineage
  readonly #facts: Statement
  readonly #kinds: readonly Kind[]

  constructor (server: Server, lineage: Lineage) {
    const { schema } = server.options
    this.#server = server
    this.#lineage = lineage
    this.#facts = statement(schema, `SELECT l.head, l.horizon, l.history_horizon, l.secret, l.filed_by, l.filing, l.journal_head,
      (SELECT json_agg(json_build_array(p.id, p.first, p.started) ORDER BY p.number)::text FROM pocket.epochs p WHERE p.log = l.log) FROM pocket.logs l WHERE l.log = $1`)
    this.#kinds = [...kindsOf(schema), ...recordsOf(schema)]
  }

  async facts (): Promise<LogFacts> {
    const [row] = await this.#ask(connection => connection.run(this.#facts, [this.#lineage.log])) as [Tuple]
    const [head, horizon, historyHorizon, secret, filedBy, filing, journalHead, epochs] = row as [number, number, number, Uint8Array, string | null, string, number, string]
    return { head, horizon, historyHorizon, epochs: epochsFrom(epochs) as Epoch[], secret: Uint8Array.from(secret), filedBy: fromText(filedBy) ?? '', filing, journalHead }
  }

  async part (from: string | null, size: number): Promise<MovedPart> {
    let [at, key] = placeFrom(from, this.#kinds)
    for (; at < this.#kinds.length; key = this.#kinds[++at]?.first ?? []) {
      const { statement, keyOf, recordOf } = this.#kinds[at]!
      for (;;) {
        const rows = await this.#ask(connection => connection.run(statement, [this.#lineage.log, size, size * RECORD_BYTES, ...key.map(fromHex)]))
        if (rows.length === 0) break
        key = keyOf(rows.at(-1)!)
        const records = rows.map(recordOf).filter(record => record !== null)
        if (records.length > 0) return { records, next: JSON.stringify([at, ...key]) }
      }
    }
    return { records: [], next: null }
  }

  #ask<T> (work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#server.read(work)
  }
}

/** @throws TypeError for what `part` did not hand out */
function placeFrom (from: string | null, kinds: readonly Kind[]): [at: number, key: Key] {
  if (from === null) return [0, kinds[0]!.first]
  try {
    const [at, ...key] = JSON.parse(from) as [number, ...Key]
    if (kinds[at]!.first.length === key.length) return [at, key]
  } catch {}
  throw new TypeError(`${from} is no place in a log that moves`)
}

/** Bytes in a key. */
const HEX = '\\x'

function fromHex (part: string | number): unknown {
  return typeof part === 'string' && part.startsWith(HEX) ? Buffer.from(part.slice(2), 'hex') : typeof part === 'string' ? part.slice(1) : part
}

function hexOf (bytes: Uint8Array): string {
  return `${HEX}${Buffer.from(bytes).toString('hex')}`
}

/** So that no text is taken for bytes. */
function textOf (text: string): string {
  return `=${text}`
}

function kindsOf (schema: string): Kind[] {
  return [
    {
      statement: statement(schema, within('entries', { columns: `${ENTRY}, e.id`, key: 'e.sequence', after: 'e.sequence > $4', bytes: 'e.document' })),
      first: [0],
      keyOf: row => [row[0] as number],
      recordOf: row => ({ kind: 'entry', entry: decodeEntry(row), givenId: fromText(row[GIVEN_ID] as string | null) })
    },
    {
      statement: statement(schema, within('identities', { columns: 'e.collection, e.document_id, e.identity, e.sequence, e.server_timestamp', key: 'e.collection, e.document_id, e.identity', after: '(e.collection, e.document_id, e.identity) > ($4, $5, $6)', bytes: "''" })),
      first: ['=', '=', HEX],
      keyOf: ([collection, documentId, identity]) => [textOf(collection as string), textOf(documentId as string), hexOf(identity as Uint8Array)],
      recordOf: ([collection, documentId, identity, sequence, serverTimestamp]) => ({ kind: 'identity', identity: { collection: fromText(collection as string), documentId: fromText(documentId as string), identity, sequence, serverTimestamp } })
    },
    {
      // Of a head that is just what was sent, its facts are the identity.
      statement: statement(schema, `SELECT ${FACTS} FROM (SELECT * FROM pocket.heads h WHERE h.log = $1 AND h.sequence > $4 ORDER BY h.sequence LIMIT least($2::int8, $3::int8)) h
        CROSS JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = h.sequence OFFSET 0) e ORDER BY e.sequence`),
      first: [0],
      keyOf: row => [row[0] as number],
      recordOf: derivedIdentity
    },
    {
      statement: statement(schema, within('channels', { columns: 'e.collection, e.document_id, e.channel, e.position, e.member', key: 'e.collection, e.document_id, e.channel', after: '(e.collection, e.document_id, e.channel) > ($4, $5, $6)', bytes: "''" })),
      first: ['=', '=', '='],
      keyOf: ([collection, documentId, channel]) => [textOf(collection as string), textOf(documentId as string), textOf(channel as string)],
      recordOf: ([collection, documentId, channel, position, member]) => ({ kind: 'channel', channel: { collection: fromText(collection as string), documentId: fromText(documentId as string), channel: fromText(channel as string), position, member } })
    }
  ]
}

function recordsOf (schema: string): Kind[] {
  return [
    {
      statement: statement(schema, within('pushes', { columns: 'e.message_id, e.key, e.fingerprint, e.first, e.outcome, e.server_timestamp', key: 'e.message_id, e.key', after: '(e.message_id, e.key) > ($4, $5)', bytes: 'e.outcome' })),
      first: ['=', HEX],
      keyOf: ([messageId, key]) => [textOf(messageId as string), hexOf(key as Uint8Array)],
      recordOf: ([messageId, key, fingerprint, first, outcome, serverTimestamp]) => ({ kind: 'push', push: { messageId: fromText(messageId as string), key, fingerprint, first, outcome: fromText(outcome as string), serverTimestamp } })
    },
    {
      statement: statement(schema, within('journal', { columns: JOURNAL, key: 'e.id', after: 'e.id > $4', bytes: 'e.raw' })),
      first: [0],
      keyOf: row => [row[0] as number],
      recordOf: row => ({ kind: 'journal', row: decodeJournal(row) })
    }
  ]
}

/** Rows `$2` at most, and up to the one with which they pass `$3` bytes. */
function within (table: string, { columns, key, after, bytes }: { columns: string, key: string, after: string, bytes: string }): string {
  return `SELECT ${columns} FROM (SELECT e.*, sum(coalesce(octet_length(${bytes}), 0)) OVER (ORDER BY ${key} ROWS UNBOUNDED PRECEDING) - coalesce(octet_length(${bytes}), 0) AS before
    FROM (SELECT * FROM pocket.${table} e WHERE e.log = $1 AND ${after} ORDER BY ${key} LIMIT $2::int8) e) e WHERE e.before <= $3::int8 ORDER BY ${key}`
}

function derivedIdentity (row: Tuple): MovedRecord | null {
  const { collection, documentId, hash, timestamp, rev, sequence, serverTimestamp, exact } = decodeFacts(row)
  return exact ? { kind: 'identity', identity: { collection, documentId, identity: identityOf(hash, timestamp, rev), sequence, serverTimestamp } } : null
}
