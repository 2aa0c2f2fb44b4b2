/** The server on which logs lie, as all of them use it: its connections, what it says of itself, and its health. */
import { setTimeout } from 'node:timers/promises'
import { mind, mindClient, openPool, type PostgresClient, type PostgresPool } from '../../drivers/postgres.ts'
import { SyncError } from '../../errors.ts'
import { Connection } from './connection.ts'
import { closed, failureOf, isLocked, unavailable } from './failure.ts'
import { Gate } from './gate.ts'
import { Health } from './health.ts'
import type { Resolved } from './options.ts'
import { inSchema, type Tuple } from './statement.ts'
import { Statistics } from './statistics.ts'
import { LogHeld, Turns } from './turns.ts'

/** Beyond the server's own limit: it is not waited for any more. */
const GRACE = 2000
/** How long a standby is waited for, ms: the primary has it all. */
const STANDBY_MS = 3000

/** How long the end waits for connections that others may have, ms. */
const LENT_MS = 1000
/** A server that was heard of within this time is there, ms. */
const LATELY_MS = 2000

const WELCOME = 'SELECT current_setting(\'server_encoding\'), current_setting(\'fsync\'), current_setting(\'full_page_writes\'), current_setting(\'server_version_num\')::int'
const SYSTEM = 'SELECT system_identifier::text FROM pg_control_system()'
const OLDEST_VERSION = 130_000

export class Server {
  readonly health: Health
  readonly statistics = new Statistics(this)
  readonly #options: Resolved
  readonly #source: PostgresPool | string
  /** A standby answers reads alone. */
  readonly #standby: boolean
  readonly #reads: Gate
  readonly #turns: Turns
  readonly #systems = new WeakMap<PostgresClient, string>()
  #pool: Promise<PostgresPool> | undefined
  #ended = false
  #lent = false
  /** When the server last said anything, on the clock of `performance.now`. */
  #heardAt = -Infinity

