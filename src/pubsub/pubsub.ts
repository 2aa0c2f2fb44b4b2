import type { PostgresPool } from '../drivers/postgres.ts'
import type { Redis } from '../drivers/redis.ts'

/** A server that carries hints. */
export type HintServer =
  | { readonly kind: 'postgres', readonly pool: PostgresPool, readonly schema: string }
  | { readonly kind: 'redis', readonly redis: Redis, readonly prefix: string }

/**
 * PORT: hints between the nodes. A hint says "there is something new": it carries no data and may be lost.
 * Whoever listens looks at the change log, and looks now and then without a hint too.
 */
export interface PubSub {
  /** Resolves when hints for the topic arrive; the returned function ends that. A listener must not throw. */
  subscribe (topic: string, listener: () => void): Promise<() => Promise<void>>
  /** Never throws: a hint that cannot be sent is lost. */
  publish (topic: string): void
  /** Where it lies, for what else nodes share; absent of one that lies within the process. */
  server? (): Promise<HintServer>
  /** Idempotent; no listener is called afterwards. */
  close (): Promise<void>
}
