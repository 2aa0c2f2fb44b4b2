/** From the name of a backend to its adapter; the only file that knows the concrete ones. */
import type { Backup, BackupOptions, Restored, RestoreOptions } from './changelog/backup.ts'
import type { ChangeLog, ChangeStore } from './changelog/changelog.ts'
import type { LogView } from './changelog/view.ts'
import { isMovable } from './changelog/moving.ts'
import { assertTenant, hasTenants, isNetworked } from './changelog/networked.ts'
import { defaultRetention, type Retention } from './config.ts'
import type { Coordination } from './coordination/coordination.ts'
import type { PubSub } from './pubsub/pubsub.ts'

export const DEFAULT_LOG = './pocket.db'

/**
 * A change log by its name: `sqlite:<path>` or a bare path, `postgres://…`, `redis://…` or `rediss://…`, `:memory:` or
 * `memory:` for one that ends with the process. Adapters are loaded when they are asked for.
 * @param replica URL of a standby, of which readers who are far behind get their pages; PostgreSQL alone has one
 * @throws TypeError when this version has no such backend
 */
export async function openBackend (name: string, retention: Retention = defaultRetention, replica?: string): Promise<ChangeStore> {
  if (replica !== undefined && !/^postgres(ql)?:/i.test(name)) throw new TypeError('a replica is one of PostgreSQL: name the log as postgres://…')
  if (name === ':memory:' || name === 'memory:') {
    const { MemoryChangeLog } = await import('./changelog/memory.ts')
    return new MemoryChangeLog()
  }
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(name)?.[1]?.toLowerCase()
  const tenant = name.indexOf(TENANT)
  if (tenant !== -1 && pathOf(name) === null) return ofTenant(await openBackend(name.slice(0, tenant), retention, replica), tenantIn(name.slice(tenant + TENANT.length)))
  if (scheme === 'postgres' || scheme === 'postgresql') {
    const { PostgresChangeLog } = await import('./changelog/postgres.ts')
    return new PostgresChangeLog(name, { pushRetention: retention.pushes, ...replica !== undefined && { replica } })
  }
  if (scheme === 'redis' || scheme === 'rediss') {
    const { RedisChangeLog } = await import('./changelog/redis.ts')
    return new RedisChangeLog(name, { pushRetention: retention.pushes })
  }
  if (scheme !== undefined && scheme !== 'sqlite') {
    throw new TypeError(`there is no change log "${scheme}:" in this version of @pocket/server; there are a path, sqlite:<path>, postgres://…, redis://… and :memory:`)
  }
  const path = scheme === undefined ? name : name.slice('sqlite:'.length)
  if (path === '') throw new TypeError('the change log needs a path')
  const { SqliteChangeLog } = await import('./changelog/sqlite.ts')
  return new SqliteChangeLog(path, { pushRetention: retention.pushes })
}

/** What follows the URL of a server. */
const TENANT = '#tenant='

/**
 * The name of a tenant's log in the place that a name names.
 * @throws TypeError for what is no name of a tenant, and in memory
 */
export async function tenantLog (name: string, tenant: string): Promise<string> {
  assertTenant(tenant)
  const path = pathOf(name)
  if (path === null && !name.includes('//')) throw new TypeError(`${name} holds no tenants: name a file or a server`)
  if (path === null) return `${name}${TENANT}${encodeURIComponent(tenant)}`
  const { tenantPath } = await import('./changelog/sqlite/tenant.ts')
  return tenantPath(path, tenant)
}

/** @throws TypeError when it is not encoded as in a URL */
function tenantIn (encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw new TypeError(`"${encoded}" after ${TENANT} is no name of a tenant as a URL has it: write % as %25`)
  }
}

/** Alone: what it shares with others is closed with it. */
function ofTenant (place: ChangeStore, name: string): ChangeStore {
  if (!hasTenants(place)) throw new TypeError('this change log has no tenants')
  const store = place.tenant(name)
  const close = store.close.bind(store)
  return Object.assign(store, { close: async () => { await close(); await place.close() } })
}

/**
 * A change log by its name, for reading beside the nodes that write it.
 * @throws TypeError for one in memory, SyncError when it cannot be read
 */
export async function openView (name: string): Promise<LogView> {
  if (pathOf(name) !== null || /^:?memory:$/.test(name)) {
    const view = await import('./changelog/sqlite/view.ts')
    return view.openView(fileOf(name))
  }
  const store = await openBackend(name)
  if (!isMovable(store)) throw new TypeError(`${nameOf(name)} cannot be looked at from here`)
  try {
    await store.openAtRest()
  } catch (error) {
    await store.close()
    throw error
  }
  const { StoreView } = await import('./changelog/store-view.ts')
  return new StoreView(nameOf(name), store)
}

