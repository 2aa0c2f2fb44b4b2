/**
 * PORT: a change log that lies on a server which many nodes use. What else the nodes need to agree on (hints, budgets,
 * tickets) can go there too.
 */
import type { PostgresPool } from '../drivers/postgres.ts'
import type { Redis } from '../drivers/redis.ts'
import type { ChangeStore } from './changelog.ts'

/** Where the log lies. */
export type LogServer =
  | { readonly kind: 'postgres', readonly pool: PostgresPool, readonly schema: string }
  | { readonly kind: 'redis', readonly redis: Redis, readonly prefix: string }

export interface NetworkedStore extends ChangeStore {
  /** The connections that the log itself uses. Opens nothing that is not open. */
  server (): Promise<LogServer>
}

export function isNetworked (store: ChangeStore): store is NetworkedStore {
  return 'server' in store
}

/** A place that holds many logs, each with its own sequence, epochs and everything else. */
export interface TenantStore extends ChangeStore {
  /**
   * The log of one tenant, not opened yet: `open` and `close` are the caller's. The log that this method belongs to is
   * the one of no tenant.
   * @param name 1 to 128 characters; names that differ only in case are two tenants
   * @throws TypeError for what is no name of a tenant
   */
  tenant (name: string): ChangeStore
}

const NAME = /^[^\p{Cc}\p{Cs}]{1,128}$/u

/** Whether a tenant may be called so: 1 to 128 characters, none of them a control character. */
export function isTenant (name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name)
}

/** @throws TypeError */
export function assertTenant (name: unknown): asserts name is string {
  if (!isTenant(name)) throw new TypeError('the name of a tenant has 1 to 128 characters, none of them a control character')
}

export function hasTenants (store: ChangeStore): store is TenantStore {
  return 'tenant' in store
}
