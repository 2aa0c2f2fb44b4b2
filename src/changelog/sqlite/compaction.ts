/** Dropping what is not needed any more. */
import { Blocks } from './blocks.ts'
import { ChannelRows } from './channels.ts'
import type { Database, Statement } from './driver.ts'
import { JournalWriter } from './journal.ts'
import { Names } from './names.ts'

/**
 * Work in pieces that take a moment each. It may be left for ever after any of them, and between two of them
 * others may commit.
 */
export type Work = Generator<void, void>

type LogRow = [sequence: number, previous: number, serverTimestamp: number, operation: number]
type LinkRow = [previous: number, operation: number]
type TombstoneRow = [sequence: number, previous: number, serverTimestamp: number, collection: number, documentId: string]
type IdentityRow = [collection: number, documentId: string, identity: Buffer, serverTimestamp: number]

/** How far a look for superseded versions has come. */
interface Look {
  after: number
  /** Up to here nothing will have to be looked at again. */
  settled: number
  inOrder: boolean
  ended: boolean
}

/** Entries found before they are dropped: sorted in 3 ms. */
const BATCH = 50_000
/** Looked at in one piece: under a millisecond. */
const ROWS = 250
const VACUUM_PAGES = 16
const DELETE = 2

export class Compaction {
  /** Only what is sealed is dropped: seal first. */
  readonly blocks: Blocks
  readonly #journal: JournalWriter
  readonly #channels: ChannelRows
  readonly #log: Statement
  readonly #link: Statement
  readonly #tombstones: Statement
  readonly #deleteHead: Statement
  readonly #horizon: Statement
  readonly #historyHorizon: Statement
  readonly #identities: Statement
  readonly #deleteIdentity: Statement
  readonly #pushes: Statement
  readonly #deletePush: Statement
  readonly #database: Database
  #pages = 0
  /** What entries up to here superseded is gone: the next run goes on behind them. */
  #settled = 0
  /** None was older at the last look: until one can be too old, not all of them need be looked at. What was recorded since, of an older entry, goes with the next look. */
  #oldestIdentity = -Infinity

