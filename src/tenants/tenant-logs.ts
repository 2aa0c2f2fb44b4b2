/** A log for each tenant, opened when it is asked for. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ChangeStore } from '../changelog/changelog.ts'
import { assertTenant, type TenantStore } from '../changelog/networked.ts'
import { composeLog, type Node, type Parts } from '../compose.ts'
import { descriptorLimit } from '../http/descriptors.ts'
import type { LogsHealth } from '../http/services.ts'
import type { PubSub } from '../pubsub/pubsub.ts'
import { Doorbell } from '../sync/doorbell.ts'
import { fileAll } from '../sync/filing.ts'
import type { OpenLogs } from './logs.ts'
import { OpenTenants } from './open-tenants.ts'
import { Rounds } from './rounds.ts'

export interface TenantLogsDeps {
  /** Open. Its own log is the one of no tenant, and served to nobody. */
  readonly store: TenantStore
  readonly pubsub: PubSub
}

/** Files that a log of SQLite has open. */
const FILES = 6

export async function openTenantLogs (node: Node, deps: TenantLogsDeps): Promise<TenantLogs> {
  const { limits: { tenantsOpen }, logger } = node.config
  if (await deps.store.getCurrentSequence() > 0) logger.warn({}, 'the change log has entries of before there were tenants: they belong to none, and are served to nobody')
  const most = Math.max(1, Math.min(tenantsOpen, Math.floor(await descriptorLimit() / 2 / FILES)))
  if (most < tenantsOpen && tenantsOpen !== Infinity) logger.warn({ tenantsOpen, most }, 'this process may open too few files for so many tenants at once: fewer are kept open; raise it (ulimit -n, LimitNOFILE= of systemd) or lower limits.tenantsOpen')
  return new TenantLogs(node, deps, most)
}

class TenantLogs implements OpenLogs {
  readonly only = null
  readonly #node: Node
  readonly #deps: TenantLogsDeps
  readonly #tenants: OpenTenants<Parts>
  readonly #rounds: Rounds

  /** @param most logs that are open at once */
  constructor (node: Node, deps: TenantLogsDeps, most: number) {
    const { clock, config: { compactInterval, logger } } = node
    this.#node = node
    this.#deps = deps
    this.#tenants = new OpenTenants({
      open: name => this.#open(name),
      close: shut,
      isKept: ({ feed }) => feed.size > 0,
      most,
      clock,
      onError: (err, tenant) => logger.error({ err, tenant }, 'the log of a tenant could not be closed')
    })
    this.#rounds = new Rounds({ tenants: this.#tenants, clock, interval: compactInterval })
  }

  /** One tenant's trouble is no reason to send the others elsewhere: only where nothing can be written. */
  get health (): LogsHealth {
    const own = this.#deps.store.health()
    const parts = this.parts()
    const wrong = parts.filter(({ store }) => !store.health().writable).length
    const detail = own.detail ?? (wrong > 0 ? `${wrong} of the ${parts.length} logs of tenants that are open cannot be written: the server's log says which and why` : null)
    return {
      writable: own.writable && (wrong === 0 || wrong < parts.length),
      detail,
      streams: this.#node.crowd.size,
      pendingChanges: parts.reduce((sum, { pushes }) => sum + pushes.pending, 0)
    }
  }

  parts (): Parts[] {
    return [...this.#tenants.opened()]
  }

  within<T> (tenant: string, work: (parts: Parts) => T | Promise<T>): Promise<T> {
    return this.#tenants.within(tenant, work)
  }

  async work<T> (tenant: string | undefined, work: (parts: Parts) => Promise<T>): Promise<T> {
    if (tenant === undefined) throw new TypeError('this server has tenants: say whose log it is about, { tenant }')
    assertTenant(tenant)
    return await this.#tenants.within(tenant, work)
  }

  async drain (drainMs: number): Promise<void> {
    this.#rounds.close()
    await Promise.all(this.parts().map(({ feed }) => feed.close({ drainMs })))
  }

  async close (): Promise<void> {
    await this.#tenants.close()
  }

  async #open (tenant: string): Promise<Parts> {
    const { config: { access: { channels }, logger, pollInterval }, clock } = this.#node
    const store = this.#deps.store.tenant(tenant)
    const bell = new Doorbell(this.#deps.pubsub, clock, pollInterval, `changes:${tenant}`)
    try {
      // SQLite opens a file in one go: others come in between.
      await nextTurn()
      await store.open()
      if (channels !== null) await fileAll(store, channels, logger)
      await bell.open()
      return this.#compose(tenant, store, bell)
    } catch (error) {
      logger.error({ err: error, tenant }, 'the log of a tenant cannot be opened')
      await bell.close()
      await store.close()
      throw error
    }
  }

  #compose (tenant: string, store: ChangeStore, bell: Doorbell): Parts {
    const parts = { ...this.#node, logs: this, ...composeLog(this.#node, { store, bell, tenant, onStreamGone: () => this.#tenants.freed() }) }
    this.#rounds.wake()
    return parts
  }
}

async function shut ({ feed, ready, bell, store }: Parts): Promise<void> {
  await feed.close({ drainMs: 0 })
  ready.forget()
  await bell.close()
  await store.close()
}
