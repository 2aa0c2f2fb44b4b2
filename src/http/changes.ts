/** GET /sync/changes: a pull as a question by URL, which browsers and caches may keep and ask for again by its ETag. */
import type { FastifyInstance } from 'fastify'
import { SyncError } from '../errors.ts'
import type { ChangesAnswer, ChangesQuery } from '../sync/changes.ts'
import { joined, sendJson } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { assertOnce, collectionsOf, epochOf, placeOf, queryOf, wholeNumber } from './query.ts'
import { isShared, serveReader } from './readers.ts'
import type { NodeServices, Services } from './services.ts'
import { untilGone } from './until-gone.ts'

export function changesRoute (app: FastifyInstance, node: NodeServices): void {
  app.get('/sync/changes', serveReader(node, async (exchange, services) => {
    const { activity, draining } = services
    if (draining.aborted) throw new SyncError('draining')
    activity.begin()
    try {
      await answer(services, exchange)
    } finally {
      activity.end()
    }
  }))
}

async function answer (services: Services, exchange: Exchange): Promise<void> {
  const { query, waits } = parseUrl(services, exchange)
  const page = await untilGone(exchange.response, services.draining, signal => services.changes.read(query, exchange.user, signal))
  services.activity.lastSync = services.clock.now()
  const cacheControl = waits ? 'no-store' : cacheControlOf(services, page, isShared(services, exchange))
  await sendJson(services, exchange, { body: pageText(page), cacheControl, vary: 'authorization, cookie' })
}

const PARAMETERS = ['collections', 'since', 'limit', 'epoch', 'wait']

/** @throws SyncError invalid_message, invalid_cursor, too_large */
function parseUrl ({ config: { limits }, clock }: Services, { request, expiresAt }: Exchange): { query: ChangesQuery, waits: boolean } {
  const query = queryOf(request.url!)
  assertOnce(query, PARAMETERS)
  const seconds = wholeNumber(query, 'wait', 0) ?? 0
  // No longer than the credential lives: what comes then is not for who held it.
  const waitMs = request.method === 'HEAD' ? 0 : Math.max(0, Math.min(seconds * 1000, limits.waitMs, expiresAt - clock.now()))
  return {
    query: {
      position: placeOf(query.get('since') ?? '0', epochOf(query)),
      collections: collectionsOf(query.get('collections') ?? '', limits.collectionsPerPull),
      limit: wholeNumber(query, 'limit', 1),
      waitMs
    },
    waits: seconds > 0
  }
}

/** Seconds: what HTTP takes for ever. */
const YEAR = 31_536_000

/** Kept for half as long as deletions are remembered, a page leaves its reader the other half to come to its end. */
function cacheControlOf ({ config: { retention } }: Services, { lasting }: ChangesAnswer, shared: boolean): string {
  if (!shared) return 'private, no-cache'
  const seconds = Math.min(YEAR, Math.floor(retention.tombstones / 2000))
  return lasting && seconds > 0 ? `public, max-age=${seconds}, immutable` : 'public, max-age=1, stale-while-revalidate=5'
}

/** As of a pull, without the time: the same question has the same answer. */
function pageText ({ changes, checkpoint, hasMore, epoch }: ChangesAnswer): string | Buffer {
  return joined('{"type":"pull-response","id":"get","changes":', changes, `,"checkpoint":${JSON.stringify(checkpoint)},"hasMore":${hasMore},"epoch":"${epoch}"}`)
}
