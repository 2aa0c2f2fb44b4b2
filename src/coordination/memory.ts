/** ADAPTER: for servers within one process. */
import { ORDER_MS, ORDERS, type Coordination, type Draw, type Drawn, type Entry, type Report, type Reported, type SharedTicket } from './coordination.ts'

interface Account {
  left: number
  at: number
  perMinute: number
}

interface Waiting {
  readonly owner: string
  readonly text: string
  readonly until: number
}

interface Node {
  until: number
  /** It has said of all its streams, by a report. */
  whole: boolean
  readonly streams: Map<string, number>
}

const MINUTE = 60_000
/** Between two looks for what has lapsed, ms. */
const SWEEP_MS = 10_000

export class MemoryCoordination implements Coordination {
  readonly #now: () => number
  readonly #accounts = new Map<string, Account>()
  readonly #tickets = new Map<string, Waiting>()
  readonly #nodes = new Map<string, Node>()
  readonly #orders = new Map<string, Array<{ readonly text: string, readonly until: number }>>()
  #swept = 0

  /** @param now ms; default the time since the process began, which no clock turns back */
  constructor (now: () => number = () => performance.now()) {
    this.#now = now
  }

  async draw (asked: readonly Draw[]): Promise<readonly Drawn[]> {
    this.#sweep()
    return asked.map(one => this.#draw(one))
  }

  async putTicket ({ hash, owner, text, livesFor, most, mostOfOwner }: SharedTicket): Promise<boolean> {
    for (const [old, { until }] of this.#tickets) if (until <= this.#now()) this.#tickets.delete(old)
    const own = [...this.#tickets].filter(([, ticket]) => ticket.owner === owner)
    for (const [old] of own.slice(0, Math.max(0, own.length + 1 - mostOfOwner))) this.#tickets.delete(old)
    if (this.#tickets.size >= most) return false
    this.#tickets.set(hash, { owner, text, until: this.#now() + livesFor })
    return true
  }

  async takeTicket (hash: string): Promise<string | null> {
    const ticket = this.#tickets.get(hash)
    this.#tickets.delete(hash)
    return ticket === undefined || ticket.until <= this.#now() ? null : ticket.text
  }

  async enter ({ node, owner, most, lease }: Entry): Promise<boolean> {
    this.#sweep()
    let all = 0
    for (const { until, streams } of this.#nodes.values()) if (until > this.#now()) all += streams.get(owner) ?? 0
    if (all >= most) return false
    const { streams } = this.#leased(node, lease)
    streams.set(owner, (streams.get(owner) ?? 0) + 1)
    return true
  }

  async report ({ node: name, lease, streams, orders }: Report): Promise<Reported> {
    this.#sweep()
    for (const { node, text } of orders) {
      const waiting = [...this.#orders.get(node) ?? [], { text, until: this.#now() + ORDER_MS }]
      this.#orders.set(node, waiting.slice(-ORDERS))
    }
    const mine = (this.#orders.get(name) ?? []).filter(({ until }) => until > this.#now()).map(({ text }) => text)
    this.#orders.delete(name)
    if (lease === 0) return { known: this.#nodes.delete(name), orders: mine }
    const node = this.#leased(name, lease)
    const known = node.whole
    node.whole = true
    for (const [owner, count] of streams) {
      if (count > 0) node.streams.set(owner, count)
      else node.streams.delete(owner)
    }
    return { known, orders: mine }
  }

  async close (): Promise<void> {}

  #draw ({ account: name, perMinute, charge, want, least }: Draw): Drawn {
    const now = this.#now()
    const { left, at } = this.#accounts.get(name) ?? { left: perMinute, at: now }
    const had = Math.min(perMinute, Math.min(perMinute, left + Math.max(0, now - at) / MINUTE * perMinute) - charge)
    const taken = had >= least ? Math.max(0, Math.min(want, had)) : 0
    this.#accounts.set(name, { left: had - taken, at: now, perMinute })
    return { taken, waitMs: Math.max(0, least - had) / perMinute * MINUTE }
  }

  #leased (name: string, lease: number): Node {
    const there = this.#nodes.get(name)
    const node = there !== undefined && there.until > this.#now() ? there : { until: 0, whole: false, streams: new Map<string, number>() }
    node.until = this.#now() + lease
    this.#nodes.set(name, node)
    return node
  }

  #sweep (): void {
    const now = this.#now()
    if (now - this.#swept < SWEEP_MS) return
    this.#swept = now
    for (const [name, { left, at, perMinute }] of this.#accounts) if (left + (now - at) / MINUTE * perMinute >= perMinute) this.#accounts.delete(name)
    for (const [name, { until }] of this.#nodes) if (until <= now) this.#nodes.delete(name)
    for (const [name, orders] of this.#orders) if (orders.every(({ until }) => until <= now)) this.#orders.delete(name)
  }
}
