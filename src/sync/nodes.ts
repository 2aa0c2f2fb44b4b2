/**
 * This node among the others over one log. It says by a lease how many streams each user has here, so that those of a
 * node that is killed count no more within seconds, and carries out what others order: to end a stream that is here.
 */
import { createHash } from 'node:crypto'
import type { Coordination, Order } from '../coordination/coordination.ts'
import type { PubSub } from '../pubsub/pubsub.ts'
import type { Clock } from './clock.ts'

/** ms. */
const LEASE = 5000
/** Between two reports, ms. */
const BEAT = 1000
/** Orders that wait to be sent while the place is away: beyond, the oldest go. */
const WAITING = 1000
const TOPIC = 'orders'
/** As `Crowd` names streams. */
const STREAM = /^([a-z0-9]{1,32})-\d{1,16}$/

export interface NodesOptions {
  /** This one. */
  readonly node: string
  readonly coordination: Coordination
  readonly pubsub: PubSub
  readonly clock: Clock
  /** Streams of one user over all nodes. */
  readonly most: number
  /** Open streams of this node, of whomever. */
  readonly streams: { readonly size: number }
}

/** Ends a stream of this node. */
export type Disconnect = (id: string, reason?: 'token-revoked') => unknown

export class Nodes {
  readonly #options: NodesOptions
  /** Streams of this node, by owner. */
  readonly #counts = new Map<string, number>()
  /** Owners whose count the others are to be told. */
  readonly #changed = new Set<string>()
  #orders: Order[] = []
  #disconnect: Disconnect = () => {}
  #reporting: Promise<void> | null = null
  #again = false
  #cancelBeat = (): void => {}
  #unsubscribe: (() => Promise<void>) | undefined

  constructor (options: NodesOptions) {
    this.#options = options
  }

  async open (disconnect: Disconnect): Promise<void> {
    this.#disconnect = disconnect
    this.#unsubscribe = await this.#options.pubsub.subscribe(TOPIC, () => this.#report())
    this.#beat()
  }

  /**
   * Counts one stream more of a user, until `leave`.
   * @returns false where the user has as many as one may over all nodes: it is not counted then. Where nobody can say, it
   * is true, and the node's own count decides
   */
  async enter (account: string): Promise<boolean> {
    const { coordination, node, most } = this.#options
    const owner = ownerOf(account)
    this.#count(owner, 1)
    try {
      if (await coordination.enter({ node, owner, most, lease: LEASE })) return true
    } catch {
      return true
    }
    this.#count(owner, -1)
    return false
  }

  leave (account: string): void {
    this.#count(ownerOf(account), -1)
  }

  /** Has another node end a stream. @returns whether the id can be that of a stream on another node */
  order (id: string, reason?: 'token-revoked'): boolean {
    const node = STREAM.exec(id)?.[1]
    if (node === undefined || node === this.#options.node) return false
    this.#orders = [...this.#orders, { node, text: JSON.stringify({ id, reason }) }].slice(-WAITING)
    this.#report()
    return true
  }

  /** Once the streams have ended: the others need not wait for the lease. */
  async close (): Promise<void> {
    this.#cancelBeat()
    await this.#unsubscribe?.()
    await this.#reporting
    await this.#options.coordination.report({ node: this.#options.node, lease: 0, streams: [], orders: this.#orders }).catch(() => {})
  }

  #count (owner: string, more: number): void {
    const count = (this.#counts.get(owner) ?? 0) + more
    if (count > 0) this.#counts.set(owner, count)
    else this.#counts.delete(owner)
    // Also where the place has counted: a report that was under way knew nothing of it.
    this.#changed.add(owner)
  }

  #beat (): void {
    this.#cancelBeat = this.#options.clock.after(BEAT, () => {
      this.#beat()
      this.#report()
    })
  }

  /** A node without streams has nothing to say, and nothing to be ordered. */
  #report (): void {
    if (this.#reporting !== null) this.#again = true
    else if (this.#options.streams.size + this.#changed.size + this.#orders.length > 0) {
      this.#reporting = this.#exchange().finally(() => {
        this.#reporting = null
        if (this.#again) this.#report()
      })
    }
  }

  async #exchange (): Promise<void> {
    const { coordination, pubsub, node } = this.#options
    const changed = [...this.#changed]
    const orders = this.#orders
    this.#changed.clear()
    this.#orders = []
    this.#again = false
    try {
      const streams = changed.map(owner => [owner, this.#counts.get(owner) ?? 0] as const)
      const { known, orders: mine } = await coordination.report({ node, lease: LEASE, streams, orders })
      if (orders.length > 0) pubsub.publish(TOPIC)
      if (!known) this.#sayAll()
      for (const order of mine) this.#carryOut(order)
    } catch {
      for (const owner of changed) this.#changed.add(owner)
      this.#orders = [...orders, ...this.#orders].slice(-WAITING)
    }
  }

  #sayAll (): void {
    for (const owner of this.#counts.keys()) this.#changed.add(owner)
    this.#again = this.#changed.size > 0
  }

  #carryOut (order: string): void {
    const { id, reason } = JSON.parse(order) as { id: string, reason?: 'token-revoked' }
    this.#disconnect(id, reason)
  }
}

/** Who it is, where nobody can read it. */
function ownerOf (account: string): string {
  return createHash('sha256').update(account).digest('base64url')
}