/** Without its password, and without the query, which may have one too. */
function nameOf (url: string): string {
  const name = new URL(url)
  name.search = ''
  if (name.password !== '') name.password = '***'
  return name.href
}

/**
 * Copies a log, also one that a server writes, into one file.
 * @throws TypeError when it is not kept in a file, SyncError when it or its backup fails
 */
export async function backupLog (name: string, target: string, options: BackupOptions): Promise<Backup> {
  const path = fileOf(name)
  const { backupFile } = await import('./changelog/sqlite/backup.ts')
  return await backupFile(path, target, options)
}

/**
 * Puts a backup in the place of a log that nobody has open.
 * @throws TypeError when it is not kept in a file, SyncError saying why it was not restored
 */
export async function restoreLog (name: string, backup: string, options: RestoreOptions): Promise<Restored> {
  const path = fileOf(name)
  const { restoreFile } = await import('./changelog/sqlite/restore.ts')
  return await restoreFile(path, backup, options)
}

/** The path of a log that is kept in a file; null of one that is not. */
export function pathOf (name: string): string | null {
  const path = name.startsWith('sqlite:') ? name.slice('sqlite:'.length) : name
  return path === '' || path === 'memory:' || /^:?[a-z][a-z0-9+.-]+:/i.test(path) ? null : path
}

function fileOf (name: string): string {
  const path = pathOf(name)
  if (/^postgres/i.test(name)) throw new TypeError('the log lies in PostgreSQL, which has its own way: pg_dump, pg_basebackup and pg_restore; or copy takes it into a file')
  if (/^redis/i.test(name)) throw new TypeError('the log lies in Redis, which has its own way: BGREWRITEAOF or BGSAVE, and the files it writes; or copy takes it into a file')
  if (path === null) throw new TypeError(`${name} names no file: this works on a log in a file, by its path or as sqlite:<path>`)
  return path
}

const METHODS = ['append', 'getSince', 'getForCollection', 'get', 'getCurrentSequence', 'compact', 'clear'] as const

/** @throws TypeError naming the methods that an application's own log lacks */
export function assertChangeLog (log: ChangeLog): void {
  const missing = METHODS.filter(name => typeof (log as Partial<ChangeLog> | null)?.[name] !== 'function')
  if (missing.length > 0) throw new TypeError(`changeLog has no ${missing.join(', ')}: a change log has the methods ${METHODS.join(', ')}`)
}

/** A log that the application passed in: one of ours as it is, one with the seven methods alone made whole. */
export async function wholeStore (log: ChangeLog): Promise<ChangeStore> {
  if ('commit' in log) return log as ChangeStore
  const { PlainChangeStore } = await import('./changelog/plain.ts')
  return new PlainChangeStore(log)
}

/**
 * Hints between the nodes that share a log.
 * @param store decides where no name does: over the server that it lies on itself, else within this process
 * @param name `memory`, `redis://…` or `postgres://…`
 * @throws TypeError for another name, or saying what to install
 */
export async function openPubSub (store?: ChangeStore, name?: string): Promise<PubSub> {
  const server = store !== undefined && isNetworked(store) ? await store.server() : null
  const scheme = name === undefined ? server?.kind ?? 'memory' : name === 'memory' ? name : /^(rediss?|postgres(ql)?)(?=:)/i.exec(name)?.[0].toLowerCase()
  if (scheme === 'memory') return new (await import('./pubsub/memory.ts')).MemoryPubSub()
  if (scheme === 'redis' || scheme === 'rediss') {
    const { RedisPubSub } = await import('./pubsub/redis.ts')
    return server?.kind === 'redis' ? new RedisPubSub(name ?? server.redis, { prefix: server.prefix }) : new RedisPubSub(name!)
  }
  if (scheme === 'postgres' || scheme === 'postgresql') {
    const { PostgresPubSub } = await import('./pubsub/postgres.ts')
    return server?.kind === 'postgres' ? new PostgresPubSub(name ?? server.pool, { schema: server.schema }) : new PostgresPubSub(name!)
  }
  throw new TypeError('there is no pubsub of that name; there are redis://…, postgres://… and memory')
}

/** Where nodes agree on what they share beside the log: the server of the log, else that of the hints; null where this node is alone. */
export async function openCoordination (store: ChangeStore, pubsub: PubSub): Promise<Coordination | null> {
  const server = isNetworked(store) ? await store.server() : await pubsub.server?.() ?? null
  if (server === null) return null
  if (server.kind === 'redis') {
    const { RedisCoordination } = await import('./coordination/redis.ts')
    return new RedisCoordination(server.redis, server)
  }
  const { PostgresCoordination } = await import('./coordination/postgres.ts')
  return new PostgresCoordination(server.pool, server)
}