  constructor (database: Database) {
    this.#database = database
    this.blocks = new Blocks(database, new Names(database))
    this.#journal = new JournalWriter(database, Infinity)
    this.#channels = new ChannelRows(database)
    this.#log = database.prepare('SELECT sequence, previous, server_timestamp, operation FROM log WHERE sequence > ? ORDER BY sequence LIMIT 0 + ?').raw()
    this.#link = database.prepare('SELECT previous, operation FROM log WHERE sequence = ?').raw()
    this.#tombstones = database.prepare(`SELECT h.sequence, l.previous, l.server_timestamp, h.collection, h.document_id FROM heads h INDEXED BY heads_tombstones
      CROSS JOIN log l ON l.sequence = h.sequence WHERE h.deleted = 1 ORDER BY h.sequence LIMIT 0 + ?`).raw()
    this.#deleteHead = database.prepare('DELETE FROM heads WHERE collection = ? AND document_id = ? AND sequence = ?')
    this.#horizon = database.prepare("UPDATE meta SET value = max(value, ?) WHERE key = 'horizon'")
    this.#historyHorizon = database.prepare("UPDATE meta SET value = max(value, ?) WHERE key = 'history_horizon'")
    this.#identities = database.prepare(`SELECT collection, document_id, identity, server_timestamp FROM identities
      WHERE (collection, document_id, identity) > (?, ?, ?) ORDER BY collection, document_id, identity LIMIT 0 + ?`).raw()
    this.#deleteIdentity = database.prepare('DELETE FROM identities WHERE collection = ? AND document_id = ? AND identity = ?')
    this.#pushes = database.prepare('SELECT id, server_timestamp FROM pushes WHERE id > ? ORDER BY id LIMIT 0 + ?').raw()
    this.#deletePush = database.prepare('DELETE FROM pushes WHERE id = ?')
  }

  /**
   * Versions that were superseded before a time. Times rise along the log but where a clock was set back, so it
   * ends at the first entry that is too young, and what was written under a clock that ran ahead is passed over.
   */
  * history (before: number, now: number): Work {
    const look: Look = { after: this.#settled, settled: this.#settled, inOrder: true, ended: false }
    while (!look.ended) {
      const gone = new Set<number>()
      yield * this.#superseded(gone, look, { before, now })
      yield * this.#deleteAll(Float64Array.from(gone).sort())
      this.#settled = look.settled
    }
  }

  /**
   * Found first and dropped in the order of the log, since what superseded one another lies far apart: each block of
   * the audit chain is then changed once for many entries.
   */
  * #superseded (gone: Set<number>, look: Look, { before, now }: { before: number, now: number }): Work {
    const sealed = this.blocks.sealed()
    for (let rows: LogRow[]; gone.size < BATCH && (rows = this.#log.all(look.after, ROWS) as LogRow[]).length > 0; yield) {
      for (const row of rows) {
        const [sequence, , time] = row
        look.ended = sequence > sealed || (time >= before && time <= now)
        if (look.ended) return
        look.after = sequence
        if (time >= before) look.inOrder = false
        else yield * this.#supersede(row, gone)
        if (look.inOrder) look.settled = sequence
      }
    }
    look.ended = gone.size < BATCH
  }

  /** Tombstones in sequence order up to the first that is kept, so that the horizon says exactly what is gone. */
  * tombstones (before: number): Work {
    const sealed = this.blocks.sealed()
    for (let rows: TombstoneRow[]; (rows = this.#tombstones.all(ROWS) as TombstoneRow[]).length > 0; yield) {
      for (const row of rows) {
        if (row[0] > sealed || row[2] >= before) return
        yield * this.#purge(row)
      }
    }
  }

  /**
   * All are read, since they lie by document: an index by time would cost every push 6 % (measured).
   */
  * identities (before: number): Work {
    if (before <= this.#oldestIdentity) return
    let place: readonly unknown[] = [0, '', Buffer.alloc(0)]
    let oldest = Infinity
    for (let rows: IdentityRow[]; (rows = this.#identities.all(...place, ROWS) as IdentityRow[]).length > 0; yield) {
      for (const [collection, documentId, identity, time] of rows) {
        place = [collection, documentId, identity]
        if (time >= before) {
          oldest = Math.min(oldest, time)
          continue
        }
        this.#deleteIdentity.run(...place)
        yield
      }
    }
    this.#oldestIdentity = oldest === Infinity ? before : oldest
  }

  * pushes (before: number): Work {
    for (let after = 0, rows: Array<[id: number, time: number]>; (rows = this.#pushes.all(after, ROWS) as typeof rows).length > 0; yield) {
      for (const [id, time] of rows) {
        after = id
        if (time >= before) continue
        this.#deletePush.run(id)
        yield
      }
    }
  }

  /** A row at a time: their texts may be long. */
  * journal (before: number): Work {
    while (this.#journal.dropBefore(before, 1) > 0) yield
  }

  discardJournal (ids: readonly number[]): number {
    return this.#journal.discard(ids)
  }

  /** Gives free pages back to the disk but for `kept`. */
  * vacuum (kept: number): Work {
    const free = (): number => this.#database.pragma('freelist_count', { simple: true }) as number
    for (let before = free(); before > kept; before = free()) {
      this.#database.pragma(`incremental_vacuum(${Math.min(VACUUM_PAGES, before - kept)})`)
      if (free() >= before) return
      yield
    }
  }

  /** @param pages in the WAL that start a checkpoint until the end */
  begin (pages: number): void {
    this.#pages = this.#database.pragma('wal_autocheckpoint', { simple: true }) as number
    this.#database.pragma(`wal_autocheckpoint = ${pages}`)
  }

  /** With a checkpoint the file is as short as it has become. */
  end (): void {
    this.#database.pragma(`wal_autocheckpoint = ${this.#pages}`)
    this.#database.pragma('wal_checkpoint(PASSIVE)')
  }

  /** At the end of each transaction. */
  settle (): void {
    this.blocks.settle()
  }

  /** After a failure nobody knows which of the last pieces were kept. */
  forget (): void {
    this.#settled = 0
    this.#oldestIdentity = -Infinity
    this.blocks.forget()
  }

  /**
   * Finds what a version that lives has superseded: the one before it, or a deletion with what that deleted, by which
   * a reader's right to learn of it is judged. Not where an older version is kept, as after a jump of the clock: the
   * document's history would break there.
   */
  * #supersede ([sequence, previous, , operation]: LogRow, gone: Set<number>): Work {
    if (operation === DELETE) return
    const chain: number[] = []
    for (let next = previous, kind = DELETE; next !== 0;) {
      const link = this.#link.get(next) as LinkRow | undefined
      if (link === undefined || gone.has(next)) break
      if (kind !== DELETE) return
      chain.push(next);
      [next, kind] = link
      yield
    }
    if (chain.length > 0) this.#historyHorizon.run(BigInt(sequence))
    for (const old of chain) gone.add(old)
  }

  /** From its oldest version on, so that a purge that was left goes on; the last body goes with the tombstone. */
  * #purge ([sequence, previous, , collection, documentId]: TombstoneRow): Work {
    const chain: number[] = []
    for (let next = previous; next !== 0;) {
      const link = this.#link.get(next) as LinkRow | undefined
      if (link === undefined) break
      chain.push(next)
      next = link[0]
      yield
    }
    // Before anything goes, since it may be left after any piece.
    this.#historyHorizon.run(BigInt(sequence))
    yield * this.#deleteAll(chain.slice(1).reverse())
    // Somebody may have brought it back meanwhile.
    if (this.#deleteHead.run(collection, documentId, sequence).changes === 0) return
    this.#channels.drop(collection, documentId)
    if (chain[0] !== undefined) this.blocks.drop(chain[0])
    this.blocks.drop(sequence)
    this.#horizon.run(BigInt(sequence))
    yield
  }

  /** @param sequences oldest first: a chain that is left goes on from its end */
  * #deleteAll (sequences: Iterable<number>): Work {
    for (const sequence of sequences) {
      this.blocks.drop(sequence)
      yield
    }
  }
}