  constructor (source: PostgresPool | string, options: Resolved, { standby = false } = {}) {
    this.#options = options
    this.#source = source
    this.#standby = standby
    const connections = sizeOf(source, options)
    this.#reads = new Gate(Math.max(1, Math.floor(connections * 0.75)))
    this.#turns = new Turns(connections)
    this.health = new Health(() => this.#probe())
  }

  get options (): Resolved {
    return this.#options
  }

  pool (): Promise<PostgresPool> {
    this.#pool ??= this.#open()
    return this.#pool
  }

  /** Uses a connection alone, for statements that belong together. */
  async use<T> (work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await this.#connect()
    let broken = true
    try {
      const system = this.#systems.get(client) ?? await this.#welcome(client)
      const result = await work(this.#connection(client, system))
      broken = false
      this.#heardAt = performance.now()
      return result
    } catch (error) {
      broken = error instanceof SyncError
      throw error
    } finally {
      client.release(broken)
    }
  }

  /** A statement by itself. */
  read<T> (work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#reads.pass(() => this.use(work))
  }

  /**
   * Work that is kept as a whole or not at all, and done anew where it met a lock for too long.
   * @param opening further statements of its beginning, in the same round trip; the rows of the last one are handed on
   */
  transaction<T> (opening: string | ((system: string) => string), work: (connection: Connection, rows: Tuple[]) => Promise<T>): Promise<T> {
    return this.#turns.take(this.#options.lockMs, lockMs => this.use(async connection => {
      const first = typeof opening === 'string' ? opening : opening(connection.system)
      try {
        return await work(connection, await connection.script(`${this.#begin(lockMs)}; ${inSchema(this.#options.schema, first)}`))
      } catch (error) {
        const held = error instanceof SyncError && isLocked(error.facts.cause)
        // Where that fails too, the connection is not used again.
        if (held || !(error instanceof SyncError)) await connection.script('ROLLBACK')
        throw held ? new LogHeld(error) : error
      }
    }))
  }

  /** The connections, for others who live beside the log: whoever keeps one gives it back in their own time. */
  lend (): Promise<PostgresPool> {
    this.#lent = true
    return this.pool()
  }

  /** Ends the connections if they are its own. */
  async end (): Promise<void> {
    this.#ended = true
    this.health.end()
    if (this.#pool === undefined || typeof this.#source !== 'string') return
    const ended = (await this.#pool).end()
    await (this.#lent ? Promise.race([ended, setTimeout(LENT_MS, undefined, { ref: false })]) : ended)
  }

  /** Whatever the database or its user has as defaults: an answered push is on disk, and nobody waits for ever. */
  #begin (lockMs: number): string {
    const { idleMs, statementMs } = this.#options
    return `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = ${lockMs}; SET LOCAL idle_in_transaction_session_timeout = ${idleMs}; SET LOCAL statement_timeout = ${statementMs}; SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`
  }

  async #open (): Promise<PostgresPool> {
    const source = this.#source
    try {
      return mind(typeof source === 'string' ? await openPool(source, this.#options) : source)
    } catch (error) {
      this.#pool = undefined
      throw error
    }
  }

  async #connect (): Promise<PostgresClient> {
    if (this.#ended) throw closed()
    const { refusal } = this.health
    if (refusal !== null) throw refusal
    const pool = await this.pool()
    const since = performance.now()
    try {
      return await pool.connect()
    } catch (error) {
      // All connections are in use, and the server answers on them: nothing is wrong with it.
      if (isFull(error) && this.#heardAt > since - LATELY_MS) throw unavailable('busy', error)
      throw this.#report(error, true)
    }
  }

  #connection (client: PostgresClient, system: string): Connection {
    return new Connection(client, { system, timeout: this.#standby ? STANDBY_MS : this.#options.statementMs + GRACE, failed: error => this.#report(error, false) })
  }

  /** The first time that a connection is used. */
  async #welcome (client: PostgresClient): Promise<string> {
    mindClient(client)
    const connection = this.#connection(client, '')
    const [[encoding, fsync, fullPages, version]] = await connection.script(`SET bytea_output = hex; ${WELCOME}`) as [[string, string, string, number]]
    if (encoding !== 'UTF8') throw new SyncError('storage_unavailable', { detail: `the database has the encoding ${encoding}: make one with ENCODING 'UTF8'` })
    if (version < OLDEST_VERSION) throw new SyncError('storage_unavailable', { detail: 'PostgreSQL is too old: 13 is the oldest that works' })
    this.health.warn(fsync === 'on' && fullPages === 'on' ? null : 'PostgreSQL runs with fsync or full_page_writes off: what was answered is lost with a power cut. Turn them on')
    const system = await this.#systemOf(connection)
    this.#systems.set(client, system)
    return system
  }

  async #systemOf (connection: Connection): Promise<string> {
    if (this.#standby) return ''
    const [[may]] = await connection.script("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')") as [[boolean]]
    return may ? (await connection.script(SYSTEM))[0]![0] as string : ''
  }

  /** A whole write, since a server may answer and have no room left. */
  async #probe (): Promise<void> {
    const pool = await this.pool()
    const client = await pool.connect().catch((error: unknown) => { throw this.#report(error, true) })
    let broken = true
    try {
      mindClient(client)
      const connection = this.#connection(client, '')
      await connection.script(this.#standby ? 'SELECT 1' : inSchema(this.#options.schema, 'UPDATE pocket.layout SET layout = layout'))
      broken = false
    } catch (error) {
      // Nothing was opened there yet.
      if (failureOf((error as SyncError).cause) !== 'missing') throw error
    } finally {
      client.release(broken)
    }
  }

  /** @returns what to throw for an error of the server */
  #report (error: unknown, connecting: boolean): unknown {
    const failure = failureOf(error)
    if (failure !== 'down') this.#heardAt = performance.now()
    if (failure === 'own') return error
    const problem = unavailable(failure, error)
    // What holds one log says nothing about the others.
    if (failure !== 'missing' && !isLocked(error)) this.health.failed(problem, connecting || isSilent(error))
    return problem
  }
}

function sizeOf (source: PostgresPool | string, { max }: Resolved): number {
  return typeof source === 'string' ? max : (source as { options?: { max?: number } }).options?.max ?? max
}

/** In the words of the pool: no connection became free in time. */
function isFull (error: unknown): boolean {
  return (error as Error | null)?.message === 'timeout exceeded when trying to connect'
}

/** It was waited for in vain, as it would be again. */
function isSilent (error: unknown): boolean {
  return error instanceof Error && /timeout/i.test(error.message) && !('severity' in error)
}
