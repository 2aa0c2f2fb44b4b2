/** Dropping what is not needed any more, in short transactions between which commits and reads go on. */
import { setTimeout } from 'node:timers/promises'
import type { CompactPolicy } from '../changelog.ts'
import { numbers } from './arrays.ts'
import type { Connection } from './connection.ts'
import { JournalCleaner } from './journal.ts'
import { Lease } from './lease.ts'
import type { Lineage } from './lineage.ts'
import { DELETE } from './rows.ts'
import type { Server } from './server.ts'
import { statement, type Statement, type Tuple } from './statement.ts'

/** How long a step should take, ms: commits wait for it. */
const STEP_TIME = 10
/** Between two steps at most, ms: whoever closes the log waits for it. */
const LONGEST_REST = 250
const FEWEST = 50
const MOST = 5000

/** What entries up to this sequence superseded is gone: the next run goes on behind them. */
const SETTLED = 'settled'
/** No recorded identity was older at the last look. */
const OLDEST_IDENTITY = 'oldest identity'

/** Another node is at it, or this one has been closed. */
class Ended extends Error {}

interface Link { readonly previous: number, readonly operation: number }

export interface CompactRun {
  /** Asked between the steps; false ends the compaction. */
  readonly goOn: () => boolean
  /** The server's clock, ms. */
  readonly now: number
}

export class Compaction {
  readonly #server: Server
  readonly #lineage: Lineage
  readonly #lease: Lease
  readonly #journal: JournalCleaner
  readonly #links: Statement
  readonly #tombstones: Statement
  readonly #chains: Statement
  readonly #drop: Statement
  readonly #purge: Statement
  readonly #identities: Statement
  readonly #pushes: Statement
  /** Rows of a step, as many as the last ones took time. */
  #size = 500

