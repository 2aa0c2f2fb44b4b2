/** Tickets that open a stream on any node, once. */
import { createHash } from 'node:crypto'
import type { Ticket, TicketLimits, TicketStore } from '../auth/tickets.ts'
import { accountOf } from '../auth/user.ts'
import type { Coordination } from '../coordination/coordination.ts'

export class SharedTickets implements TicketStore {
  readonly #coordination: Coordination
  readonly #limits: TicketLimits

  constructor (coordination: Coordination, limits: TicketLimits) {
    this.#coordination = coordination
    this.#limits = limits
  }

  async put (hash: string, { until, ...session }: Ticket, now: number): Promise<boolean> {
    const owner = createHash('sha256').update(accountOf(session)).digest('base64url')
    const { tickets, ticketsPerUser } = this.#limits
    return await this.#coordination.putTicket({ hash, owner, text: JSON.stringify(session), livesFor: until - now, most: tickets, mostOfOwner: ticketsPerUser })
  }

  /** By the clock of the place where it waited it is good: this node's may be another one. */
  async take (hash: string): Promise<Ticket | null> {
    const text = await this.#coordination.takeTicket(hash)
    return text === null ? null : { ...JSON.parse(text) as Ticket, until: Infinity }
  }
}
