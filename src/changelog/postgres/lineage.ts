/**
 * Whether the log is still the one that this node opened. A fail-over, a restored dump or an emptied table moves
 * sequences back; then an epoch begins before anything is answered, by which clients notice (DESIGN 6).
 */
import { randomBytes } from 'node:crypto'
import type { Epoch } from '../changelog.ts'
import { newEpochId, sha256 } from '../entry.ts'
import { SyncError } from '../../errors.ts'
import type { Connection } from './connection.ts'
import { failureOf } from './failure.ts'
import { migrate } from './migrations.ts'
import type { Server } from './server.ts'
import { statement, type Statement, type Tuple } from './statement.ts'
import { fromText, toText } from './text.ts'

/** What every answer about the present is made of; `$2` is the connection's system, `$3` the newest epoch that is known. */
export const STATE = `l.head, l.horizon, l.history_horizon, l.epoch, CASE WHEN l.epoch = $3::text THEN NULL ELSE
  (SELECT json_agg(json_build_array(p.id, p.first, p.started) ORDER BY p.number)::text FROM pocket.epochs p WHERE p.log = l.log) END`
/**
 * Where the log `l` lies: the timeline, which a fail-over changes, the server's start, which a disk of an earlier moment
 * takes, and the table with its file, which a restored dump makes anew. An epoch too many harms nobody.
 */
const WHERE = "'/' || pocket.timeline() || '/' || (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8 || '/' || l.tableoid || '/' || coalesce(pg_relation_filenode(l.tableoid), 0)"
/** Of a primary: the newest epoch began where the log lies now. */
export const SAME_SERVER = `(l.server = $2::text || ${WHERE} AND l.move_source IS NULL)`

/** The log as one snapshot showed it. */
export interface LogState {
  readonly head: number
  readonly horizon: number
  readonly historyHorizon: number
  readonly epochs: readonly Epoch[]
}

/** What was known when a question was sent. */
export interface Known {
  readonly epochs: readonly Epoch[]
  readonly newest: string
  readonly head: number
}

/** The row of the log while nobody else can change it. */
export interface Held {
  readonly head: number
  readonly channels: boolean
  readonly filedBy: string | null
  readonly journalHead: number
  readonly journalBytes: number
}

/** The log is not what it was. */
class Misfit extends Error {}

const ATTEMPTS = 3
/** Of epochs in which nothing was written so many are kept: a tenant's log may be opened and closed without end. */
const KEPT_EPOCHS = 1000
/** One comes, one may go: so few are looked at. */
const LOOKED_AT = 10

export class Lineage {
  /** The log by the hash of its name. */
  readonly log: string
  readonly #name: string
  readonly #server: Server
  readonly #epochsOf: Statement
  readonly #create: Statement
  readonly #row: Statement
  readonly #begin: Statement
  readonly #state: Statement
  #own = ''
  #known: Known = { epochs: [], newest: '', head: 0 }
  #mending: Promise<void> | undefined
  /** It is only looked at: nothing is made, and no epoch begins. */
  #resting = false

