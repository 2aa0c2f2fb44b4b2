/** A log in a file as the parts in which it moves. Nobody writes it meanwhile. */
import type { Epoch, JournalRow } from '../changelog.ts'
import { epochAt, identityOf } from '../entry.ts'
import type { LogFacts, MovedPart, MovedRecord } from '../moving.ts'
import type { Database } from './driver.ts'
import { Names } from './names.ts'
import { decodeEntry, decodeFacts, ENTRY, FACTS, type EntryRow, type FactsRow } from './rows.ts'

const KIB = 1024
/** What a record takes beside its texts, roughly. */
const RECORD_CHARACTERS = 200

type Key = readonly unknown[]

/** One kind of record, in an order of its own. */
interface Kind {
  /** Rows after a key, as arrays. */
  readonly sql: string
  /** Where the first begins. */
  readonly start: Key
  keyOf (row: any): Key
  recordOf (row: any): MovedRecord | null
}

export class LogParts {
  readonly #database: Database
  readonly #names: Names
  readonly #epochs: readonly Epoch[]
  readonly #kinds: ReadonlyArray<readonly [name: string, kind: Kind]>

  constructor (database: Database) {
    this.#database = database
    this.#names = new Names(database)
    this.#epochs = database.prepare('SELECT id, first, started FROM epochs ORDER BY number').all() as Epoch[]
    this.#kinds = [['entry', this.#entries()], ['identity', this.#identities()], ['head', this.#headIdentities()], ['channel', this.#channels()], ['push', this.#pushes()], ['journal', this.#journal()]]
  }

