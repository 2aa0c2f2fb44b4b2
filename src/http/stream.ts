/** GET /sync/stream: live changes as Server-Sent Events. What is said on them is `sync/feed.ts`. */
import type { FastifyInstance } from 'fastify'
import { SyncError } from '../errors.ts'
import type { StreamRequest } from '../sync/stream.ts'
import { callerOf } from './caller.ts'
import { serveUser } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { collectionsOf, epochOf, placeOf } from './query.ts'
import type { NodeServices, Services } from './services.ts'
import { acceptsEventStream, inOnePacket, SocketSink, startEventStream } from './sse.ts'
import { ticketSession } from './ticket.ts'

/** HEAD answers the same header and ends. */
export function streamRoutes (app: FastifyInstance, node: NodeServices): void {
  app.get('/sync/stream', serveUser(node, (exchange, services) => stream(services, exchange), ticketSession))
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
