/** What moves into a file from another store, each part in one transaction with the place where the next one begins. */
import type { DocumentKey } from '../changelog.ts'
import { isIdentityOf } from '../entry.ts'
import type { ChannelRecord, IdentityRecord, LogFacts, MovedRecord, MoveSource, PushRecord } from '../moving.ts'
import type { Database, Statement } from './driver.ts'
import { MultiInsert } from './insert.ts'
import { ROW_BYTES } from './journal.ts'
import { Names } from './names.ts'
import { decodeFacts, encodeEntry, FACTS, LOG_COLUMNS, type FactsRow } from './rows.ts'

type Of<Kind extends MovedRecord['kind']> = Extract<MovedRecord, { kind: Kind }>

const TABLES = ['log', 'heads', 'identities', 'pushes', 'journal', 'channels', 'collections', 'epochs'] as const

export class Arrivals {
  readonly #database: Database
  readonly #names: Names
  readonly #log: MultiInsert
  readonly #heads: Statement
  readonly #head: Statement
  readonly #identities: MultiInsert
  readonly #channels: MultiInsert
  readonly #pushes: MultiInsert
  readonly #journal: MultiInsert
  readonly #get: Statement
  readonly #set: Statement

  constructor (database: Database) {
    this.#database = database
    this.#names = new Names(database)
    this.#log = new MultiInsert(database, { head: `INSERT OR REPLACE INTO log (${LOG_COLUMNS})`, width: 18 })
    this.#heads = database.prepare(`INSERT INTO heads (collection, document_id, sequence, deleted)
      SELECT collection, document_id, sequence, operation = 2 FROM log WHERE sequence BETWEEN ? AND ? ORDER BY sequence
      ON CONFLICT DO UPDATE SET sequence = excluded.sequence, deleted = excluded.deleted WHERE excluded.sequence > sequence`)
    this.#head = database.prepare(`SELECT ${FACTS} FROM heads h CROSS JOIN log l ON l.sequence = h.sequence WHERE h.collection = ? AND h.document_id = ?`).raw()
    this.#identities = new MultiInsert(database, { head: 'INSERT OR REPLACE INTO identities (collection, document_id, identity, sequence, server_timestamp)', width: 5 })
    this.#channels = new MultiInsert(database, { head: 'INSERT OR REPLACE INTO channels (collection, document_id, channel, position, member)', width: 5 })
    this.#pushes = new MultiInsert(database, { head: 'INSERT INTO pushes (message_id, key, fingerprint, first, outcome, server_timestamp)', width: 6, tail: 'ON CONFLICT DO NOTHING' })
    this.#journal = new MultiInsert(database, { head: 'INSERT OR REPLACE INTO journal (id, collection, document_id, status, code, raw, message_id, server_timestamp, user_id, client_id, address)', width: 11 })
    this.#get = database.prepare('SELECT value FROM meta WHERE key = ?').pluck()
    this.#set = database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
  }

  /** @throws TypeError when another log is here */
  begin ({ log, state }: MoveSource): { progress: string | null } {
    return this.#database.transaction(() => {
      const moving = this.#get.get('moving') as string | undefined
      if (moving === undefined) this.#requireEmpty()
      else if (!moving.startsWith(`${log} `)) throw new TypeError('the target was begun with another log: name another one, or remove it')
      if (moving !== `${log} ${state}`) {
        this.#drop()
        this.#set.run('moving', `${log} ${state}`)
      }
      return { progress: this.#get.get('moved') as string | undefined ?? null }
    }).immediate()
  }

  /** @throws TypeError naming the document whose text cannot be kept */
  take (records: readonly MovedRecord[], progress: string): void {
    for (const record of records) requireText(record)
    const of = <Kind extends MovedRecord['kind']>(kind: Kind): Array<Of<Kind>> => records.filter((record): record is Of<Kind> => record.kind === kind)
    try {
      this.#database.transaction(() => {
        this.#takeEntries(of('entry'))
        this.#takeIdentities(of('identity').map(({ identity }) => identity))
        this.#channels.run(of('channel').flatMap(({ channel }) => this.#channelRow(channel)))
        this.#pushes.run(of('push').flatMap(({ push }) => pushRow(push)))
        this.#journal.run(of('journal').flatMap(({ row }) => [row.id, row.collection, row.documentId, row.status, row.code, row.raw, row.messageId, row.serverTimestamp, row.userId, row.clientId, row.address]))
        this.#set.run('moved', progress)
      }).immediate()
    } catch (error) {
      this.#names.forget()
      throw error
    }
  }

  end ({ head, horizon, historyHorizon, epochs, secret, filedBy, filing, journalHead }: LogFacts): void {
    this.#database.transaction(() => {
      const epoch = this.#database.prepare('INSERT INTO epochs (id, first, started) VALUES (?, ?, ?)')
      this.#database.exec('DELETE FROM epochs')
      for (const { id, first, started } of epochs) epoch.run(id, first, started)
      this.#given('log', head)
      this.#given('journal', journalHead)
      const bytes = this.#database.prepare(`SELECT coalesce(sum(octet_length(raw) + ${ROW_BYTES}), 0) FROM journal`).pluck().get() as number
      for (const [key, value] of [['horizon', horizon], ['history_horizon', historyHorizon], ['journal_bytes', bytes]] as const) this.#set.run(key, BigInt(value))
      this.#set.run('secret', Buffer.from(secret))
      const forget = this.#database.prepare('DELETE FROM meta WHERE key = ?')
      for (const [key, value] of [['filed_by', filedBy], ['filing', filing]] as const) if (value === '') forget.run(key); else this.#set.run(key, value)
      for (const key of ['moving', 'moved']) forget.run(key)
    }).immediate()
  }

  #requireEmpty (): void {
    const used = this.#database.prepare("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0) > 0 OR EXISTS (SELECT 1 FROM pushes) OR EXISTS (SELECT 1 FROM journal)").pluck().get()
    if (used === 1) throw new TypeError('the target holds a log already: name an empty or new one')
  }

  #drop (): void {
    for (const table of TABLES) this.#database.exec(`DELETE FROM ${table}`)
    this.#database.exec("DELETE FROM sqlite_sequence WHERE name IN ('log', 'journal'); DELETE FROM meta WHERE key = 'moved'")
    this.#names.forget()
  }

  #takeEntries (records: ReadonlyArray<Of<'entry'>>): void {
    const values: unknown[] = []
    for (const { entry, givenId } of records) encodeEntry(values, this.#names.ensure(entry.collection), entry, { id: givenId, document: entry.document })
    this.#log.run(values)
    if (records.length > 0) this.#heads.run(records[0]!.entry.sequence, records.at(-1)!.entry.sequence)
  }

  /** Those that a head tells are not written down here: see `isIdentityOf`. */
  #takeIdentities (identities: readonly IdentityRecord[]): void {
    const values: unknown[] = []
    for (const { collection, documentId, identity, sequence, serverTimestamp } of identities) {
      const number = this.#names.ensure(collection)
      const row = this.#head.get(number, documentId) as FactsRow | undefined
      const head = row?.[0] === sequence ? decodeFacts(row, collection) : null
      if (head?.exact !== true || !isIdentityOf(identity, head)) values.push(number, documentId, identity, sequence, serverTimestamp)
    }
    this.#identities.run(values)
  }

  #channelRow ({ collection, documentId, channel, position, member }: ChannelRecord): unknown[] {
    return [this.#names.ensure(collection), documentId, channel, position, member ? 1 : 0]
  }

  /** What AUTOINCREMENT has given out: an id is never given again. */
  #given (table: string, newest: number): void {
    this.#database.prepare('DELETE FROM sqlite_sequence WHERE name = ?').run(table)
    this.#database.prepare('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)').run(table, BigInt(newest))
  }
}

function pushRow ({ messageId, key, fingerprint, first, outcome, serverTimestamp }: PushRecord): unknown[] {
  return [messageId, key, fingerprint, first, outcome, serverTimestamp]
}

/** Half a pair has no UTF-8: it would be stored as another character. */
function requireText (record: MovedRecord): void {
  const { key, texts } = textsOf(record)
  if (!texts.some(text => typeof text === 'string' && /\p{Cs}/u.test(text))) return
  const where = key === null ? 'a record of a push' : `the ${record.kind} record of ${key.collection}/${key.documentId}`
  throw new TypeError(`${where} holds half of a surrogate pair, which a file cannot hold: delete the document at the source and compact it`)
}

function textsOf (record: MovedRecord): { key: DocumentKey | null, texts: readonly unknown[] } {
  if (record.kind === 'entry') return { key: record.entry, texts: Object.values(record.entry) }
  if (record.kind === 'identity') return { key: record.identity, texts: Object.values(record.identity) }
  if (record.kind === 'channel') return { key: record.channel, texts: Object.values(record.channel) }
  if (record.kind === 'journal') return { key: record.row, texts: Object.values(record.row) }
  return { key: null, texts: Object.values(record.push) }
}
