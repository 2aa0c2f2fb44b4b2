/** Pushes by this process itself: through the same gate and the same rules as those that come over HTTP. */
import type { PushResponse } from '../schema/push-response.ts'
import { openPubSub } from './backends.ts'
import type { ChangeStore } from './changelog/changelog.ts'
import { clock, composeLog, composeNode } from './compose.ts'
import { resolveConfig, type PocketServerOptions } from './config.ts'
import { parseMessage } from './http/json-gate.ts'
import { asPush } from './http/validate.ts'
import { Doorbell } from './sync/doorbell.ts'

export interface LocalPushes {
  /**
   * @param body a push as JSON text in UTF-8
   * @param clientId as whose change it is kept
   * @throws SyncError as the HTTP endpoint answers it
   */
  push (body: Buffer, clientId: string): Promise<PushResponse>
  /** The store stays open. */
  close (): Promise<void>
}

/** @param store open, and held by this process */
export async function openLocalPushes (store: ChangeStore, options: Pick<PocketServerOptions, 'conflictStrategy'> = {}): Promise<LocalPushes> {
  const config = resolveConfig({ ...options, changeLog: store })
  const { limits } = config
  const pubsub = await openPubSub(store)
  const bell = new Doorbell(pubsub, clock, config.pollInterval)
  const node = composeNode(config, { draining: new AbortController().signal, addressOf: () => null, rateLimits: null, shared: null })
  const { pushes } = composeLog(node, { store, bell, tenant: null })
  return {
    async push (body, clientId) {
      const { value, condemned } = await parseMessage(body, { depth: limits.depth, documentBytes: limits.documentBytes, changes: limits.changesPerPush })
      const answer = await pushes.push({ ...asPush(value), condemned }, { user: null, clientId, address: null })
      return JSON.parse(answer.body) as PushResponse
    },
    async close () {
      await bell.close()
      await pubsub.close()
    }
  }
}
