/** ADAPTER: keys that expire, under one hash tag, and a script for each step. */
import type { Redis } from '../drivers/redis.ts'
import { ORDER_MS, ORDERS, type Coordination, type Draw, type Drawn, type Entry, type Report, type Reported, type SharedTicket } from './coordination.ts'
import { DRAW, ENTER, PUT_TICKET, REPORT, TAKE_TICKET } from './redis/scripts.ts'

export interface RedisCoordinationOptions {
  /** Nodes with the same one agree with each other. Default `pocket`. */
  readonly prefix?: string
}

const MOST = Number.MAX_SAFE_INTEGER

export class RedisCoordination implements Coordination {
  readonly #redis: Redis
  readonly #tag: string

  /** @param redis stays open */
  constructor (redis: Redis, { prefix = 'pocket' }: RedisCoordinationOptions = {}) {
    this.#redis = redis
    // What is in braces decides where in a cluster a key lies.
    this.#tag = `{${prefix.replace(/[{}]/g, '')}:nodes}`
  }

  async draw (asked: readonly Draw[]): Promise<readonly Drawn[]> {
    if (asked.length === 0) return []
    const keys = asked.map(({ account }) => this.#key('account', account))
    const args = asked.flatMap(({ perMinute, charge, want, least }) => [perMinute, charge, want, least])
    const drawn = await this.#redis.run(DRAW, { keys, args }) as ReadonlyArray<readonly [string, string]>
    return drawn.map(([taken, waitMs]) => ({ taken: Number(taken), waitMs: Number(waitMs) }))
  }

  async putTicket ({ hash, owner, text, livesFor, most, mostOfOwner }: SharedTicket): Promise<boolean> {
    const keys = [this.#key('ticket', hash), this.#key('tickets', ''), this.#key('tickets', owner)]
    return await this.#redis.run(PUT_TICKET, { keys, args: [hash, owner, text, livesFor, Math.min(most, MOST), Math.max(1, Math.min(mostOfOwner, MOST))] }) === 1
  }

  async takeTicket (hash: string): Promise<string | null> {
    const keys = [this.#key('ticket', hash), this.#key('tickets', '')]
    return await this.#redis.run(TAKE_TICKET, { keys, args: [hash] }) as string | null
  }

  async enter ({ node, owner, most, lease }: Entry): Promise<boolean> {
    const keys = [this.#key('nodes', ''), this.#key('node', node)]
    return await this.#redis.run(ENTER, { keys, args: [node, owner, Math.min(most, MOST), lease] }) === 1
  }

  async report ({ node, lease, streams, orders }: Report): Promise<Reported> {
    const keys = [this.#key('nodes', ''), this.#key('node', node), this.#key('orders', node)]
    const args = [node, lease, ORDER_MS, ORDERS, streams.length, ...streams.flat(), ...orders.flatMap(({ node, text }) => [node, text])]
    const [known, mine] = await this.#redis.run(REPORT, { keys, args }) as readonly [number, readonly string[]]
    return { known: known === 1, orders: mine }
  }

  async close (): Promise<void> {}

  #key (kind: string, name: string): string {
    return `${this.#tag}:${kind}:${name}`
  }
}
