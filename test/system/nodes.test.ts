/** Four real nodes over one log, behind nginx that deals requests out in turn. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openBackend } from '../../src/backends.ts'
import { startCluster, type Cluster } from '../support/nodes.ts'
import { requirePostgres, requireProgram, requireRedis } from '../support/programs.ts'
import { assertEntries, assertReplicas, gather, load } from '../support/scene.ts'
import type { Service } from '../support/services/place.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { startRedis } from '../support/services/redis.ts'

/** Faults of each run. */
const FAULTS = Number(process.env['POCKET_KILLS'] ?? 12)

interface Backend {
  readonly name: string
  readonly available: (t: Test) => boolean
  readonly start: (t: Test) => Promise<Service>
}

const backends: readonly Backend[] = [
  { name: 'PostgreSQL', available: requirePostgres, start: t => startPostgres(t) },
  { name: 'Redis', available: requireRedis, start: t => startRedis(t) }
]

for (const { name, available, start } of backends) {
  t.test(`${name}: four nodes killed and paused at random, the database restarted, hints cut`, { timeout: 280_000 }, async t => {
    if (!available(t) || !requireProgram(t, 'nginx', 'apt-get install nginx')) return
    const service = await start(t)
    const cluster = await startCluster(t, service, service.url)
    const crowd = gather({ url: cluster.url })
    for (let i = 0; i < FAULTS; i++) {
      await load(crowd, Math.random() * 30)
      await fault(cluster, i)
    }
    cluster.hints.resume()
    await load(crowd, 40)
    t.ok(crowd.followers.some(({ connections }) => connections > 1), 'streams were cut and resumed')
    await assertReplicas(t, { url: cluster.url }, crowd)
    for (const node of cluster.nodes) t.equal(await node.stop(), 0, 'and each node ends in order')
    const log = await openBackend(cluster.db)
    assertEntries(t, await log.getSince(0, 1_000_000), crowd)
    await log.close()
  })
}

/** Each kind comes in its turn, at a node and for a time that chance chooses. */
async function fault ({ nodes, service, hints }: Cluster, turn: number): Promise<void> {
  const node = nodes[Math.floor(Math.random() * nodes.length)]!
  const others = nodes.filter(one => one !== node)
  const faults: Array<() => Promise<unknown>> = [
    () => node.restart('SIGKILL'),
    () => node.pause(200 + Math.random() * 800),
    async () => hints.cut(),
    () => Promise.all([node.restart('SIGKILL'), others[0]!.pause(Math.random() * 800)]),
    () => restarted(service, Math.random() * 500),
    async () => turn % 12 < 6 ? hints.stall() : hints.resume()
  ]
  await faults[turn % faults.length]!()
}

/** As a machine that loses its power and comes back. */
async function restarted (service: Service, ms: number): Promise<void> {
  await service.kill()
  await sleep(ms)
  await service.start()
}
