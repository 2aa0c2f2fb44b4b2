/**
 * node-postgres, as much of it as the adapters use: an application's own `pg.Pool` fits. The package is loaded when a
 * server is named by a URL, and not before.
 */

export interface PostgresResult {
  readonly rows: any[]
  readonly rowCount: number | null
}

/** One connection. What it says by `error` must be listened to, or the process dies of it. */
export interface PostgresClient {
  /** @param query as pg takes it: `{ text, values?, name?, rowMode? }` */
  query (query: any): Promise<PostgresResult>
  on (event: 'error' | 'end' | 'notification' | 'notice', listener: (...args: any[]) => void): unknown
  removeListener (event: string, listener: (...args: any[]) => void): unknown
  /** Gives it back. @param broken true or the error: it is not used again */
  release (broken?: boolean | Error): void
}

export interface PostgresPool {
  connect (): Promise<PostgresClient>
  query (query: any): Promise<PostgresResult>
  on (event: 'error' | 'connect', listener: (about: any) => void): unknown
  end (): Promise<void>
}

export interface PoolOptions {
  /** Connections at most. Default 10. */
  readonly max?: number
  /** How long to wait for a connection, ms. Default 5,000. */
  readonly connectMs?: number
  /** After which the server gives up a statement, ms. Default 30,000. */
  readonly statementMs?: number
}

/**
 * A pool by a URL, TLS as it says (`?sslmode=verify-full&sslrootcert=…`). Nothing is connected yet.
 * @throws TypeError saying what to install
 */
export async function openPool (url: string, { max = 10, connectMs = 5000, statementMs = 30_000 }: PoolOptions = {}): Promise<PostgresPool> {
  const { default: pg } = await load()
  return new pg.Pool({
    connectionString: url,
    max,
    // Statements that belong together go out together.
    pipeline: true,
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    // What a node that is gone has begun must not hold up the others.
    idle_in_transaction_session_timeout: statementMs,
    keepAlive: true,
    application_name: 'pocket-server'
  })
}

const minded = new WeakSet<PostgresPool | PostgresClient>()

/**
 * Connections that break while nobody asks anything of them would end the process: now they do not, not even between
 * being made and being handed out, when the pool has ceased to listen to them.
 */
export function mind (pool: PostgresPool): PostgresPool {
  if (minded.has(pool)) return pool
  minded.add(pool)
  pool.on('error', () => {})
  pool.on('connect', mindClient)
  return pool
}

/** The same of a connection that the pool had before. */
export function mindClient (client: PostgresClient): void {
  if (minded.has(client)) return
  minded.add(client)
  client.on('error', () => {})
}

async function load (): Promise<typeof import('pg')> {
  try {
    return await import('pg')
  } catch (cause) {
    throw new TypeError('PostgreSQL needs the package pg: npm install pg', { cause })
  }
}
