/** A server with tenants, and what their users send it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import type { PocketServer } from '../../src/server.ts'
import { CapturedLog } from './captured-log.ts'
import { post, pullOf, pushOf, request, startApp, type Answered, type ChangeLike } from './app.ts'
import { claims, hmacToken, SECRET } from './tokens.ts'

interface Test { teardown (action: () => unknown): void }

export interface Member {
  readonly headers: Readonly<Record<string, string>>
  push (changes: ChangeLike[], members?: object): Promise<Answered>
  pull (members?: object): Promise<Answered>
  get (path: string, headers?: Record<string, string>): Promise<Answered>
  /** Ids of all documents that this user's log holds. */
  ids (): Promise<string[]>
}

export interface Tenanted {
  readonly pocket: PocketServer
  readonly url: string
  readonly port: number
  readonly log: CapturedLog
  readonly store: SqliteChangeLog
  readonly folder: string
  /** Of the tenants' files. */
  files (): string[]
  /** Logs that are open, by their WAL. */
  openLogs (): string[]
  as (tenant: unknown, sub?: string): Member
}

/** Over SQLite; ends with the test. */
export async function startTenants (t: Test, options: PocketServerOptions = {}): Promise<Tenanted> {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-tenants-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const store = new SqliteChangeLog(join(folder, 'pocket.db'), { synchronous: 'normal' })
  t.teardown(() => store.close())
  const log = new CapturedLog()
  const app = await startApp(t, { changeLog: store, jwt: { secret: SECRET }, tenant: user => user.org, rateLimit: false, logger: log, ...options })
  const files = (): string[] => readdirSync(folder, { recursive: true }).map(String).filter(name => name.endsWith('.db') || name.includes('-wal')).sort()
  const openLogs = (): string[] => files().filter(name => name.includes('.tenants') && name.endsWith('-wal'))
  return { ...app, log, store, folder, files, openLogs, as: (tenant, sub = 'ann') => member(app.url, tokenOf(tenant, sub)) }
}

export function tokenOf (tenant: unknown, sub = 'ann'): string {
  return hmacToken(claims({ sub, org: tenant }))
}

export function member (url: string, token: string): Member {
  const headers = { authorization: `Bearer ${token}` }
  const pull = (members?: object): Promise<Answered> => post(`${url}/sync/pull`, pullOf(members), headers)
  return {
    headers,
    push: (changes, members) => post(`${url}/sync/push`, pushOf('todos', changes, members), headers),
    pull,
    get: (path, more) => request(`${url}${path}`, { headers: { ...headers, ...more } }),
    async ids () {
      const { json } = await pull({ limit: 1000 })
      return (json.changes.todos ?? []).map(({ documentId }: { documentId: string }) => documentId)
    }
  }
}
