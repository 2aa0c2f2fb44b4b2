/** What a server opens before its first request and closes after its last one. */
import type { FastifyInstance } from 'fastify'
import { DEFAULT_LOG, openBackend, openPubSub, wholeStore } from './backends.ts'
import { clock, composeNode, type Node } from './compose.ts'
import type { Config, PocketServerOptions } from './config.ts'
import { buildApp } from './http/app.ts'
import { makeAddressOf } from './http/caller.ts'
import { openRateLimits } from './http/rate-limit.ts'
import type { NodeServices } from './http/services.ts'
import type { ChangeStore } from './changelog/changelog.ts'
import { hasTenants } from './changelog/networked.ts'
import type { PubSub } from './pubsub/pubsub.ts'
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
export async function start (config: Config, { changeLog, pubsub: given }: Pick<PocketServerOptions, 'changeLog' | 'pubsub'>, draining: AbortSignal): Promise<Running> {
  const store = await (changeLog === undefined ? openBackend(DEFAULT_LOG, config.retention) : wholeStore(changeLog))
  await store.open()
  const { writable, detail } = store.health()
  if (writable && detail !== null) config.logger.warn({}, detail)
  const pubsub = given ?? await openPubSub(store)
  const addressOf = makeAddressOf(config.trustProxy)
  const rateLimits = await openRateLimits(config, { clock, addressOf })
  const node = composeNode(config, { draining, addressOf, rateLimits })
  const logs = await openLogs(node, { store, pubsub })
  const services = { ...node, logs }
  const app = buildApp(services)
  await app.ready()
  return { services, logs, app, own: [...given === undefined ? [pubsub] : [], ...store === changeLog ? [] : [store]] }
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
  await logs.close()
  for (const part of own) await part.close()
}
