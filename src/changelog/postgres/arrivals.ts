/** A log as the target of a move: nobody serves it until all has come. */
import { randomBytes } from 'node:crypto'
import { SyncError } from '../../errors.ts'
import type { EntryFacts } from '../changelog.ts'
import type { LogFacts, MovedRecord, MoveSource } from '../moving.ts'
import { blobs, flags, numbers, texts } from './arrays.ts'
import type { Connection } from './connection.ts'
import { headName } from './group.ts'
import { JOURNAL, JOURNAL_TYPES, journalColumns, WEIGHT } from './journal.ts'
import type { Lineage } from './lineage.ts'
import { migrate } from './migrations.ts'
import { ENTRY_COLUMNS, ENTRY_TYPES, entryColumns } from './rows.ts'
import type { Server } from './server.ts'
import { statement, type Statement } from './statement.ts'
import { toText } from './text.ts'

const FILLED = ['entries', 'heads', 'identities', 'channels', 'pushes', 'journal', 'epochs'] as const

type Of<K extends MovedRecord['kind']> = Extract<MovedRecord, { kind: K }>

export class Arrivals {
  readonly #server: Server
  readonly #lineage: Lineage
  readonly #row: Statement
  readonly #begin: Statement
  readonly #note: Statement
  readonly #entries: Statement
  readonly #heads: Statement
  readonly #identities: Statement
  readonly #channels: Statement
  readonly #pushes: Statement
  readonly #journal: Statement
  readonly #epochs: Statement
  readonly #end: Statement

