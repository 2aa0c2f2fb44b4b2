import type { Tickets } from '../auth/tickets.ts'
import type { ChangeStore, StoreHealth } from '../changelog/changelog.ts'
import type { Config } from '../config.ts'
import type { Audit } from '../sync/audit.ts'
import type { Changes } from '../sync/changes.ts'
import type { Clock } from '../sync/clock.ts'
import type { Doorbell } from '../sync/doorbell.ts'
import type { Feed } from '../sync/feed.ts'
import type { Histories } from '../sync/history.ts'
import type { Nodes } from '../sync/nodes.ts'
import type { Pulls } from '../sync/pull.ts'
import type { Pushes } from '../sync/push.ts'
import type { Snapshots } from '../sync/snapshot.ts'
import type { Authentication } from './authenticate.ts'
import type { AddressOf } from './caller.ts'
import type { BytesInFlight, RequestsInFlight } from './in-flight.ts'
import type { RateLimits } from './rate-limit.ts'

/** What the node is doing, for /health and for a shutdown that waits. */
export class Activity {
  /** When a push or pull was last answered, ms since 1970. */
  lastSync: number | null = null
  #active = 0
  #onIdle: (() => void) | undefined

  begin (): void {
    this.#active++
  }

  end (): void {
    if (--this.#active === 0) this.#onIdle?.()
  }

  /** Resolves when all that was begun has ended. */
  async idle (): Promise<void> {
    if (this.#active > 0) await new Promise<void>(resolve => { this.#onIdle = resolve })
  }
}

/** What belongs to the node, whichever log a request is about. */
export interface NodeServices {
  readonly config: Config
  readonly clock: Clock
  readonly logs: Logs
  /** Asked only where the server runs with authentication. */
  readonly authentication: Authentication
  readonly tickets: Tickets
  readonly audit: Audit
  readonly activity: Activity
  readonly inFlight: BytesInFlight
  readonly requestsInFlight: RequestsInFlight
  /** Of all whom nobody knows together. */
  readonly anonymousInFlight: RequestsInFlight
  readonly addressOf: AddressOf
  /** null where nobody is limited. */
  readonly rateLimits: RateLimits | null
  /** The others over the same log; null where this node is alone. */
  readonly nodes: Nodes | null
  /** Aborted when the server begins to drain. */
  readonly draining: AbortSignal
  /** One line per request at debug: asked for once, since it costs every request a little. */
  readonly logRequests: boolean
  /** The program's version, for /sync/info and openapi.yaml. */
  readonly version: string
}

/** What belongs to one log: the rules, ready to use. */
export interface LogServices {
  readonly store: ChangeStore
  readonly bell: Doorbell
  readonly pushes: Pushes
  readonly pulls: Pulls
  readonly changes: Changes
  readonly snapshots: Snapshots
  readonly histories: Histories
  readonly feed: Feed
}

/** What the routes call. */
export interface Services extends NodeServices, LogServices {}

/** All logs that a node serves: one, or each tenant's own. */
export interface Logs {
  /** The one log; null where each tenant has its own, which a request then reaches by `within` alone. */
  readonly only: Services | null
  /** Of all that are open. */
  readonly health: LogsHealth
  /**
   * Hands out the log of a tenant, which stays open until the work has ended, and beyond as long as it has streams.
   * @throws SyncError overloaded, storage_unavailable, draining
   */
  within<T> (tenant: string, work: (services: Services) => T | Promise<T>): Promise<T>
}

export interface LogsHealth extends StoreHealth {
  /** Open streams. */
  readonly streams: number
  /** Received, not yet committed. */
  readonly pendingChanges: number
}
