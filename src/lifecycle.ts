/** What a server opens before its first request and closes after its last one. */
import type { FastifyInstance } from 'fastify'
import { DEFAULT_LOG, openBackend, openPubSub, wholeStore } from './backends.ts'
import { clock, compose, type Parts } from './compose.ts'
import type { Config, PocketServerOptions } from './config.ts'
import { buildApp } from './http/app.ts'
import { makeAddressOf } from './http/caller.ts'
import { openRateLimits } from './http/rate-limit.ts'
import { Doorbell } from './sync/doorbell.ts'
import { fileAll } from './sync/filing.ts'

export interface Running {
  readonly services: Parts
  readonly app: FastifyInstance
  /** What the server opened itself: what was passed in stays open. */
  readonly own: ReadonlyArray<{ close (): Promise<void> }>
}

/** @param draining aborted when the server begins to shut down */
export async function start (config: Config, { changeLog, pubsub: given }: Pick<PocketServerOptions, 'changeLog' | 'pubsub'>, draining: AbortSignal): Promise<Running> {
  const store = await (changeLog === undefined ? openBackend(DEFAULT_LOG, config.retention) : wholeStore(changeLog))
  await store.open()
  if (config.access.channels !== null) await fileAll(store, config.access.channels, config.logger)
  const pubsub = given ?? await openPubSub()
  const bell = new Doorbell(pubsub, clock, config.pollInterval)
  await bell.open()
  const addressOf = makeAddressOf(config.trustProxy)
  const rateLimits = await openRateLimits(config, { clock, addressOf })
  const services = compose(config, { store, bell, draining, addressOf, rateLimits })
  await services.feed.open()
  const app = buildApp(services)
  await app.ready()
  services.housekeeping.open()
  services.sealing?.open()
  return { services, app, own: [...given === undefined ? [pubsub] : [], ...store === changeLog ? [] : [store]] }
}

/** Until everything that was taken is answered and every connection is over, or the time is up. */
export async function drain ({ services: { activity, feed, housekeeping, sealing, config: { limits } } }: Running, closed: Promise<unknown>): Promise<void> {
  const { drainMs, graceMs } = limits
  housekeeping.close()
  sealing?.close()
  const drained = Promise.all([activity.idle(), feed.close({ drainMs: Math.min(drainMs, graceMs / 2) }), closed])
  await new Promise<unknown>((resolve, reject) => {
    const cancel = clock.after(graceMs, () => resolve(undefined))
    drained.finally(cancel).then(resolve, reject)
  })
}

/** Once it is drained. */
export async function stop ({ app, services, own }: Running): Promise<void> {
  await app.close()
  services.audit.close()
  await services.bell.close()
  for (const part of own) await part.close()
}
