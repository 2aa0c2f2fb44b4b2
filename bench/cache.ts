/** What fifty readers of a public collection cost the server when a cache stands before it, against one who asks it directly. */
import { startProxy, type Kind } from '../test/support/proxies/program.ts'
import { caches } from './support/caches.ts'
import type { WholeLoad } from './support/loads.ts'
import { cpuMs, Helper, type Target } from './support/processes.ts'
import type { Row } from './support/report.ts'
import { median } from './support/stats.ts'
import type { Suite, Work } from './support/suite.ts'
import { SECRET } from './support/tokens.ts'

const DOCUMENTS = 100_000
const PAGE = 1000
const READERS = 50
const ROUNDS = 2

interface Cost { readonly requests: number, readonly cpu: number }

export const cache: Work = {
  name: 'cache',
  async run (suite) {
    await suite.sqlite({ work: 'load', path: 'cache.db', documents: DOCUMENTS })
    const server = await suite.server('cache.db', ['--jwt-secret', SECRET, '--public-collections', 'todos', '--no-rate-limit'])
    const relay = Helper.start('relay.ts', [String(server.port)])
    try {
      const { port } = await relay.said<{ port: number }>()
      const scene = { suite, server, relay, port }
      // The first reading finds the server cold.
      await cost(scene, port, 1)
      const one = await cost(scene, port, 1)
      const rows: Row[] = []
      for (const kind of caches()) rows.push(...await behind(scene, kind, one))
      return rows
    } finally {
      await relay.stop()
    }
  }
}

interface Scene { readonly suite: Suite, readonly server: Target, readonly relay: Helper, readonly port: number }

/** Everybody reads everything, beginning at once. */
async function cost ({ suite, server, relay }: Scene, port: number, connections: number): Promise<Cost> {
  const requests = async (): Promise<number> => (await relay.ask<{ requests: number }>({})).requests
  const place = await placeAfterFirst(server)
  const before = { requests: await requests(), cpu: cpuMs(server.pid) }
  await suite.whole({ kind: 'changes', port, pid: server.pid, connections, documents: DOCUMENTS, limit: PAGE, coding: 'gzip', ...place })
  return { requests: await requests() - before.requests, cpu: cpuMs(server.pid) - before.cpu }
}

/** What clients go on with after the first page: the same for all of them. */
async function placeAfterFirst ({ port }: Target): Promise<Pick<WholeLoad, 'epoch' | 'snapshot'>> {
  const response = await fetch(`http://127.0.0.1:${port}/sync/changes?collections=todos&limit=${PAGE}&since=0`)
  const { epoch, checkpoint: { snapshot } } = await response.json() as { epoch: string, checkpoint: { snapshot: number } }
  return { epoch, snapshot }
}

async function behind (scene: Scene, kind: Kind, one: Cost): Promise<Row[]> {
  const costs: Cost[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // Empty each time.
    const proxy = await startProxy({ teardown () {} }, kind, scene.port)
    try {
      costs.push(await cost(scene, proxy.port, READERS))
    } finally {
      await proxy.stop()
    }
  }
  process.stderr.write(`  ${READERS} readers behind ${kind.name}\n`)
  const row = (what: string, unit: string, of: (cost: Cost) => number): Row => {
    const ours = median(costs.map(of))
    return { work: `${READERS} readers of 100,000 behind ${kind.name}: ${what}`, unit, ours, limit: 'one reader, directly', limitValue: of(one), ratio: ours / of(one), bar: 1.5, aim: 1.1, lowerIsBetter: true }
  }
  return [row('requests', 'requests', ({ requests }) => requests), row('CPU', 'ms', ({ cpu }) => cpu)]
}
