/** GET /health: whether this node can take writes, and keeps them as it should. */
import type { FastifyInstance } from 'fastify'
import { sendJson } from './answer.ts'
import { serve } from './exchange.ts'
import type { NodeServices } from './services.ts'

export interface Health {
  /** `degraded` also while writes are taken, where something is to be mended: `detail` says what. */
  readonly status: 'ok' | 'degraded'
  /** Open streams. */
  readonly clients: number
  /** Received, not yet committed. */
  readonly pendingChanges: number
  /** When a push or pull was last answered, ms since 1970; null before the first. */
  readonly lastSync: number | null
  /** What is wrong and what the operator does. */
  readonly detail?: string
}

export function healthOf ({ logs, activity, draining }: NodeServices): Health {
  const { detail, streams, pendingChanges } = logs.health
  const wrong = draining.aborted ? 'The server is shutting down.' : detail
  return {
    status: isReady({ logs, draining }) && wrong === null ? 'ok' : 'degraded',
    clients: streams,
    pendingChanges,
    lastSync: activity.lastSync,
    ...wrong !== null && { detail: wrong }
  }
}

function isReady ({ logs, draining }: Pick<NodeServices, 'logs' | 'draining'>): boolean {
  return logs.health.writable && !draining.aborted
}

/** 503 when writes cannot be made durable or the server drains, so that a load balancer sends clients elsewhere. */
export function healthRoute (app: FastifyInstance, services: NodeServices): void {
  app.get('/health', serve(services, (exchange) => {
    return sendJson(services, exchange, { status: isReady(services) ? 200 : 503, body: JSON.stringify(healthOf(services)), cacheControl: 'no-store' })
  }))
}
