/**
 * GET /sync/snapshot: all live documents for a new client, one line each. application/x-ndjson, since each line is read
 * as it comes and is whole by its line feed; a JSON array would be worth nothing where it was cut.
 */
import type { FastifyInstance } from 'fastify'
import { SyncError } from '../errors.ts'
import { resumptionOf, STEP } from '../sync/snapshot.ts'
import type { SnapshotQuery } from '../sync/snapshot.ts'
import { varyOf } from './answer.ts'
import { networkOf } from './caller.ts'
import { codingOf } from './coding.ts'
import type { Exchange } from './exchange.ts'
import { SAFE } from './head.ts'
import { BytesInFlight } from './in-flight.ts'
import type { Share } from './in-flight.ts'
import { Lines } from './lines.ts'
import { isLoopbackAddress } from './loopback.ts'
import { assertOnce, collectionsOf, queryOf } from './query.ts'
import { isShared, serveReader } from './readers.ts'
import type { NodeServices, Services } from './services.ts'
import { untilGone } from './until-gone.ts'

/** For requests without a user; no user is called so. */
const NOBODY = '\0'

/** Attack: one address that takes the share of all whom nobody knows. So many take it together. */
const PLACES = 4

function tooMany (): SyncError {
  return new SyncError('overloaded', { detail: 'Too many snapshots are being read.' })
}

export function snapshotRoute (app: FastifyInstance, node: NodeServices): void {
  const { config: { limits }, inFlight, activity } = node
  // What one may hold: a step with a document of the largest kind at its end, here and in a coder.
  const held = 2 * STEP.bytes + limits.documentBytes
  const places = new BytesInFlight(Infinity, Math.max(held, limits.inFlightBytesPerUser / PLACES))
  // Of those behind a proxy of this machine whose word is not trusted nobody can tell one from another.
  const placesOf = ({ user, request, addressOf }: Exchange): Share => {
    const address = user === null ? addressOf(request) : null
    return places.of(address === null || isLoopbackAddress(address) ? null : networkOf(address))
  }
  app.get('/sync/snapshot', serveReader(node, async (exchange, services) => {
    if (services.draining.aborted) throw new SyncError('draining')
    const query = parseUrl(services, exchange)
    const share = inFlight.of(exchange.account ?? NOBODY)
    const place = placesOf(exchange)
    if (!place.take(held)) throw tooMany()
    if (!share.take(held)) {
      place.give(held)
      throw tooMany()
    }
    activity.begin()
    try {
      await untilGone(exchange.response, services.draining, gone => send(services, exchange, { query, gone }))
    } finally {
      activity.end()
      share.give(held)
      place.give(held)
    }
  }))
}

/** @throws SyncError invalid_message, invalid_cursor, too_large */
function parseUrl ({ config: { limits } }: Services, { request }: Exchange): SnapshotQuery {
  const query = queryOf(request.url!)
  assertOnce(query, ['collections', 'after'])
  const after = query.get('after')
  return {
    collections: collectionsOf(query.get('collections') ?? '', limits.collectionsPerPull),
    resumption: after === null ? null : resumptionOf(after)
  }
}

/** Up to the first lines a failure has a status; from then on the answer breaks off, without its last line. */
async function send (services: Services, exchange: Exchange, { query, gone }: { query: SnapshotQuery, gone: AbortSignal }): Promise<void> {
  const { config: { limits }, clock, snapshots, activity } = services
  const { request, response, user, expiresAt } = exchange
  const begun = clock.now()
  const steps = snapshots.text(query, user)
  let step = await steps.next()
  const { coding } = codingOf(request.headers['accept-encoding'])
  writeHead(services, exchange, coding)
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const lines = new Lines(response, coding)
  try {
    for (; step.done !== true; step = await steps.next()) {
      const now = clock.now()
      // No longer than the credential lives, nor than any stream: what is long goes on with another request.
      if (now >= expiresAt || now - begun >= limits.streamMs || !await lines.write(step.value, limits.stallMs, gone)) {
        lines.cut()
        return
      }
    }
  } catch (error) {
    lines.cut()
    // A resync is told to who comes again.
    if (error instanceof SyncError && error.code === 'resync_required') return
    throw error
  }
  lines.end()
  activity.lastSync = clock.now()
}

/** Of public collections the same for everybody, for as long as a crowd takes to come. */
const SHARED = 'public, max-age=60'

function writeHead (services: Services, exchange: Exchange, coding: string | null): void {
  const { request, response } = exchange
  // In HTTP/1.0 what was cut by a crash looks whole, and a cache would keep it.
  const shared = request.httpVersion !== '1.0' && isShared(services, exchange)
  response.writeHead(200, [
    'content-type', 'application/x-ndjson',
    'cache-control', shared ? SHARED : 'private, no-store',
    'vary', varyOf(response, 'authorization, cookie'),
    ...SAFE,
    ...coding === null ? [] : ['content-encoding', coding]
  ])
}
