/** ADAPTER: tables without WAL beside those of the log, and a function for each step. */
import { mind, type PostgresPool } from '../drivers/postgres.ts'
import { ORDER_MS, ORDERS, type Coordination, type Draw, type Drawn, type Entry, type Report, type Reported, type SharedTicket } from './coordination.ts'
import { migrations } from './postgres/migrations.ts'

export interface PostgresCoordinationOptions {
  /** Nodes with the same one agree with each other: the schema of the change log. Default `pocket`. */
  readonly schema?: string
}

/** Between two looks for what has lapsed, ms. */
const SWEEP_MS = 30_000
/** Any number that nobody else uses: nodes that start together make the tables one after the other. */
const LOCK = 1_868_983_913
const MOST = Number.MAX_SAFE_INTEGER

export class PostgresCoordination implements Coordination {
  readonly #pool: PostgresPool
  readonly #schema: string
  #ready: Promise<void> | undefined
  #swept = -Infinity

  /** @param pool stays open */
  constructor (pool: PostgresPool, { schema = 'pocket' }: PostgresCoordinationOptions = {}) {
    this.#pool = mind(pool)
    this.#schema = `"${schema.replaceAll('"', '""')}"`
  }

  async draw (asked: readonly Draw[]): Promise<readonly Drawn[]> {
    if (asked.length === 0) return []
    const order = asked.map((_, i) => i).sort((a, b) => asked[a]!.account < asked[b]!.account ? -1 : 1)
    const sorted = order.map(i => asked[i]!)
    const rows = await this.#call('draw_1', [sorted.map(one => one.account), sorted.map(one => one.perMinute), sorted.map(one => one.charge), sorted.map(one => one.want), sorted.map(one => one.least)])
    const drawn: Drawn[] = []
    for (const [at, i] of order.entries()) drawn[i] = { taken: rows[at].taken as number, waitMs: rows[at].wait_ms as number }
    return drawn
  }

  async putTicket ({ hash, owner, text, livesFor, most, mostOfOwner }: SharedTicket): Promise<boolean> {
    const [row] = await this.#call('put_ticket_1', [hash, owner, text, livesFor, Math.min(most, MOST), Math.min(mostOfOwner, MOST)])
    return row.coordination_put_ticket_1 as boolean
  }

  async takeTicket (hash: string): Promise<string | null> {
    await this.#open()
    const { rows: [row] } = await this.#pool.query({ text: `delete from ${this.#schema}.coordination_tickets where hash = $1 returning content, until > clock_timestamp() as good`, values: [hash] })
    return row?.good === true ? row.content as string : null
  }

  async enter ({ node, owner, most, lease }: Entry): Promise<boolean> {
    const [row] = await this.#call('enter_1', [node, owner, Math.min(most, MOST), lease])
    return row.coordination_enter_1 as boolean
  }

  async report ({ node, lease, streams, orders }: Report): Promise<Reported> {
    const [row] = await this.#call('report_1', [node, lease, streams.map(([owner]) => owner), streams.map(([, count]) => count), orders.map(one => one.node), orders.map(one => one.text), ORDER_MS, ORDERS])
    return { known: row.known as boolean, orders: row.orders as string[] }
  }

  async close (): Promise<void> {}

  async #call (name: string, values: readonly unknown[]): Promise<any[]> {
    await this.#open()
    const { rows } = await this.#pool.query({ text: `select * from ${this.#schema}.coordination_${name}(${values.map((_, i) => `$${i + 1}`).join(', ')})`, values })
    return rows
  }

  async #open (): Promise<void> {
    this.#ready ??= this.#migrate().catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    await this.#ready
    const now = performance.now()
    if (now - this.#swept < SWEEP_MS) return
    this.#swept = now
    this.#pool.query({ text: `select ${this.#schema}.coordination_sweep_1()` }).catch(() => {})
  }

  /** One message, and so one transaction; what is there already is only looked at. */
  async #migrate (): Promise<void> {
    const steps = migrations(this.#schema)
    const version = `${this.#schema}.coordination_version`
    if (await this.#version(version) >= steps.length) return
    const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
    const client = await this.#pool.connect()
    let broken = true
    try {
      await client.query('begin')
      await client.query(`select pg_advisory_xact_lock(${LOCK}, hashtext(${quoted(this.#schema)}))`)
      const { rows: [found] } = await client.query({ text: 'select 1 from pg_namespace where quote_ident(nspname) = $1 or format(\'"%s"\', replace(nspname, \'"\', \'""\')) = $1', values: [this.#schema] })
      if (found === undefined) await client.query(`create schema ${this.#schema}`)
      await client.query(`create table if not exists ${version} (version integer primary key)`)
      const { rows: [{ at }] } = await client.query(`select coalesce(max(version), 0) as at from ${version}`)
      for (const [i, step] of steps.entries()) if (i >= at) await client.query(`${step}; insert into ${version} values (${i + 1})`)
      await client.query('commit')
      broken = false
    } finally {
      client.release(broken)
    }
  }

  async #version (table: string): Promise<number> {
    const { rows: [{ there }] } = await this.#pool.query({ text: 'select to_regclass($1) is not null as there', values: [table] })
    if (there !== true) return 0
    const { rows: [{ at }] } = await this.#pool.query({ text: `select coalesce(max(version), 0) as at from ${table}` })
    return at as number
  }
}
