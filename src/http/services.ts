import type { ChangeStore } from '../changelog/changelog.ts'
import type { Config } from '../config.ts'
import type { Clock } from '../sync/clock.ts'
import type { Doorbell } from '../sync/doorbell.ts'
import type { Feed } from '../sync/feed.ts'
import type { Pulls } from '../sync/pull.ts'
import type { Pushes } from '../sync/push.ts'

/** What the routes call: the rules, ready to use. */
export interface Services {
  readonly config: Config
  readonly clock: Clock
  readonly store: ChangeStore
  readonly bell: Doorbell
  readonly pushes: Pushes
  readonly pulls: Pulls
  readonly feed: Feed
  /** Aborted when the server begins to drain. */
  readonly draining: AbortSignal
  /** The program's version, for /sync/info and openapi.yaml. */
  readonly version: string
}
