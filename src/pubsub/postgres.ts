/**
 * ADAPTER: hints by LISTEN and NOTIFY. One connection of the pool listens for as long as it is wanted; what is
 * published goes over any other, outside of transactions, whose commits NOTIFY would line up one behind the other.
 */
import { createHash } from 'node:crypto'
import { mind, openPool, type PostgresPool } from '../drivers/postgres.ts'
import { Outbox } from './outbox.ts'
import { PostgresListener } from './postgres/listener.ts'
import type { HintServer, PubSub } from './pubsub.ts'
import { Topics } from './topics.ts'

export interface PostgresPubSubOptions {
  /** Servers with the same one hear each other's hints: the schema of the change log. Default `pocket`. */
  readonly schema?: string
}

export class PostgresPubSub implements PubSub {
  readonly #server: PostgresPool | string
  readonly #schema: string
  readonly #topics = new Topics()
  readonly #outbox: Outbox
  readonly #listener: PostgresListener
  #pool: Promise<PostgresPool> | undefined
  #closing: Promise<void> | undefined

  /**
   * @param server a pool of `pg`, which stays the application's and of which one connection is kept, or a URL. A
   * pooler that shares connections between transactions cannot LISTEN: name the server behind it
   * @throws TypeError for what is neither
   */
  constructor (server: PostgresPool | string, { schema = 'pocket' }: PostgresPubSubOptions = {}) {
    if (typeof server === 'string' ? !/^postgres(ql)?:/i.test(server) : typeof (server as Partial<PostgresPool> | null)?.connect !== 'function') {
      throw new TypeError('PostgresPubSub takes a URL (postgres://…) or a pool: new pg.Pool(…)')
    }
    this.#server = server
    this.#schema = schema
    this.#outbox = new Outbox(topics => this.#notify(topics))
    this.#listener = new PostgresListener({
      connect: async () => await (await this.#open()).connect(),
      channels: () => this.#topics.names,
      onHint: channel => this.#topics.ring(channel),
      onAnew: () => this.#topics.ringAll()
    })
  }

  /** @throws TypeError saying what to install. A server that is away is no error: it is tried again, and rings then */
  async subscribe (topic: string, listener: () => void): Promise<() => Promise<void>> {
    if (this.#closing !== undefined) return async () => {}
    await this.#open()
    const channel = this.#channel(topic)
    const isNew = !this.#topics.has(channel)
    const end = this.#topics.add(channel, listener)
    if (isNew) await this.#listener.listen(channel)
    else await this.#listener.ready()
    return async () => {
      end()
      if (!this.#topics.has(channel)) this.#listener.unlisten(channel)
    }
  }

  publish (topic: string): void {
    if (this.#closing === undefined) this.#outbox.add(this.#channel(topic))
  }

  async server (): Promise<HintServer> {
    return { kind: 'postgres', pool: await this.#open(), schema: this.#schema }
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    this.#topics.clear()
    await this.#listener.close()
    await this.#outbox.empty()
    if (typeof this.#server === 'string') await (await this.#pool?.catch(() => undefined))?.end()
  }

  /** One statement, and so one commit, for all. */
  async #notify (channels: readonly string[]): Promise<void> {
    const pool = await this.#open()
    await pool.query({ text: "select pg_notify(channel, '') from unnest($1::text[]) as channel", values: [channels] })
  }

  #open (): Promise<PostgresPool> {
    this.#pool ??= this.#opened()
    return this.#pool
  }

  async #opened (): Promise<PostgresPool> {
    return mind(typeof this.#server === 'string' ? await openPool(this.#server, { max: 3 }) : this.#server)
  }

  /** A name of any length and with any characters, in 47 that need no quotes and fit PostgreSQL's 63 bytes. */
  #channel (topic: string): string {
    return `pocket_${createHash('sha256').update(JSON.stringify([this.#schema, topic])).digest('hex').slice(0, 40)}`
  }
}
