/** A PostgreSQL server of the test's own. */
import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { ownEnv } from '../own-env.ts'
import { Running, type Service, type Test } from './place.ts'

const DEBIAN = '/usr/lib/postgresql'

export interface PostgresOptions {
  /** Server settings, e.g. `{ wal_level: 'replica' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** It begins as a copy of this server and follows it, until it is promoted: `SELECT pg_promote()`. */
  readonly standbyOf?: Service
}

/** The folder of its programs; undefined where it is not installed. */
export function postgresBin (): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map(version => join(DEBIAN, version, 'bin')).find(folder => existsSync(join(folder, 'initdb')))
}

/** It refuses to run as root. */
export function unprivileged (): { uid?: number, gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

/** Ends with the test. User `postgres`, without a password. @throws Error with what its programs say */
export async function startPostgres (t: Test, { settings = {}, standbyOf }: PostgresOptions = {}): Promise<Service> {
  const bin = postgresBin()!
  const owner = unprivileged()
  const folder = mkdtempSync(join(tmpdir(), 'pocket-postgres-'))
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid!)
  const data = join(folder, 'data')
  const [program, ...args] = standbyOf === undefined
    ? ['initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
    : ['pg_basebackup', '-D', data, '-d', standbyOf.url, '-R', '-c', 'fast', '--no-sync']
  const { status, stderr, stdout } = spawnSync(join(bin, program!), args, { ...owner, cwd: folder, env: ownEnv(), encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program}: ${stdout}${stderr}`)
  const port = await freePort()
  const set = { listen_addresses: '127.0.0.1', port: String(port), unix_socket_directories: folder, max_connections: '200', ...settings }
  const server = { command: [join(bin, 'postgres'), '-D', data, ...Object.entries(set).flatMap(([name, value]) => ['-c', `${name}=${value}`])], cwd: folder, port, ...owner }
  // It accepts connections before it answers them.
  const start = async (): Promise<Running> => {
    const started = await Running.start(server)
    while (spawnSync(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)]).status !== 0) await sleep(20)
    return started
  }
  let running = await start()
  t.teardown(async () => {
    await running.kill()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    get pid () { return running.pid },
    kill: () => running.kill(),
    async start () { running = await start() },
    pause () { running.signal('SIGSTOP') },
    resume () { running.signal('SIGCONT') }
  }
}
