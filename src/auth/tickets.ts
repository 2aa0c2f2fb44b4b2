/**
 * One-use tickets for a browser's `EventSource`, which cannot send headers (WIRE 7). A URL ends up in logs on the way:
 * what is found there was used before, or is too old.
 */
import { createHash, randomBytes } from 'node:crypto'
import { SyncError } from '../errors.ts'
import { accountOf } from './user.ts'
import type { Session } from './user.ts'

/** What a ticket stands for. */
export interface Ticket extends Session {
  /** From then on it opens nothing, ms since 1970. */
  readonly until: number
}

/**
 * Where tickets wait, by the SHA-256 of each: what leaks from here opens nothing. For many nodes a shared store does
 * both with one command each, in Redis for example `SET <hash> <JSON> PX <ms>` and `GETDEL <hash>`, JSON.stringify's
 * text of the ticket being all that it must keep (JSON makes null of Infinity). What it throws is 503 to who asks.
 */
export interface TicketStore {
  /** Keeps it until its time, or answers false when there is no room. Older ones of the same user may go for it. */
  put (hash: string, ticket: Ticket, now: number): boolean | Promise<boolean>
  /** Hands it out and forgets it in one step, so that of two who ask at once only one gets it; null when there is none. */
  take (hash: string): Ticket | null | Promise<Ticket | null>
}

export interface TicketLimits {
  /** Attack: tickets without end. In all. */
  readonly tickets: number
  /** Attack: one user takes the room of all. */
  readonly ticketsPerUser: number
}

/** For one node. All live equally long, so the oldest end first. */
export class MemoryTickets implements TicketStore {
  readonly #limits: TicketLimits
  readonly #tickets = new Map<string, Ticket>()
  /** By user, oldest first. */
  readonly #hashes = new Map<string, Set<string>>()

  constructor (limits: TicketLimits) {
    this.#limits = limits
  }

  get size (): number {
    return this.#tickets.size
  }

  put (hash: string, ticket: Ticket, now: number): boolean {
    for (const [old, { until }] of this.#tickets) {
      if (until > now) break
      this.take(old)
    }
    const id = accountOf(ticket)
    const own = this.#hashes.get(id) ?? new Set()
    const [oldest] = own
    if (oldest !== undefined && own.size >= this.#limits.ticketsPerUser) this.take(oldest)
    if (this.#tickets.size >= this.#limits.tickets) return false
    this.#tickets.set(hash, ticket)
    this.#hashes.set(id, own.add(hash))
    return true
  }

  take (hash: string): Ticket | null {
    const ticket = this.#tickets.get(hash)
    if (ticket === undefined) return null
    this.#tickets.delete(hash)
    const id = accountOf(ticket)
    const own = this.#hashes.get(id)!
    own.delete(hash)
    if (own.size === 0) this.#hashes.delete(id)
    return ticket
  }
}

/** How long a ticket opens a stream, ms. */
export const TICKET_MS = 30_000

const TICKET = /^[A-Za-z0-9_-]{43}$/

/** Hands out tickets and takes them back. */
export class Tickets {
  readonly #store: TicketStore
  readonly #now: () => number

  constructor (store: TicketStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** @returns null when there is no room */
  async issue (session: Session): Promise<string | null> {
    const ticket = newTicket()
    const now = this.#now()
    const kept = await this.#ask(() => this.#store.put(hashOf(ticket), { ...session, until: now + TICKET_MS }, now))
    return kept ? ticket : null
  }

  /** Whose it is; null for one that is unknown, spent or too old. It is spent in any case. */
  async redeem (ticket: string): Promise<Session | null> {
    if (!TICKET.test(ticket)) return null
    const found = await this.#ask(() => this.#store.take(hashOf(ticket)))
    if (found === null || found.until <= this.#now()) return null
    const { user, tenant, expiresAt } = found as { user: Session['user'], tenant?: string, expiresAt: number | null }
    return { user, ...tenant !== undefined && { tenant }, expiresAt: expiresAt ?? Infinity }
  }

  /** @throws SyncError authentication_unavailable: whether the ticket is good nobody knows */
  async #ask<T> (run: () => T | Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      throw new SyncError('authentication_unavailable', { cause })
    }
  }
}

/** 256 bits, as text that a URL takes. */
export function newTicket (): string {
  return randomBytes(32).toString('base64url')
}

function hashOf (ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url')
}
