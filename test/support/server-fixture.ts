/**
 * A log on a server as an earlier build has left it, and the making of a fixture of today's layout:
 * node --import tsx test/support/server-fixture.ts postgres|redis test/fixtures/<kind>-v<layout>
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { PostgresChangeLog } from '../../src/changelog/postgres.ts'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { NOW } from '../../src/conformance/changelog/harness.ts'
import { openRedis } from '../../src/drivers/redis.ts'
import { postgresBin, startPostgres } from './services/postgres.ts'
import { startRedis } from './services/redis.ts'
import { contentsOf, fill } from './store-fixture.ts'

/** @param input what it reads @throws Error with what it says when it fails */
function postgresProgram (name: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(join(postgresBin()!, name), args, { input, encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (status !== 0) throw new Error(`${name}: ${stderr}`)
  return stdout
}

function dumpPostgres (url: string): string {
  return postgresProgram('pg_dump', ['--schema=pocket', '--no-owner', '--no-privileges', url])
}

export function loadPostgres (url: string, dump: string): void {
  postgresProgram('psql', ['-q', '-v', 'ON_ERROR_STOP=1', '-d', url], dump)
}

/** Each key with its value as `DUMP` gives it, one to a line. */
async function dumpRedis (url: string): Promise<string> {
  const redis = await openRedis(url)
  const keys = await redis.command(['KEYS', '*']) as string[]
  const lines = await Promise.all(keys.sort().map(async key => JSON.stringify([key, (await redis.command(['DUMP', key], { binary: true }) as Buffer).toString('base64')])))
  await redis.close()
  return lines.join('\n')
}

export async function loadRedis (url: string, dump: string): Promise<void> {
  const redis = await openRedis(url)
  for (const line of dump.split('\n')) {
    const [key, value] = JSON.parse(line) as [string, string]
    await redis.command(['RESTORE', key, 0, Buffer.from(value, 'base64')])
  }
  await redis.close()
}

async function make (kind: string, target: string): Promise<void> {
  const ends: Array<() => unknown> = []
  const t = { teardown: (end: () => unknown) => { ends.push(end) } }
  const { url } = kind === 'postgres' ? await startPostgres(t) : await startRedis(t)
  const log = kind === 'postgres' ? new PostgresChangeLog(url, { now: () => NOW }) : new RedisChangeLog(url, { now: () => NOW })
  await fill(log)
  writeFileSync(`${target}.json`, await contentsOf(log))
  await log.close()
  writeFileSync(`${target}.dump.gz`, gzipSync(kind === 'postgres' ? dumpPostgres(url) : await dumpRedis(url)))
  for (const end of ends) await end()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await make(process.argv[2]!, process.argv[3]!)
