/** A Redis server of the test's own, set up to keep what it is given. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { Running, type Service, type Test } from './place.ts'

export interface RedisOptions {
  /** Server settings, e.g. `{ appendfsync: 'everysec' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Ends with the test. @throws Error with what it says */
export async function startRedis (t: Test, { settings = {} }: RedisOptions = {}): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-redis-'))
  const port = await freePort()
  const set = { port: String(port), bind: '127.0.0.1', dir: folder, appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction', save: '', ...settings }
  const program = { command: ['redis-server', ...Object.entries(set).flatMap(([name, value]) => [`--${name}`, value])], cwd: folder, port }
  let running = await Running.start(program)
  t.teardown(async () => {
    await running.kill()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid () { return running.pid },
    kill: () => running.kill(),
    async start () { running = await Running.start(program) },
    pause () { running.signal('SIGSTOP') },
    resume () { running.signal('SIGCONT') }
  }
}
