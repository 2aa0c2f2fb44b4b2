/** Dropping what is not needed any more, a few rows at a time. Every step runs in a transaction of the writer. */
import { ChannelRows } from './channels.ts'
import type { Database, Statement } from './driver.ts'
import { JournalWriter } from './journal.ts'

export type IdentityPlace = [collection: number, documentId: string, identity: Buffer]

type LogRow = [sequence: number, previous: number, serverTimestamp: number, head: number, deleted: number]
type TombstoneRow = [sequence: number, previous: number, serverTimestamp: number, collection: number, documentId: string]

export class Compaction {
  readonly #journal: JournalWriter
  readonly #channels: ChannelRows
  readonly #log: Statement
  readonly #previous: Statement
  readonly #delete: Statement
  readonly #tombstones: Statement
  readonly #deleteHead: Statement
  readonly #horizon: Statement
  readonly #identities: Statement
  readonly #deleteIdentity: Statement
  readonly #pushes: Statement
  readonly #deletePush: Statement
  readonly #database: Database

  constructor (database: Database) {
    this.#database = database
    this.#journal = new JournalWriter(database, Infinity)
    this.#channels = new ChannelRows(database)
    this.#log = database.prepare(`SELECT l.sequence, l.previous, l.server_timestamp, h.sequence, h.deleted FROM log l
      LEFT JOIN heads h ON h.collection = l.collection AND h.document_id = l.document_id WHERE l.sequence > ? ORDER BY l.sequence LIMIT 0 + ?`).raw()
    this.#previous = database.prepare('SELECT previous FROM log WHERE sequence = ?').pluck()
    this.#delete = database.prepare('DELETE FROM log WHERE sequence = ?')
    this.#tombstones = database.prepare(`SELECT h.sequence, l.previous, l.server_timestamp, h.collection, h.document_id FROM heads h INDEXED BY heads_tombstones
      CROSS JOIN log l ON l.sequence = h.sequence WHERE h.deleted = 1 ORDER BY h.sequence LIMIT 0 + ?`).raw()
    this.#deleteHead = database.prepare('DELETE FROM heads WHERE collection = ? AND document_id = ?')
    this.#horizon = database.prepare("UPDATE meta SET value = max(value, ?) WHERE key = 'horizon'")
    this.#identities = database.prepare(`SELECT collection, document_id, identity, server_timestamp FROM identities
      WHERE (collection, document_id, identity) > (?, ?, ?) ORDER BY collection, document_id, identity LIMIT 0 + ?`).raw()
    this.#deleteIdentity = database.prepare('DELETE FROM identities WHERE collection = ? AND document_id = ? AND identity = ?')
    this.#pushes = database.prepare('SELECT id, server_timestamp FROM pushes WHERE id > ? ORDER BY id LIMIT 0 + ?').raw()
    this.#deletePush = database.prepare('DELETE FROM pushes WHERE id = ?')
  }

  /** Superseded entries among the next `limit` ones. @returns the place to go on from, null at the end */
  history (after: number, before: number, limit: number): number | null {
    const rows = this.#log.all(after, limit) as LogRow[]
    for (const row of rows) if (row[2] < before && this.#superseded(row)) this.#delete.run(row[0])
    return rows.length < limit ? null : rows.at(-1)![0]
  }

  /**
   * Tombstones in sequence order up to the first that is kept, so that the horizon says exactly what is gone.
   * @returns whether there may be more
   */
  tombstones (before: number, limit: number): boolean {
    const rows = this.#tombstones.all(limit) as TombstoneRow[]
    const young = rows.findIndex(row => row[2] >= before)
    const old = young < 0 ? rows : rows.slice(0, young)
    for (const [sequence, previous, , collection, documentId] of old) {
      this.#deleteHead.run(collection, documentId)
      this.#channels.drop(collection, documentId)
      this.#delete.run(sequence)
      this.#dropChain(previous)
    }
    if (old.length > 0) this.#horizon.run(BigInt(old.at(-1)![0]))
    return young < 0 && rows.length === limit
  }

  identities (after: IdentityPlace | null, before: number, limit: number): IdentityPlace | null {
    const rows = this.#identities.all(...after ?? [0, '', Buffer.alloc(0)], limit) as Array<[...IdentityPlace, number]>
    for (const [collection, documentId, identity, time] of rows) {
      if (time < before) this.#deleteIdentity.run(collection, documentId, identity)
    }
    return rows.length < limit ? null : rows.at(-1)!.slice(0, 3) as IdentityPlace
  }

  /** Records among the next `limit` ones. @returns the place to go on from, null at the end */
  pushes (after: number, before: number, limit: number): number | null {
    const rows = this.#pushes.all(after, limit) as Array<[id: number, time: number]>
    for (const [id, time] of rows) if (time < before) this.#deletePush.run(id)
    return rows.length < limit ? null : rows.at(-1)![0]
  }

  journal (before: number, limit: number): boolean {
    return this.#journal.dropBefore(before, limit) === limit
  }

  discardJournal (ids: readonly number[]): number {
    return this.#journal.discard(ids)
  }

  /** Gives free pages back to the disk but for `kept`; not in a transaction. */
  vacuum (kept: number, pages: number): boolean {
    const free = this.#database.pragma('freelist_count', { simple: true }) as number
    if (free <= kept) return false
    this.#database.pragma(`incremental_vacuum(${Math.min(pages, free - kept)})`)
    return (this.#database.pragma('freelist_count', { simple: true }) as number) < free
  }

  /**
   * Not a head, nor the last body of a tombstone: by that one a reader's right to learn of the deletion is judged.
   * Nor one with an older entry kept, as after a jump of the clock: the document's history would break there.
   */
  #superseded ([sequence, previous, , head, deleted]: LogRow): boolean {
    if (head === sequence) return false
    if (deleted === 1 && this.#previous.get(head) === sequence) return false
    return previous === 0 || this.#previous.get(previous) === undefined
  }

  #dropChain (sequence: number): void {
    for (let next: number | undefined = sequence; next !== undefined && next !== 0;) {
      const previous = this.#previous.get(next) as number | undefined
      this.#delete.run(next)
      next = previous
    }
  }
}
