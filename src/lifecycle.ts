/** What a server opens before its first request and closes after its last one. */
import type { FastifyInstance } from 'fastify'
import { DEFAULT_LOG, openBackend, openCoordination, openPubSub, wholeStore } from './backends.ts'
import { clock, composeNode, type Node } from './compose.ts'
import type { Config, PocketServerOptions } from './config.ts'
import type { Coordination } from './coordination/coordination.ts'
import { buildApp } from './http/app.ts'
import { makeAddressOf } from './http/caller.ts'
import { openRateLimits } from './http/rate-limit.ts'
import type { NodeServices } from './http/services.ts'
import type { ChangeStore } from './changelog/changelog.ts'
import { hasTenants } from './changelog/networked.ts'
import type { PubSub } from './pubsub/pubsub.ts'
import { Guarded } from './sync/guarded.ts'
import type { OpenLogs } from './tenants/logs.ts'
import { openOneLog } from './tenants/one-log.ts'

/** Of a store of which tenants are asked for. */
export const NO_TENANTS = 'tenant needs a change log that gives each tenant one: SQLite, memory, PostgreSQL or Redis, not a class with seven methods'

export interface Running {
  readonly services: NodeServices
  readonly logs: OpenLogs
  readonly app: FastifyInstance
  /** What the server opened itself: what was passed in stays open. */
  readonly own: ReadonlyArray<{ close (): Promise<void> }>
}

/** @param draining aborted when the server begins to shut down */
export async function start (config: Config, { changeLog, pubsub: given, coordination: place }: Pick<PocketServerOptions, 'changeLog' | 'pubsub' | 'coordination'>, draining: AbortSignal): Promise<Running> {
  const store = await (changeLog === undefined ? openBackend(DEFAULT_LOG, config.retention) : wholeStore(changeLog))
  await store.open()
  const { writable, detail } = store.health()
  if (writable && detail !== null) config.logger.warn({}, detail)
  const pubsub = given ?? await openPubSub(store)
  const addressOf = makeAddressOf(config.trustProxy)
  const shared = place ?? await openCoordination(store, pubsub)
  const coordination = guarded(shared, config)
  const rateLimits = await openRateLimits(config, { clock, addressOf, coordination })
  const node = composeNode(config, { draining, addressOf, rateLimits, shared: coordination === null ? null : { coordination, pubsub } })
  const logs = await openLogs(node, { store, pubsub })
  await node.nodes?.open((id, reason) => disconnect(logs, id, reason))
  const services = { ...node, logs }
  const app = buildApp(services)
  await app.ready()
  const own = [coordination, place === undefined ? shared : null, given === undefined ? pubsub : null, store === changeLog ? null : store].filter(part => part !== null)
  return { services, logs, app, own }
}

/** Ends a stream of this node. @returns whether there was one */
export function disconnect (logs: OpenLogs, id: string, reason?: 'token-revoked'): boolean {
  return logs.parts().some(({ feed }) => feed.disconnect(id, reason))
}

function guarded (coordination: Coordination | null, { logger }: Config): Guarded | null {
  return coordination === null
    ? null
    : new Guarded({
      coordination,
      clock,
      onAway: err => logger.warn({ err }, 'what nodes share beside the log cannot be reached: until then each goes by its own limits'),
      onBack: () => logger.info({}, 'what nodes share beside the log is there again')
    })
}

async function openLogs (node: Node, deps: { store: ChangeStore, pubsub: PubSub }): Promise<OpenLogs> {
  if (node.config.access.tenant === null) return await openOneLog(node, deps)
  const { store } = deps
  if (!hasTenants(store)) throw new TypeError(NO_TENANTS)
  const { openTenantLogs } = await import('./tenants/tenant-logs.ts')
  return await openTenantLogs(node, { ...deps, store })
}

/** Until everything that was taken is answered and every connection is over, or the time is up. */
export async function drain ({ services: { activity, config: { limits } }, logs }: Running, closed: Promise<unknown>): Promise<void> {
  const { drainMs, graceMs } = limits
  const drained = Promise.all([activity.idle(), logs.drain(Math.min(drainMs, graceMs / 2)), closed])
  await new Promise<unknown>((resolve, reject) => {
    const cancel = clock.after(graceMs, () => resolve(undefined))
    drained.finally(cancel).then(resolve, reject)
  })
}

/** Once it is drained. */
export async function stop ({ app, services, logs, own }: Running): Promise<void> {
  await app.close()
  services.audit.close()
  await services.rateLimits?.close()
  await services.nodes?.close()
  await logs.close()
  for (const part of own) await part.close()
}