  constructor (server: Server, lineage: Lineage) {
    const { schema } = server.options
    this.#server = server
    this.#lineage = lineage
    this.#row = statement(schema, 'SELECT l.move_source, l.move_progress, l.head = 0 AND l.journal_head = 0 AND NOT EXISTS (SELECT 1 FROM pocket.pushes p WHERE p.log = l.log) FROM pocket.logs l WHERE l.log = $1 FOR UPDATE')
    this.#begin = statement(schema, 'UPDATE pocket.logs SET move_source = $2, move_progress = NULL WHERE log = $1')
    this.#note = statement(schema, 'UPDATE pocket.logs SET move_progress = $2 WHERE log = $1')
    this.#entries = statement(schema, `INSERT INTO pocket.entries (log, ${ENTRY_COLUMNS}) SELECT $1, * FROM unnest(${arrays(ENTRY_TYPES)}) ON CONFLICT DO NOTHING`)
    this.#heads = statement(schema, `INSERT INTO pocket.heads AS h (log, collection, document_id, sequence, deleted) SELECT $1, * FROM unnest(${arrays(['text', 'text', 'int8', 'bool'])})
      ON CONFLICT (log, collection, document_id) DO UPDATE SET sequence = excluded.sequence, deleted = excluded.deleted WHERE h.sequence < excluded.sequence`)
    this.#identities = statement(schema, `INSERT INTO pocket.identities (log, collection, document_id, identity, sequence, server_timestamp) SELECT $1, * FROM unnest(${arrays(['text', 'text', 'bytea', 'int8', 'int8'])}) ON CONFLICT DO NOTHING`)
    this.#channels = statement(schema, `INSERT INTO pocket.channels (log, collection, document_id, channel, position, member) SELECT $1, * FROM unnest(${arrays(['text', 'text', 'text', 'int8', 'bool'])}) ON CONFLICT DO NOTHING`)
    this.#pushes = statement(schema, `INSERT INTO pocket.pushes (log, message_id, key, fingerprint, first, outcome, server_timestamp) SELECT $1, * FROM unnest(${arrays(['text', 'bytea', 'bytea', 'int8', 'text', 'int8'])}) ON CONFLICT DO NOTHING`)
    this.#journal = statement(schema, `INSERT INTO pocket.journal (log, ${JOURNAL}) SELECT $1, * FROM unnest(${arrays(JOURNAL_TYPES)}) ON CONFLICT DO NOTHING`)
    this.#epochs = statement(schema, 'INSERT INTO pocket.epochs (log, number, id, first, started) SELECT $1, k.n, k.id, k.first, k.started FROM unnest($2::text[], $3::int8[], $4::int8[]) WITH ORDINALITY k (id, first, started, n)')
    this.#end = statement(schema, `UPDATE pocket.logs SET head = $2, horizon = $3, history_horizon = $4, secret = $5, filed_by = $6::text, filing = $7, journal_head = $8, epoch = $9, server = '', move_source = NULL, move_progress = NULL,
      channels = $6::text IS NOT NULL OR EXISTS (SELECT 1 FROM pocket.channels c WHERE c.log = $1), journal_bytes = (SELECT coalesce(sum(${WEIGHT}), 0) FROM pocket.journal WHERE log = $1) WHERE log = $1`)
  }

  async begin ({ log, state }: MoveSource): Promise<{ progress: string | null }> {
    await migrate(this.#server)
    return await this.#server.transaction('SELECT 1', async connection => {
      await this.#lineage.create(connection, randomBytes(32))
      const [moving, progress, empty] = await this.#held(connection)
      if (moving === JSON.stringify([log, state])) {
        await connection.script('ROLLBACK')
        return { progress }
      }
      if (moving === null ? !empty : (JSON.parse(moving) as string[])[0] !== log) {
        throw new TypeError(moving === null ? 'there is a log already: name another schema or tenant' : 'another log is being moved there: let "pocket-server copy" finish, or name another schema or tenant')
      }
      for (const table of FILLED) await connection.run(statement(this.#server.options.schema, `DELETE FROM pocket.${table} WHERE log = $1`), [this.#lineage.log])
      await connection.run(this.#begin, [this.#lineage.log, JSON.stringify([log, state])])
      await connection.commit()
      return { progress: null }
    })
  }

  async take (records: readonly MovedRecord[], progress: string): Promise<void> {
    assertHeld(records)
    await this.#arriving(async connection => {
      const { log } = this.#lineage
      const of = <K extends MovedRecord['kind']> (kind: K): Array<Of<K>> => records.filter((record): record is Of<K> => record.kind === kind)
      const entries = of('entry')
      if (entries.length > 0) {
        await connection.run(this.#entries, [log, ...entryColumns(entries.map(({ entry, givenId }) => ({ facts: entry, document: entry.document, id: givenId })))])
        await connection.run(this.#heads, [log, ...headColumns(newestOf(entries))])
      }
      const identities = of('identity').map(({ identity }) => identity)
      if (identities.length > 0) await connection.run(this.#identities, [log, ...keyColumns(identities), blobs(identities.map(row => row.identity)), numbers(identities.map(row => row.sequence)), numbers(identities.map(row => row.serverTimestamp))])
      const channels = of('channel').map(({ channel }) => channel)
      if (channels.length > 0) await connection.run(this.#channels, [log, ...keyColumns(channels), texts(channels.map(row => toText(row.channel))), numbers(channels.map(row => row.position)), flags(channels.map(row => row.member))])
      const pushes = of('push').map(({ push }) => push)
      if (pushes.length > 0) {
        await connection.run(this.#pushes, [log, texts(pushes.map(row => toText(row.messageId))), blobs(pushes.map(row => row.key)), blobs(pushes.map(row => row.fingerprint)), numbers(pushes.map(row => row.first)), texts(pushes.map(row => toText(row.outcome))), numbers(pushes.map(row => row.serverTimestamp))])
      }
      const journal = of('journal').map(({ row }) => row)
      if (journal.length > 0) await connection.run(this.#journal, [log, ...journalColumns(journal)])
      await connection.run(this.#note, [log, toText(progress)])
    })
  }

  async end ({ head, horizon, historyHorizon, secret, filedBy, filing, journalHead, epochs }: LogFacts): Promise<void> {
    await this.#arriving(async connection => {
      const { log } = this.#lineage
      await connection.run(this.#epochs, [log, texts(epochs.map(({ id }) => id)), numbers(epochs.map(({ first }) => first)), numbers(epochs.map(({ started }) => started))])
      await connection.run(this.#end, [log, head, horizon, historyHorizon, Buffer.from(secret), filedBy === '' ? null : toText(filedBy), filing, journalHead, epochs.at(-1)!.id])
    })
    this.#server.statistics.grown(0, head)
  }

  async #arriving (work: (connection: Connection) => Promise<void>): Promise<void> {
    await this.#server.transaction('SELECT 1', async connection => {
      const [moving] = await this.#held(connection)
      if (moving === null) throw new TypeError('begin comes before take and end')
      await work(connection)
      await connection.commit()
    })
  }

  async #held (connection: Connection): Promise<[moving: string | null, progress: string | null, empty: boolean]> {
    const [row] = await connection.run(this.#row, [this.#lineage.log])
    if (row === undefined) throw new SyncError('storage_unavailable', { detail: 'the log that moves is gone: begin anew' })
    return row as [string | null, string | null, boolean]
  }
}

function arrays (types: readonly string[]): string {
  return types.map((type, i) => `$${i + 2}::${type}[]`).join(', ')
}

/** @throws TypeError naming a document that PostgreSQL cannot hold */
function assertHeld (records: readonly MovedRecord[]): void {
  for (const record of records) {
    if (record.kind === 'entry' && record.entry.document?.includes('\0') === true) {
      throw new TypeError(`the document ${record.entry.documentId} in ${record.entry.collection} has the character U+0000, which is no JSON and which PostgreSQL cannot hold`)
    }
  }
}

function newestOf (entries: ReadonlyArray<Of<'entry'>>): EntryFacts[] {
  const newest = new Map<string, EntryFacts>()
  for (const { entry } of entries) {
    const before = newest.get(headName(entry))
    if (before === undefined || before.sequence < entry.sequence) newest.set(headName(entry), entry)
  }
  return [...newest.values()]
}

function keyColumns (rows: ReadonlyArray<{ readonly collection: string, readonly documentId: string }>): Buffer[] {
  return [texts(rows.map(row => toText(row.collection))), texts(rows.map(row => toText(row.documentId)))]
}

function headColumns (rows: readonly EntryFacts[]): Buffer[] {
  return [...keyColumns(rows), numbers(rows.map(row => row.sequence)), flags(rows.map(row => row.operation === 'delete'))]
}
