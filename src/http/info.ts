/** GET /sync/info: what this server speaks and allows. */
import type { FastifyInstance } from 'fastify'
import { PROTOCOL_VERSION } from '../../schema/version.ts'
import type { Limits } from '../config.ts'
import { sendJson } from './answer.ts'
import { serve } from './exchange.ts'
import type { NodeServices } from './services.ts'

/** New meaning comes as a new feature here, so that clients ask rather than guess. */
const features = ['push', 'push.atomic', 'pull', 'pull.wait', 'changes', 'changes.wait', 'snapshot', 'stream', 'stream.ticket', 'history']

/** Those a client can keep to; the others are the operator's business. */
const told = [
  'bodyBytes', 'decodedBytes', 'changesPerPush', 'documentBytes', 'depth', 'collectionsPerPull', 'pullDefault', 'pullMax',
  'pageBytes', 'waitMs', 'streamsPerUser', 'streamMs', 'headerBytes', 'urlBytes'
] as const satisfies ReadonlyArray<keyof Limits>

export function infoRoute (app: FastifyInstance, services: NodeServices): void {
  const { config: { limits }, version } = services
  const body = JSON.stringify({
    name: '@pocket/server',
    version,
    protocol: { min: PROTOCOL_VERSION, max: PROTOCOL_VERSION },
    features,
    limits: Object.fromEntries(told.map(name => [name, limits[name]]).filter(([, value]) => Number.isFinite(value)))
  })
  app.get('/sync/info', serve(services, (exchange) => {
    return sendJson(services, exchange, { body, cacheControl: 'no-store' })
  }))
}
