/** What four real nodes over one log, behind nginx, go through. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { openBackend } from '../../src/backends.ts'
import { post, pullOf, pushOf } from './app.ts'
import { startCluster, type Cluster } from './nodes.ts'
import { readOwnWrites } from './own-writes.ts'
import { Load } from './proxies/load.ts'
import { assertEntries, assertReplicas, gather, load } from './scene.ts'
import type { Service } from './services/place.ts'

/** Faults of each run. */
const FAULTS = Number(process.env['POCKET_KILLS'] ?? 12)
const STREAMS = 40

export interface Trials {
  /** Makes every commit wait until the returned function is called. */
  readonly hold: (service: Service) => Promise<() => Promise<void>>
  /** The build that takes over; default the same. */
  readonly nextBuild?: (t: Test) => string
}

/** @param service that the log lies on, which is new */
export async function tryNodes (t: Test, service: Service, { hold, nextBuild }: Trials): Promise<void> {
  const cluster = await startCluster(t, service, service.url)
  await t.test('killed and paused at random, the database restarted, hints cut', t => crash(t, cluster))
  await t.test('promise 4 (Safe checkpoints): what one node answered holds at every other', t => ownWrites(t, cluster))
  await t.test('promise 5 (Live is pull): each is replaced while streams are open, and every stream goes on elsewhere', t => rolling(t, cluster, nextBuild?.(t)))
  await t.test('what holds up every commit makes pushes wait or ask again, and none is lost or answered before', t => held(t, cluster, hold))
  t.strictSame(await Promise.all(cluster.nodes.map(node => node.stop())), [0, 0, 0, 0], 'each node ends in order')
}

async function crash (t: Test, cluster: Cluster): Promise<void> {
  const crowd = gather({ url: cluster.url })
  for (let i = 0; i < FAULTS; i++) {
    await load(crowd, Math.random() * 30)
    await fault(cluster, i)
  }
  cluster.hints.resume()
  await load(crowd, 40)
  t.ok(FAULTS < 10 || crowd.followers.every(({ connections }) => connections > 1), 'streams were cut and resumed')
  await assertReplicas(t, { url: cluster.url }, crowd)
  const log = await openBackend(cluster.db)
  assertEntries(t, await log.getSince(0, 1_000_000), crowd)
  await log.close()
}

/** Each kind comes in its turn, each node is killed in its turn; the rest is for chance to choose. */
async function fault ({ nodes, service, hints }: Cluster, turn: number): Promise<void> {
  const node = nodes[turn % nodes.length]!
  const another = nodes[(turn + 1 + Math.floor(Math.random() * (nodes.length - 1))) % nodes.length]!
  const faults: Array<() => unknown> = [
    () => node.restart('SIGKILL'),
    () => node.pause(200 + Math.random() * 800),
    () => hints.cut(),
    () => Promise.all([node.restart('SIGKILL'), another.pause(Math.random() * 800)]),
    () => restarted(service, Math.random() * 500),
    () => turn % 12 < 6 ? hints.stall() : hints.resume()
  ]
  await faults[turn % faults.length]!()
}

/** As a machine that loses its power and comes back. */
async function restarted (service: Service, ms: number): Promise<void> {
  await service.kill()
  await sleep(ms)
  await service.start()
}

async function ownWrites (t: Test, { nodes, hints }: Cluster): Promise<void> {
  const urls = nodes.map(({ url }) => url)
  t.strictSame((await readOwnWrites(urls, 100)).broken, [])
  // Begins an epoch, which no other node has seen begin, and from here on they hear of nothing.
  await nodes[0]!.restart('SIGTERM')
  hints.stall()
  t.strictSame((await readOwnWrites(urls, 100)).broken, [])
  hints.resume()
}

/** @param cli of the build that takes over, node by node, beside those of the former one */
async function rolling (t: Test, { url, nodes }: Cluster, cli: string | undefined): Promise<void> {
  const load = new Load(url, { readers: STREAMS })
  t.teardown(() => load.stop())
  await load.more(20)
  for (const node of nodes) {
    t.equal(await node.stop(), 0, 'it ends in order')
    await node.start(cli === undefined ? {} : { cli })
    await load.more(10)
  }
  await load.settle()
  const written = [...load.applied.values()].sort((a, b) => a - b)
  t.strictSame(written, written.map((_, index) => written[0]! + index), 'each document has a sequence of its own, and none is left over')
  for (const sequences of [...load.followed, load.pulled]) t.strictSame(sequences.slice(-written.length), written, 'each came once, in order')
  t.ok(load.cuts >= STREAMS / 2, `streams lost their node ${load.cuts} times`)
}

async function held (t: Test, { nodes, service }: Cluster, hold: Trials['hold']): Promise<void> {
  const release = await hold(service)
  let answered = 0
  const pushes = nodes.map(async ({ url }, index) => {
    const message = pushOf('held', [{ documentId: `held-${index}` }])
    for (;;) {
      const { status, json } = await post(`${url}/sync/push`, message)
      if (status === 200) return answered++
      if (status !== 503) throw new Error(`${status}: ${JSON.stringify(json)}`)
      await sleep(50)
    }
  })
  await sleep(1000)
  t.equal(answered, 0, 'none is acknowledged while it lasts')
  await release()
  await Promise.all(pushes)
  for (const { url } of nodes) {
    const { json } = await post(`${url}/sync/pull`, pullOf({ collections: ['held'], limit: 1000 }))
    t.strictSame(json.changes.held.map(({ documentId }: { documentId: string }) => documentId).sort(), nodes.map((_, index) => `held-${index}`))
  }
}
