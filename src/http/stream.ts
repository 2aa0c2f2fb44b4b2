/** GET /sync/stream: live changes as Server-Sent Events. What is said on them is `sync/feed.ts`. */
import { randomInt } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { SyncError } from '../errors.ts'
import type { Nodes } from '../sync/nodes.ts'
import type { StreamRequest } from '../sync/stream.ts'
import { callerOf } from './caller.ts'
import { serveUser } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { collectionsOf, epochOf, placeOf } from './query.ts'
import type { NodeServices, Services } from './services.ts'
import { acceptsEventStream, inOnePacket, SocketSink, startEventStream } from './sse.ts'
import { ticketSession } from './ticket.ts'

/** Seconds until who has too many streams may try again. */
const LATER = [3, 10] as const

/** HEAD answers the same header and ends. */
export function streamRoutes (app: FastifyInstance, node: NodeServices): void {
  app.get('/sync/stream', serveUser(node, (exchange, services) => node.nodes === null || exchange.account === null ? stream(services, exchange) : counted(node.nodes, services, exchange), ticketSession))
}

/** Among those that the user has on all nodes, for as long as the connection is there. */
async function counted (nodes: Nodes, services: Services, exchange: Exchange): Promise<void> {
  const { request, response } = exchange
  const account = exchange.account!
  if (request.method === 'HEAD') return stream(services, exchange)
  if (!await nodes.enter(account)) throw new SyncError('rate_limited', { detail: 'More streams of this user are open than one may have.', headers: { 'retry-after': String(randomInt(...LATER)) } })
  if (response.destroyed) return nodes.leave(account)
  response.once('close', () => nodes.leave(account))
  stream(services, exchange)
}

/** What is wrong with the request is said before the stream begins; from then on everything is said on it. */
function stream ({ feed, config }: Services, exchange: Exchange): void {
  const { request, response } = exchange
  if (!acceptsEventStream(request.headers.accept)) {
    throw new SyncError('not_acceptable', { detail: 'a stream is text/event-stream' })
  }
  const asked = parseRequest(exchange, config.limits.collectionsPerPull)
  inOnePacket(response, () => {
    startEventStream(request, response)
    if (request.method === 'HEAD') response.end()
    else feed.connect(asked, new SocketSink(request, response, config.limits.socketBytes))
  })
}

/** @throws SyncError invalid_cursor, invalid_message, too_large */
function parseRequest (exchange: Exchange, most: number): StreamRequest {
  const { request, user, tenant, expiresAt } = exchange
  const { searchParams } = new URL(request.url!, 'http://localhost')
  return {
    since: sinceOf(request.headers['last-event-id'] as string | undefined, searchParams),
    collections: collectionsOf(searchParams.getAll('collections').join(','), most),
    user,
    tenant,
    expiresAt,
    clientId: callerOf(exchange, undefined).clientId
  }
}

/** The header always wins: a browser that reconnects still has the old `since` in its URL. */
function sinceOf (lastEventId: string | undefined, query: URLSearchParams): StreamRequest['since'] {
  const epoch = epochOf(query)
  const text = lastEventId || query.get('since') || 'now'
  return text === 'now' ? text : placeOf(text, epoch)
}
