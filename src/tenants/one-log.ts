/** One log for everybody. */
import type { ChangeStore } from '../changelog/changelog.ts'
import { composeLog, type Node, type Parts } from '../compose.ts'
import type { LogsHealth } from '../http/services.ts'
import type { PubSub } from '../pubsub/pubsub.ts'
import { Doorbell } from '../sync/doorbell.ts'
import { fileAll } from '../sync/filing.ts'
import type { OpenLogs } from './logs.ts'

/** @param store open */
export async function openOneLog (node: Node, { store, pubsub }: { store: ChangeStore, pubsub: PubSub }): Promise<OneLog> {
  const { config, clock } = node
  if (config.access.channels !== null) await fileAll(store, config.access.channels, config.logger)
  const bell = new Doorbell(pubsub, clock, config.pollInterval)
  await bell.open()
  return new OneLog(node, { store, bell })
}

class OneLog implements OpenLogs {
  readonly only: Parts

  constructor (node: Node, log: { store: ChangeStore, bell: Doorbell }) {
    this.only = { ...node, logs: this, ...composeLog(node, { ...log, tenant: null }) }
    this.only.housekeeping.open()
    this.only.sealing?.open()
  }

  get health (): LogsHealth {
    const { store, feed, pushes } = this.only
    return { ...store.health(), streams: feed.size, pendingChanges: pushes.pending }
  }

  parts (): Parts[] {
    return [this.only]
  }

  async within<T> (_tenant: string, work: (parts: Parts) => T | Promise<T>): Promise<T> {
    return await work(this.only)
  }

  async work<T> (tenant: string | undefined, work: (parts: Parts) => Promise<T>): Promise<T> {
    if (tenant !== undefined) throw new TypeError('this server has no tenants: leave "tenant" out, or set the option tenant')
    return await work(this.only)
  }

  async drain (drainMs: number): Promise<void> {
    const { housekeeping, sealing, feed } = this.only
    housekeeping.close()
    sealing?.close()
    await feed.close({ drainMs })
  }

  async close (): Promise<void> {
    await this.only.bell.close()
  }
}