  facts (): LogFacts {
    const meta = new Map(this.#database.prepare('SELECT key, value FROM meta').raw().all() as Array<[string, unknown]>)
    const given = (table: string): number => Number(this.#database.prepare('SELECT seq FROM sqlite_sequence WHERE name = ?').pluck().get(table) ?? 0)
    return {
      head: given('log'),
      horizon: Number(meta.get('horizon')),
      historyHorizon: Number(meta.get('history_horizon')),
      epochs: this.#epochs,
      secret: Uint8Array.from(meta.get('secret') as Buffer),
      filedBy: String(meta.get('filed_by') ?? ''),
      filing: String(meta.get('filing') ?? ''),
      journalHead: given('journal')
    }
  }

  /** @throws SyncError storage_unavailable naming an entry that is damaged */
  part (from: string | null, size: number): MovedPart {
    const [name, key] = from === null ? [this.#kinds[0]![0], null] : placeOf(from)
    for (let index = this.#kinds.findIndex(([known]) => known === name); index >= 0 && index < this.#kinds.length; index++) {
      const [current, kind] = this.#kinds[index]!
      const { records, last } = this.#take(kind, current === name ? key ?? kind.start : kind.start, size)
      if (records.length > 0) return { records, next: JSON.stringify([current, last]) }
    }
    return { records: [], next: null }
  }

  #take ({ sql, keyOf, recordOf }: Kind, after: Key, size: number): { records: MovedRecord[], last: Key } {
    const records: MovedRecord[] = []
    let last = after
    let characters = 0
    for (const row of this.#database.prepare(sql).raw().iterate(...after)) {
      const record = recordOf(row)
      last = keyOf(row)
      if (record === null) continue
      records.push(record)
      characters += charactersOf(record)
      if (records.length >= size || characters >= size * KIB) break
    }
    return { records, last }
  }

  #entries (): Kind {
    return {
      sql: `SELECT ${ENTRY} FROM log l WHERE l.sequence > ? ORDER BY l.sequence`,
      start: [0],
      keyOf: (row: EntryRow) => [row[0]],
      recordOf: (row: EntryRow) => {
        const id = `${epochAt(this.#epochs, row[0]).id}-${row[0]}`
        return { kind: 'entry', entry: decodeEntry(row, this.#names.name(row[1]), id), givenId: row[15] }
      }
    }
  }

  #identities (): Kind {
    return {
      sql: 'SELECT collection, document_id, identity, sequence, server_timestamp FROM identities WHERE (collection, document_id, identity) > (?, ?, unhex(?)) ORDER BY collection, document_id, identity',
      start: [0, '', ''],
      keyOf: ([collection, documentId, identity]: [number, string, Buffer]) => [collection, documentId, identity.toString('hex')],
      recordOf: ([collection, documentId, identity, sequence, serverTimestamp]: [number, string, Buffer, number, number]) =>
        ({ kind: 'identity', identity: { collection: this.#names.name(collection), documentId, identity, sequence, serverTimestamp } })
    }
  }

  /** Those that nobody wrote down, since the head itself tells them. */
  #headIdentities (): Kind {
    const recorded = this.#database.prepare('SELECT 1 FROM identities WHERE collection = ? AND document_id = ? AND identity = ?').pluck()
    return {
      sql: `SELECT ${FACTS} FROM heads h INDEXED BY heads_sequence CROSS JOIN log l ON l.sequence = h.sequence WHERE h.sequence > ? ORDER BY h.sequence`,
      start: [0],
      keyOf: (row: FactsRow) => [row[0]],
      recordOf: (row: FactsRow) => {
        const { collection, documentId, sequence, serverTimestamp, exact, hash, timestamp, rev } = decodeFacts(row, this.#names.name(row[1]))
        const identity = identityOf(hash, timestamp, rev)
        if (!exact || recorded.get(row[1], documentId, identity) !== undefined) return null
        return { kind: 'identity', identity: { collection, documentId, identity, sequence, serverTimestamp } }
      }
    }
  }

  #channels (): Kind {
    return {
      sql: 'SELECT collection, document_id, channel, position, member FROM channels WHERE (collection, document_id, channel) > (?, ?, ?) ORDER BY collection, document_id, channel',
      // No collection has the number 0.
      start: [0, '', ''],
      keyOf: ([collection, documentId, channel]: [number, string, string]) => [collection, documentId, channel],
      recordOf: ([collection, documentId, channel, position, member]: [number, string, string, number, number]) =>
        ({ kind: 'channel', channel: { collection: this.#names.name(collection), documentId, channel, position, member: member === 1 } })
    }
  }

  #pushes (): Kind {
    return {
      sql: 'SELECT id, message_id, key, fingerprint, first, outcome, server_timestamp FROM pushes WHERE id > ? ORDER BY id',
      start: [0],
      keyOf: ([id]: [number]) => [id],
      recordOf: ([, messageId, key, fingerprint, first, outcome, serverTimestamp]: [number, string, Buffer, Buffer, number, string, number]) =>
        ({ kind: 'push', push: { messageId, key, fingerprint, first, outcome, serverTimestamp } })
    }
  }

  #journal (): Kind {
    return {
      sql: 'SELECT id, collection, document_id, status, code, raw, message_id, server_timestamp, user_id, client_id, address FROM journal WHERE id > ? ORDER BY id',
      start: [0],
      keyOf: ([id]: [number]) => [id],
      recordOf: ([id, collection, documentId, status, code, raw, messageId, serverTimestamp, userId, clientId, address]: [number, string, string, JournalRow['status'], string, string, string, number, string | null, string | null, string | null]) =>
        ({ kind: 'journal', row: { id, collection, documentId, status, code, raw, messageId, serverTimestamp, userId, clientId, address } })
    }
  }
}

function placeOf (from: string): [name: string, key: Key] {
  try {
    const [name, key] = JSON.parse(from) as [string, Key]
    if (typeof name === 'string' && Array.isArray(key)) return [name, key]
  } catch {}
  throw new TypeError(`${from} is no place in a log that moves`)
}

function charactersOf (record: MovedRecord): number {
  if (record.kind === 'entry') return RECORD_CHARACTERS + (record.entry.document?.length ?? 0)
  if (record.kind === 'push') return RECORD_CHARACTERS + record.push.outcome.length
  return RECORD_CHARACTERS + (record.kind === 'journal' ? record.row.raw.length : 0)
}
