/** POST /sync/stream/ticket: a one-use ticket for `EventSource`, and its use. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { newTicket, TICKET_MS } from '../auth/tickets.ts'
import type { Session } from '../auth/user.ts'
import { SyncError } from '../errors.ts'
import { sendJson } from './answer.ts'
import { serveKnown } from './exchange.ts'
import type { NodeServices } from './services.ts'

/** Without authentication nothing asks for tickets, but pages that fetch one work all the same. */
export function ticketRoute (app: FastifyInstance, services: NodeServices): void {
  app.post('/sync/stream/ticket', serveKnown(services, async (exchange) => {
    const { user, tenant, expiresAt } = exchange
    const ticket = user === null ? newTicket() : await services.tickets.issue({ user, ...tenant !== null && { tenant }, expiresAt })
    if (ticket === null) throw new SyncError('overloaded', { detail: 'Too many tickets wait to be used.' })
    await sendJson(services, exchange, { body: JSON.stringify({ type: 'ticket', ticket, expiresInMs: TICKET_MS }), cacheControl: 'no-store' })
  }))
}

/**
 * Who opens a stream with a ticket in its URL; null where there is none in it. HEAD does not spend it: what only looks
 * at links must not.
 * @throws SyncError bad_request, invalid_token
 */
export async function ticketSession ({ tickets }: NodeServices, request: IncomingMessage): Promise<Session | null> {
  const query = request.url!.indexOf('?')
  if (query === -1) return null
  const [ticket, ...more] = new URLSearchParams(request.url!.slice(query + 1)).getAll('ticket')
  if (ticket === undefined) return null
  if (more.length > 0) throw new SyncError('bad_request', { detail: 'More than one ticket was sent.' })
  if (request.headers.authorization !== undefined) throw new SyncError('bad_request', { detail: 'Both Authorization and a ticket were sent: send one of them.' })
  const session = request.method === 'GET' ? await tickets.redeem(ticket) : null
  if (session === null) throw new SyncError('invalid_token', { detail: 'The ticket is not valid: it opens one stream, once, by GET, within 30 seconds.' })
  return session
}