  constructor (server: Server, lineage: Lineage) {
    const { schema } = server.options
    this.#server = server
    this.#lineage = lineage
    this.#lease = new Lease(server, lineage, 'compact')
    this.#journal = new JournalCleaner(schema)
    // With each version those that it superseded, down to one more than would go.
    this.#links = statement(schema, `WITH RECURSIVE page AS MATERIALIZED (SELECT e.sequence, e.previous, e.server_timestamp, e.operation FROM pocket.entries e WHERE e.log = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3),
      chain (sequence, previous, operation, last) AS (
        SELECT e.sequence, e.previous, e.operation, false FROM page p CROSS JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = p.previous OFFSET 0) e
        UNION SELECT e.sequence, e.previous, e.operation, c.operation <> ${DELETE} FROM chain c CROSS JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = c.previous OFFSET 0) e WHERE NOT c.last)
      SELECT p.sequence, p.previous, p.operation, p.server_timestamp FROM page p UNION ALL SELECT c.sequence, c.previous, c.operation, NULL FROM chain c`)
    this.#tombstones = statement(schema, `SELECT h.sequence, e.server_timestamp FROM (SELECT h.sequence FROM pocket.heads h WHERE h.log = $1 AND h.deleted AND h.sequence > $2 ORDER BY h.sequence LIMIT $3) h
      CROSS JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = h.sequence OFFSET 0) e ORDER BY h.sequence`)
    this.#chains = statement(schema, `WITH RECURSIVE chain (sequence, previous, n) AS (
        SELECT e.sequence, e.previous, 0 FROM unnest($2::int8[]) k (sequence) CROSS JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = k.sequence OFFSET 0) e
        UNION ALL SELECT e.sequence, e.previous, c.n + 1 FROM chain c CROSS JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = c.previous OFFSET 0) e)
      SELECT sequence FROM chain WHERE n > 1 ORDER BY sequence`)
    this.#drop = statement(schema, `WITH gone AS (DELETE FROM pocket.entries WHERE log = $1 AND sequence = ANY ($2::int8[]))
      UPDATE pocket.logs SET history_horizon = greatest(history_horizon, $3) WHERE log = $1`)
    // Somebody may have brought one back meanwhile. The last body goes with its tombstone.
    this.#purge = statement(schema, `WITH gone AS (DELETE FROM pocket.heads h WHERE h.log = $1 AND h.sequence = ANY ($2::int8[]) AND h.deleted RETURNING h.collection, h.document_id, h.sequence),
      bodies AS (SELECT e.previous AS sequence FROM gone g CROSS JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = g.sequence OFFSET 0) e),
      entries AS (DELETE FROM pocket.entries WHERE log = $1 AND sequence = ANY (ARRAY(SELECT sequence FROM gone UNION ALL SELECT sequence FROM bodies))),
      channels AS (DELETE FROM pocket.channels c USING gone g WHERE c.log = $1 AND c.collection = g.collection AND c.document_id = g.document_id)
      UPDATE pocket.logs SET horizon = greatest(horizon, (SELECT max(sequence) FROM gone)), history_horizon = greatest(history_horizon, (SELECT max(sequence) FROM gone)) WHERE log = $1`)
    // All are read, since they lie by document: an index by time would cost every push.
    this.#identities = statement(schema, `WITH page AS MATERIALIZED (SELECT i.ctid AS place, i.collection, i.document_id, i.identity, i.server_timestamp FROM pocket.identities i
        WHERE i.log = $1 AND (i.collection, i.document_id, i.identity) > ($2, $3, $4) ORDER BY i.collection, i.document_id, i.identity LIMIT $5),
      gone AS (DELETE FROM pocket.identities WHERE log = $1 AND ctid = ANY (ARRAY(SELECT place FROM page WHERE server_timestamp < $6)))
      SELECT p.collection, p.document_id, p.identity, (SELECT min(server_timestamp) FROM page WHERE server_timestamp >= $6) FROM page p ORDER BY p.collection DESC, p.document_id DESC, p.identity DESC LIMIT 1`)
    this.#pushes = statement(schema, `WITH gone AS (DELETE FROM pocket.pushes WHERE log = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM pocket.pushes WHERE log = $1 AND server_timestamp < $2 LIMIT $3)) RETURNING 1)
      SELECT count(*) FROM gone`)
  }

  /** Does nothing while another node does it. */
  async run (policy: CompactPolicy, run: CompactRun): Promise<void> {
    if (!await this.#lease.take()) return
    try {
      await this.#all(policy, run)
    } catch (error) {
      if (!(error instanceof Ended)) throw error
    } finally {
      await this.#lease.release()
    }
  }

  /** @returns how many rows of the journal there were */
  discardJournal (ids: readonly number[]): Promise<number> {
    return this.#lineage.hold(async connection => {
      const gone = await this.#journal.drop(connection, this.#lineage.log, ids)
      await connection.commit()
      return gone
    })
  }

  async #all ({ historyBefore, tombstonesBefore, pushesBefore, journalBefore }: CompactPolicy, run: CompactRun): Promise<void> {
    if (historyBefore !== undefined) await this.#history(inTime(historyBefore), run)
    if (tombstonesBefore !== undefined) {
      await this.#dropTombstones(inTime(tombstonesBefore), run)
      await this.#dropIdentities(inTime(tombstonesBefore), run)
    }
    if (pushesBefore !== undefined) await this.#repeat(run, limit => this.#server.use(async connection => (await connection.run(this.#pushes, [this.#lineage.log, inTime(pushesBefore), limit]))[0]![0] as number))
    if (journalBefore !== undefined) await this.#repeat(run, limit => this.#step(connection => this.#journal.dropBefore(connection, this.#lineage.log, { time: inTime(journalBefore), limit })))
  }

  /**
   * Versions that were superseded before a time. Times rise along the log but where a clock was set back, so it ends at
   * the first entry that is too young, and what was written under a clock that ran ahead is passed over.
   */
  async #history (before: number, run: CompactRun): Promise<void> {
    let settled = await this.#lease.noted(SETTLED)
    let after = settled
    let inOrder = true
    for (let ended = false; !ended;) {
      ended = await this.#paced(run, async limit => {
        const rows = await this.#ask(this.#links, [after, limit])
        const page = rows.filter(row => row[3] !== null).sort((a, b) => a[0] - b[0])
        const links = new Map(rows.map(([sequence, previous, operation]) => [sequence as number, { previous, operation } as Link]))
        const gone = new Set<number>()
        let newest = 0
        let done = page.length < limit
        for (const [sequence, , , time] of page as Array<[number, number, number, number]>) {
          done = time >= before && time <= run.now
          if (done) break
          after = sequence
          if (time >= before) inOrder = false
          else if (supersede(sequence, links, gone)) newest = sequence
          if (inOrder) settled = sequence
          done = page.length < limit
        }
        if (gone.size > 0) await this.#step(connection => connection.run(this.#drop, [this.#lineage.log, numbers([...gone]), newest]))
        return done
      })
    }
    await this.#lease.note(SETTLED, settled)
  }

  /** Tombstones in sequence order up to the first that is kept, so that the horizon says exactly what is gone. */
  async #dropTombstones (before: number, run: CompactRun): Promise<void> {
    for (let after = 0, ended = false; !ended;) {
      ended = await this.#paced(run, async limit => {
        const rows = await this.#ask(this.#tombstones, [after, limit]) as Array<[number, number]>
        const young = rows.findIndex(([, time]) => time >= before)
        const old = (young < 0 ? rows : rows.slice(0, young)).map(([sequence]) => sequence)
        if (old.length === 0) return true
        after = old.at(-1)!
        await this.#dropChains(old, limit)
        await this.#step(connection => connection.run(this.#purge, [this.#lineage.log, numbers(old)]))
        return young >= 0 || rows.length < limit
      })
    }
  }

  /** What lies before the last bodies, oldest first: a purge that is left goes on from its end. */
  async #dropChains (tombstones: readonly number[], limit: number): Promise<void> {
    const chain = (await this.#ask(this.#chains, [numbers(tombstones)])).map(([sequence]) => sequence as number)
    for (let from = 0; from < chain.length; from += limit) {
      await this.#step(connection => connection.run(this.#drop, [this.#lineage.log, numbers(chain.slice(from, from + limit)), tombstones.at(-1)!]))
    }
  }

  async #dropIdentities (before: number, run: CompactRun): Promise<void> {
    // None was older at the last look: until one can be too old, not all of them need be looked at.
    if (before <= await this.#lease.noted(OLDEST_IDENTITY)) return
    let place: readonly unknown[] = ['', '', Buffer.alloc(0)]
    let kept = Infinity
    for (let ended = false; !ended;) {
      ended = await this.#paced(run, async limit => {
        const [row] = await this.#server.use(connection => connection.run(this.#identities, [this.#lineage.log, ...place, limit, before]))
        if (row === undefined) return true
        place = row.slice(0, 3)
        kept = Math.min(kept, (row[3] as number | null) ?? Infinity)
        return false
      })
    }
    await this.#lease.note(OLDEST_IDENTITY, kept === Infinity ? before : kept)
  }

  /** Until a step finds less than it may. */
  async #repeat (run: CompactRun, step: (limit: number) => Promise<number>): Promise<void> {
    for (let ended = false; !ended;) ended = await this.#paced(run, async limit => await step(limit) < limit)
  }

  /** One step, after which others have as much time as it took. */
  async #paced (run: CompactRun, step: (limit: number) => Promise<boolean>): Promise<boolean> {
    if (!run.goOn()) throw new Ended()
    const start = performance.now()
    const ended = await step(this.#size)
    const took = performance.now() - start
    this.#size = Math.round(Math.min(MOST, Math.max(FEWEST, this.#size * Math.min(2, STEP_TIME / took))))
    if (!ended) await setTimeout(Math.min(LONGEST_REST, took))
    return ended
  }

  /** Work in the order of commits. */
  async #step<T> (work: (connection: Connection) => Promise<T>): Promise<T> {
    return await this.#lineage.hold(async connection => {
      if (!await this.#lease.take(connection)) throw new Ended()
      const result = await work(connection)
      await connection.commit()
      return result
    })
  }

  #ask (of: Statement, values: readonly unknown[]): Promise<Tuple[]> {
    return this.#server.read(connection => connection.run(of, [this.#lineage.log, ...values]))
  }
}

/**
 * Adds what a version that lives has superseded: the one before it, or a deletion with what that deleted, by which a
 * reader's right to learn of it is judged. Not where an older version is kept, as after a jump of the clock: the
 * document's history would break there.
 */
function supersede (sequence: number, links: ReadonlyMap<number, Link>, gone: Set<number>): boolean {
  const { previous, operation } = links.get(sequence)!
  if (operation === DELETE) return false
  const chain: number[] = []
  for (let next = previous, kind = DELETE; next !== 0;) {
    const link = links.get(next)
    if (link === undefined || gone.has(next)) break
    if (kind !== DELETE) return false
    chain.push(next)
    next = link.previous
    kind = link.operation
  }
  for (const old of chain) gone.add(old)
  return chain.length > 0
}

function inTime (time: number): number {
  return Math.min(time, Number.MAX_SAFE_INTEGER)
}
