/** POST /sync/push: changes in, a result for each. */
import type { FastifyInstance } from 'fastify'
import { SyncError } from '../errors.ts'
import { sendJson } from './answer.ts'
import { callerOf } from './caller.ts'
import { serveUser } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { idOf, receive } from './receive.ts'
import type { Received } from './receive.ts'
import type { NodeServices, Services } from './services.ts'
import { asPush } from './validate.ts'

export function pushRoute (app: FastifyInstance, node: NodeServices): void {
  app.post('/sync/push', serveUser(node, push))
}

async function push (exchange: Exchange, services: Services): Promise<void> {
  const { activity, rateLimits } = services
  if (services.draining.aborted) throw new SyncError('draining')
  activity.begin()
  let received: Received | undefined
  try {
    const solvent = rateLimits?.assertSolvent(exchange) ?? null
    if (solvent !== null) await solvent
    received = await receive(services, exchange)
    const { value, condemned } = received
    exchange.id = idOf(value)
    const { id, timestamp, collection, changes, checkpoint, epoch, atomic, clientId } = asPush(value)
    const message = { id, timestamp, collection, changes, checkpoint, epoch, atomic, condemned }
    const { body, replayed, written } = await services.pushes.push(message, callerOf(exchange, clientId))
    rateLimits?.spendChanges(exchange, { changes: changes.length, written })
    activity.lastSync = services.clock.now()
    await sendJson(services, exchange, replayed ? { body, cacheControl: 'no-store', headers: ['idempotency-replayed', 'true'] } : { body, cacheControl: 'no-store' })
  } finally {
    received?.release()
    activity.end()
  }
}
