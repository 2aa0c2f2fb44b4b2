/** Several nodes over one PostgreSQL and over one Redis, against one node over a file: where it saturates, and who uses the cores. */
import { startPostgres } from '../test/support/services/postgres.ts'
import type { Service } from '../test/support/services/place.ts'
import { startRedis } from '../test/support/services/redis.ts'
import { openPool } from '../src/drivers/postgres.ts'
import type { LoadResult } from './support/loads.ts'
import { familyCpuMs, type Helper, startServer, type Target } from './support/processes.ts'
import { rateRow, type Row } from './support/report.ts'
import { median, type Rounds, type Sample } from './support/stats.ts'
import { headOf, type Suite, type Work } from './support/suite.ts'

const COUNTS = [1, 2, 4] as const
const CONNECTIONS = 64
const MOST_ROUNDS = 3
/** Documents that a pull brings. */
const BEHIND = 10

/** Nodes over one log, and the process of its database. */
interface Setup {
  readonly nodes: readonly Target[]
  readonly database: number | null
}

interface Shares extends Sample {
  /** Of one core. */
  readonly database: number
}

export const nodes: Work = {
  name: 'nodes',
  async run (suite) {
    const setups = await start(suite)
    const generators = Array.from({ length: Math.max(...COUNTS) }, () => suite.generator())
    const load = (setup: Setup, kind: 'push' | 'pull', connections: number): Promise<Shares> => measured(setup, { generators, kind, connections, ms: suite.settings.ms })
    const all = (kind: 'push' | 'pull', connections: number, names = Object.keys(setups)) => Object.fromEntries(names.map(name => [name, () => load(setups[name]!, kind, connections)]))
    const pushes = await suite.compare('push, nodes', all('push', CONNECTIONS), MOST_ROUNDS)
    const alone = await suite.compare('push, one writer', all('push', 1, [FILE, 'PostgreSQL, 1 node', 'Redis, 1 node']), MOST_ROUNDS)
    const pulls = await suite.compare('pull, nodes', all('pull', CONNECTIONS), MOST_ROUNDS)
    return [...rowsOf('push 64×1', 'documents/s', pushes), ...rowsOf('push 1×1', 'documents/s', alone), ...rowsOf(`pull of ${BEHIND}`, 'pulls/s', pulls)]
  }
}

const FILE = 'one SQLite node'

async function start (suite: Suite): Promise<Record<string, Setup>> {
  const postgres = await startPostgres(suite)
  const redis = await startRedis(suite)
  const setups: Record<string, Setup> = { [FILE]: { nodes: [await suite.server('nodes.db', OPEN)], database: null } }
  const pool = await openPool(postgres.url)
  for (const count of COUNTS) {
    await pool.query({ text: `CREATE DATABASE nodes${count}` })
    setups[`PostgreSQL, ${named(count)}`] = await over(suite, postgres, { url: postgres.url.replace(/postgres$/, `nodes${count}`), count })
    setups[`Redis, ${named(count)}`] = await over(suite, redis, { url: `${redis.url}/${count}`, count })
  }
  await pool.end()
  return setups
}

/** Nobody is to be held up by the budget of its address. */
const OPEN = ['--no-rate-limit']

const named = (count: number): string => `${count} node${count === 1 ? '' : 's'}`

async function over (suite: Suite, { pid }: Service, { url, count }: { url: string, count: number }): Promise<Setup> {
  const nodes: Target[] = []
  for (let node = 0; node < count; node++) nodes.push(suite.keep(await startServer(url, suite.settings.serverArgs, OPEN)))
  return { nodes, database: pid }
}

interface Question {
  readonly generators: readonly Helper[]
  readonly kind: 'push' | 'pull'
  readonly connections: number
  readonly ms: number
}

/** The same number of connections, dealt out to the nodes. */
async function measured ({ nodes, database }: Setup, { generators, kind, connections, ms }: Question): Promise<Shares> {
  const head = await headOf(nodes[0]!)
  const at = { ...head, checkpoint: { global: Math.max(0, head.checkpoint.global - BEHIND) } }
  const before = { cpu: database === null ? 0 : familyCpuMs(database), time: performance.now() }
  const results = await Promise.all(nodes.map(({ port, pid }, index) => {
    const share = { port, pid, ms, connections: connections / nodes.length }
    const load = kind === 'push' ? { kind, ...share, ...head, changes: 1, resume: `push ${port} ${connections}` } : { kind, ...share, ...at, limit: 100, follow: false, expect: BEHIND }
    return generators[index]!.ask<LoadResult>(load)
  }))
  const used = (database === null ? 0 : familyCpuMs(database) - before.cpu) / (performance.now() - before.time)
  const rate = results.reduce((sum, result) => sum + result.rate, 0)
  return {
    rate,
    cpuMicros: results.reduce((sum, result) => sum + result.cpuMicros * result.rate, 0) / rate,
    generator: results.reduce((sum, result) => sum + result.generator, 0),
    database: used
  }
}

function rowsOf (work: string, unit: string, rounds: Rounds<string>): Row[] {
  const names = Object.keys(rounds[0]!).filter(name => name !== FILE)
  return names.map(name => ({
    ...rateRow({ work: `${work}: ${name}`, unit, limit: FILE }, { rounds, ours: name, limit: FILE }),
    database: median(rounds.map(round => (round[name] as Shares).database))
  }))
}
