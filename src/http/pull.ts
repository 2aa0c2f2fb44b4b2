/** POST /sync/pull: what changed after a checkpoint, at once or when there is something. */
import type { FastifyInstance } from 'fastify'
import type { PullRequest } from '../../schema/pull.ts'
import { SyncError } from '../errors.ts'
import type { PageAnswer } from '../sync/page.ts'
import { sendJson } from './answer.ts'
import { serveUser } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import { idOf, receive } from './receive.ts'
import type { Services } from './services.ts'
import { asPull } from './validate.ts'

export function pullRoute (app: FastifyInstance, services: Services): void {
  app.post('/sync/pull', serveUser(services, async (exchange) => {
    if (services.draining.aborted) throw new SyncError('draining')
    const { activity } = services
    activity.begin()
    try {
      await pull(services, exchange)
    } finally {
      activity.end()
    }
  }))
}

async function pull (services: Services, exchange: Exchange): Promise<void> {
  const { value, release } = await receive(services, exchange)
  // What a long poll waits with is small, and it may wait for long.
  release()
  exchange.id = idOf(value)
  const message = asPull(value)
  // No longer than the credential lives: what comes then is not for who held it.
  const waitMs = Math.max(0, Math.min(message.waitMs ?? 0, exchange.expiresAt - services.clock.now()))
  const page = waitMs > 0 ? await longPoll(services, { ...message, waitMs }, exchange) : await services.pulls.pull(message, exchange.user, services.draining)
  services.activity.lastSync = services.clock.now()
  await sendJson(services, exchange, { body: pullText(message.id, page, services.clock.now()), cacheControl: 'private, no-store' })
}

/** Waits no longer than the client does, nor than the server lives. */
async function longPoll ({ pulls, draining }: Services, message: PullRequest, { response, user }: Exchange): Promise<PageAnswer> {
  const over = new AbortController()
  const end = (): void => over.abort()
  response.once('close', end)
  draining.addEventListener('abort', end)
  try {
    return await pulls.pull(message, user, over.signal)
  } finally {
    response.off('close', end)
    draining.removeEventListener('abort', end)
  }
}

function pullText (id: string, { changes, checkpoint, hasMore, epoch }: PageAnswer, now: number): string {
  return `{"type":"pull-response","id":${JSON.stringify(id)},"changes":${changes},"checkpoint":${JSON.stringify(checkpoint)}` +
    `,"hasMore":${hasMore},"epoch":"${epoch}","timestamp":${now}}`
}
