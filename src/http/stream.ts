/** GET /sync/stream: live changes as Server-Sent Events. What is said on them is `sync/feed.ts`. */
import type { FastifyInstance } from 'fastify'
import { CollectionName, EpochId } from '../../schema/common.ts'
import { SyncError } from '../errors.ts'
import { parseCursor } from '../sync/cursor.ts'
import type { StreamRequest } from '../sync/stream.ts'
import { callerOf } from './caller.ts'
import { serveUser } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import type { Services } from './services.ts'
import { acceptsEventStream, inOnePacket, SocketSink, startEventStream } from './sse.ts'
import { ticketSession } from './ticket.ts'

const collectionName = new RegExp(CollectionName.pattern!)
const epochId = new RegExp(EpochId.pattern!)

/** HEAD answers the same header and ends. */
export function streamRoutes (app: FastifyInstance, services: Services): void {
  app.get('/sync/stream', serveUser(services, exchange => stream(services, exchange), ticketSession))
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
  const { request, user, expiresAt } = exchange
  const { searchParams } = new URL(request.url!, 'http://localhost')
  return {
    since: sinceOf(request.headers['last-event-id'] as string | undefined, searchParams),
    collections: collectionsOf(searchParams.getAll('collections').join(','), most),
    user,
    expiresAt,
    clientId: callerOf(exchange, undefined).clientId
  }
}

/** The header always wins: a browser that reconnects still has the old `since` in its URL. */
function sinceOf (lastEventId: string | undefined, query: URLSearchParams): StreamRequest['since'] {
  const epoch = query.get('epoch') || undefined
  if (epoch !== undefined && !epochId.test(epoch)) throw new SyncError('invalid_cursor', { detail: 'an epoch is 1 to 32 characters of [a-z0-9]' })
  const text = lastEventId || query.get('since') || 'now'
  if (text === 'now') return 'now'
  const position = parseCursor(text)
  return { ...position, after: position.after as number, epoch: position.epoch ?? epoch }
}

/** @param list names between commas; null = none, which is all */
function collectionsOf (list: string, most: number): readonly string[] | null {
  const names = [...new Set(list.split(','))].filter(name => name !== '')
  if (names.length === 0) return null
  const wrong = names.find(name => !collectionName.test(name))
  if (wrong !== undefined) throw new SyncError('invalid_message', { detail: `${JSON.stringify(wrong.slice(0, 130))} is no name of a collection` })
  if (names.length > most) throw new SyncError('too_large', { detail: `at most ${most} collections in one stream`, limit: { name: 'collectionsPerPull', max: most } })
  return names.sort()
}
