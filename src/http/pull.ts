/** POST /sync/pull: what changed after a checkpoint, at once or when there is something. */
import type { FastifyInstance } from 'fastify'
import { SyncError } from '../errors.ts'
import type { PageAnswer } from '../sync/page.ts'
import { joined, sendJson } from './answer.ts'
import { serveUser } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { idOf, receive } from './receive.ts'
import type { NodeServices, Services } from './services.ts'
import { endOfTurn } from './turn.ts'
import { untilGone } from './until-gone.ts'
import { asPull } from './validate.ts'

export function pullRoute (app: FastifyInstance, node: NodeServices): void {
  app.post('/sync/pull', serveUser(node, pull))
}

async function pull (exchange: Exchange, services: Services): Promise<void> {
  const { activity, clock, pulls, draining } = services
  if (draining.aborted) throw new SyncError('draining')
  activity.begin()
  try {
    const { value, release } = await receive(services, exchange)
    // What a long poll waits with is small, and it may wait for long.
    release()
    exchange.id = idOf(value)
    const message = asPull(value)
    // No longer than the credential lives: what comes then is not for who held it.
    const waitMs = Math.max(0, Math.min(message.waitMs ?? 0, exchange.expiresAt - clock.now()))
    const page = waitMs > 0
      ? await untilGone(exchange.response, draining, signal => pulls.pull({ ...message, waitMs }, exchange.user, signal))
      : await pulls.pull(message, exchange.user, draining)
    const now = activity.lastSync = clock.now()
    // Most pulls find nothing, and crowds ask at once. A page is written as soon as it is there: many would fill the memory.
    if (page.count === 0) await endOfTurn()
    await sendJson(services, exchange, { body: pullText(message.id, page, now), cacheControl: 'private, no-store' })
  } finally {
    activity.end()
  }
}

function pullText (id: string, { changes, checkpoint, hasMore, epoch }: PageAnswer, now: number): string | Buffer {
  const before = `{"type":"pull-response","id":${JSON.stringify(id)},"changes":`
  const behind = `,"checkpoint":${JSON.stringify(checkpoint)},"hasMore":${hasMore},"epoch":"${epoch}","timestamp":${now}}`
  return joined(before, changes, behind)
}
