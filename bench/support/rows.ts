/**
 * The rows of pushes, laid out beforehand and written as fast as SQLite can: entry, head, identity and push record, as
 * the bar names them. The server itself records the identity of an insert only when an update replaces it.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Database } from '../../src/changelog/sqlite/driver.ts'
import { MultiInsert } from '../../src/changelog/sqlite/insert.ts'
import { encodeEntry, LOG_COLUMNS } from '../../src/changelog/sqlite/rows.ts'
import { documentText, Series } from './documents.ts'

const DOCUMENTS = 1000
const PER_PUSH = 100
/** Blocks of documents that updates go round. */
const UPDATED_BLOCKS = 16

/** The documents of one transaction. */
interface Block {
  readonly ids: readonly string[]
  readonly entries: unknown[]
  readonly heads: unknown[]
  readonly identities: unknown[]
  readonly pushes: unknown[]
}

export class RowWriter {
  readonly #database: Database
  readonly #log: MultiInsert
  readonly #heads: MultiInsert
  readonly #identities: MultiInsert
  readonly #pushes: MultiInsert
  readonly #ids = new Series()
  readonly #messages = new Series()
  readonly #written: Array<{ ids: readonly string[], first: number }> = []
  #next: number
  #turn = 0
  #round = UPDATED_BLOCKS

  constructor (database: Database) {
    this.#database = database
    this.#log = new MultiInsert(database, { head: `INSERT INTO log (${LOG_COLUMNS})`, width: 18 })
    this.#heads = new MultiInsert(database, {
      head: 'INSERT INTO heads (collection, document_id, sequence, deleted)',
      width: 4,
      tail: 'ON CONFLICT DO UPDATE SET sequence = excluded.sequence, deleted = excluded.deleted'
    })
    this.#identities = new MultiInsert(database, {
      head: 'INSERT INTO identities (collection, document_id, identity, sequence, server_timestamp)',
      width: 5,
      tail: 'ON CONFLICT DO NOTHING'
    })
    this.#pushes = new MultiInsert(database, { head: 'INSERT INTO pushes (message_id, key, fingerprint, first, outcome, server_timestamp)', width: 6 })
    database.exec("INSERT OR IGNORE INTO collections (id, name) VALUES (1, 'todos')")
    this.#next = Number(database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").pluck().get() ?? 0) + 1
  }

  /** @param updates of documents written before, else new ones @param documents how many new ones */
  block (updates: boolean, documents = DOCUMENTS): Block {
    const before = updates ? this.#written[this.#turn++ % this.#round] : undefined
    const ids = before?.ids ?? Array.from({ length: documents }, () => this.#ids.next())
    const block: Block = { ids, entries: [], heads: [], identities: [], pushes: [] }
    const now = Date.now()
    for (const [index, id] of ids.entries()) this.#lay(block, { id, now, previous: before === undefined ? 0 : before.first + index, sequence: this.#next + index })
    for (let index = 0; index < ids.length; index += PER_PUSH) block.pushes.push(this.#messages.next(), randomBytes(32), randomBytes(32), this.#next + index, '', now)
    if (before !== undefined) before.first = this.#next
    else if (this.#written.length < this.#round) this.#written.push({ ids, first: this.#next })
    this.#next += ids.length
    return block
  }

  /** Updates go round that many documents. */
  goRound (documents: number): void {
    this.#round = documents / DOCUMENTS
  }

  /** So that every block of updates finds documents to update. */
  fillForUpdates (): void {
    while (this.#written.length < this.#round) this.write(this.block(false))
  }

  /** One transaction. @param clock told when the layout is over @returns how many documents */
  write ({ ids, entries, heads, identities, pushes }: Block, clock?: { begin (): void }): number {
    clock?.begin()
    this.#database.exec('BEGIN IMMEDIATE')
    this.#log.run(entries)
    this.#heads.run(heads)
    this.#identities.run(identities)
    this.#pushes.run(pushes)
    this.#database.exec('COMMIT')
    return ids.length
  }

  #lay (block: Block, { id, now, previous, sequence }: { id: string, now: number, previous: number, sequence: number }): void {
    const document = documentText(id, previous, now)
    const hash = createHash('sha256').update(document).digest()
    const identity = Buffer.alloc(hash.length + 8)
    identity.set(hash)
    identity.writeBigUInt64BE(BigInt(now), hash.length)
    encodeEntry(block.entries, 1, {
      sequence,
      collection: 'todos',
      documentId: id,
      operation: previous === 0 ? 'insert' : 'update',
      timestamp: now,
      effectiveTime: now,
      serverTimestamp: now,
      userId: null,
      clientId: 'loaded',
      address: '127.0.0.1',
      rev: null,
      hash,
      previous,
      exact: true
    }, { id: null, document })
    block.heads.push(1, id, sequence, 0)
    block.identities.push(1, id, identity, sequence, now)
  }
}