  /** @param name of the tenant, '' for the log of no tenant */
  constructor (server: Server, name: string) {
    this.#server = server
    this.#name = name
    this.log = BigInt.asUintN(63, sha256(`pocket log ${name}`).readBigInt64BE(0)).toString()
    const { schema } = server.options
    this.#epochsOf = statement(schema, 'SELECT p.id, p.first, p.started FROM pocket.epochs p WHERE p.log = $1 ORDER BY p.number')
    // Where entries are that no row tells of, nobody knows what is gone from between them.
    this.#create = statement(schema, `INSERT INTO pocket.logs (log, name, secret, head, horizon, history_horizon)
      SELECT $1, $2, $3, e.newest, e.newest, e.newest FROM (SELECT coalesce(max(sequence), 0) AS newest FROM pocket.entries WHERE log = $1) e ON CONFLICT DO NOTHING`)
    this.#row = statement(schema, `SELECT l.head, l.epoch, ${SAME_SERVER}, l.name, l.move_source IS NOT NULL FROM pocket.logs l WHERE l.log = $1 FOR UPDATE`)
    this.#begin = statement(schema, `WITH newest AS (SELECT coalesce(max(p.number), 0) AS number FROM pocket.epochs p WHERE p.log = $1),
      pruned AS (DELETE FROM pocket.epochs p USING newest WHERE p.log = $1 AND p.number BETWEEN newest.number - ${KEPT_EPOCHS + LOOKED_AT} AND newest.number - ${KEPT_EPOCHS}
        AND p.first = (SELECT n.first FROM pocket.epochs n WHERE n.log = $1 AND n.number > p.number ORDER BY n.number LIMIT 1)),
      begun AS (INSERT INTO pocket.epochs (log, number, id, first, started)
      SELECT $1, number + 1, $2, $3, $4 FROM newest)
      UPDATE pocket.logs l SET epoch = $2, server = $5::text || ${WHERE} WHERE log = $1`)
    this.#state = statement(schema, `SELECT ${STATE}, ${SAME_SERVER} FROM pocket.logs l WHERE l.log = $1`)
  }

  get known (): Known {
    return this.#known
  }

  /** Begins this node's epoch, where it has none yet. */
  async open (): Promise<void> {
    this.#resting = false
    if (this.#own === '') await this.mend()
  }

  /** In place of `open`. @throws SyncError storage_unavailable when there is no log */
  async rest (): Promise<void> {
    this.#resting = true
    await this.state()
  }

  get resting (): boolean {
    return this.#resting
  }

  async state (): Promise<LogState> {
    return (await this.ask(this.#state, [])).state
  }

  /**
   * A question about the present, its answer and the state of one snapshot.
   * @param of whose rows begin with `STATE` and `SAME_SERVER`, the first row at least, and whose values with the log, the system and the newest epoch
   */
  async ask (of: Statement, values: readonly unknown[]): Promise<{ state: LogState, rows: Tuple[] }> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      let known = this.#known
      const rows = await this.#server.read(connection => {
        known = this.#known
        return connection.run(of, [this.log, connection.system, known.newest, ...values])
      }).catch(async (error: unknown) => {
        await this.mendMissing(error)
        return []
      })
      const state = this.#accept(rows[0], known)
      if (state !== null) return { state, rows }
      await this.mend()
    }
    throw lost()
  }

  /** Work under the lock by which commits are in order; it ends with `commit` or `finish`, or writes nothing. */
  async hold<T> (work: (connection: Connection, held: Held) => Promise<T>): Promise<T> {
    if (this.#resting) throw new SyncError('storage_unavailable', { detail: 'the log is only looked at: open it to write' })
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      let known = this.#known
      const lock = (system: string): string => {
        known = this.#known
        return `SELECT l.head, l.epoch, l.server = '${system}' || ${WHERE} AND l.move_source IS NULL, l.channels, l.filed_by, l.journal_head, l.journal_bytes FROM pocket.logs l WHERE l.log = ${this.log} FOR UPDATE`
      }
      try {
        return await this.#server.transaction(lock, async (connection, [row]) => {
          if (!await this.#fits(connection, row, known)) throw new Misfit()
          const [head, , , channels, filedBy, journalHead, journalBytes] = row as [number, string, boolean, boolean, string | null, number, number]
          return await work(connection, { head, channels, filedBy: fromText(filedBy), journalHead, journalBytes })
        })
      } catch (error) {
        if (!(error instanceof Misfit)) await this.mendMissing(error)
      }
      await this.mend()
    }
    throw lost()
  }

  /** What a commit has moved the head to. */
  saw (head: number): void {
    if (head > this.#known.head) this.#known = { ...this.#known, head }
  }

  /** The row of the log, where it has none. */
  async create (connection: Connection, secret: Uint8Array): Promise<void> {
    await connection.run(this.#create, [this.log, toText(this.#name), secret])
  }

  /** Within a transaction that holds the log. */
  async beginEpoch (connection: Connection, first: number): Promise<string> {
    const id = newEpochId()
    await connection.run(this.#begin, [this.log, id, first, this.#server.options.now(), connection.system])
    return id
  }

  /** Only where the tables are gone. @throws the error where they are not */
  async mendMissing (error: unknown): Promise<void> {
    if (!(error instanceof SyncError) || error.facts.cause === undefined || failureOf(error.facts.cause) !== 'missing') throw error
    await this.mend()
  }

  /** Makes what is missing, and begins an epoch unless the log turns out to be the one that this node knows. */
  mend (): Promise<void> {
    if (this.#resting) return Promise.reject(new SyncError('storage_unavailable', { detail: 'there is no log there, or one that is being moved' }))
    this.#mending ??= this.#mend().finally(() => { this.#mending = undefined })
    return this.#mending
  }

  async #mend (): Promise<void> {
    await migrate(this.#server)
    await this.#server.transaction('SELECT 1', async connection => {
      const known = this.#known
      await this.create(connection, randomBytes(32))
      const [row] = await connection.run(this.#row, [this.log, connection.system])
      const [head, , , name, moving] = row as [number, string, boolean, string, boolean]
      if (fromText(name) !== this.#name) throw new TypeError(`the log of the tenant "${fromText(name)}" lies where that of "${this.#name}" belongs: call it otherwise`)
      if (moving) throw new SyncError('storage_unavailable', { detail: 'a log is being moved there: let "pocket-server copy" finish' })
      const own = await this.#fits(connection, row, known) ? this.#own : await this.beginEpoch(connection, head + 1)
      const epochs = await this.#epochs(connection)
      await connection.commit()
      this.#own = own
      this.#known = { epochs, newest: epochs.at(-1)!.id, head }
    })
  }

  /** @param row head, newest epoch and whether the server is the same, of a log that is held */
  async #fits (connection: Connection, row: Tuple | undefined, known: Known): Promise<boolean> {
    if (row === undefined || row[2] !== true || row[0] < known.head || this.#own === '') return false
    if (row[1] === known.newest) return true
    const epochs = await this.#epochs(connection)
    if (!this.#holdsOwn(epochs)) return false
    this.#learn(epochs)
    return true
  }

  /** @returns null for what is not to be answered from */
  #accept (row: Tuple | undefined, known: Known): LogState | null {
    if (row === undefined) return null
    const [head, horizon, historyHorizon, , listed, sameServer] = row as [number, number, number, string, string | null, boolean]
    const epochs = listed === null ? known.epochs : epochsFrom(listed)
    // Of a log that moves here none has come.
    if (epochs.length === 0) return null
    if (!this.#resting && (!sameServer || head < known.head || !this.#holdsOwn(epochs))) return null
    if (listed !== null) this.#learn(epochs)
    this.saw(head)
    return { head, horizon, historyHorizon, epochs }
  }

  #holdsOwn (epochs: readonly Epoch[]): boolean {
    return epochs.some(({ id }) => id === this.#own)
  }

  #learn (epochs: readonly Epoch[]): void {
    this.#known = { ...this.#known, epochs, newest: epochs.at(-1)!.id }
  }

  async #epochs (connection: Connection): Promise<readonly Epoch[]> {
    const rows = await connection.run(this.#epochsOf, [this.log])
    return Object.freeze(rows.map(([id, first, started]) => Object.freeze({ id, first, started } as Epoch)))
  }
}

/** From the JSON of `STATE`. */
export function epochsFrom (listed: string): readonly Epoch[] {
  const epochs = JSON.parse(listed) as Array<[id: string, first: number, started: number]>
  return Object.freeze(epochs.map(([id, first, started]) => Object.freeze({ id, first, started })))
}

function lost (): SyncError {
  return new SyncError('storage_unavailable', { detail: 'PostgreSQL changes between one question and the next: look at what stands between it and the server' })
}
