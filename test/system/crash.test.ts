import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { Follower, Puller, Writer, type Target } from '../support/crowd.ts'
import { startServer, type ServerProcess, type StartOptions } from '../support/process.ts'
import { startProxy, type Proxy } from '../support/proxy.ts'

const KILLS = Number(process.env['POCKET_KILLS'] ?? 20)

interface Scene {
  readonly db: string
  readonly target: Target
  readonly proxy: Proxy
  server: ServerProcess
  readonly start: (options?: Partial<StartOptions>) => Promise<void>
}

/** A server behind a proxy, so that it can come back on any port and connections can be cut on the way. */
async function scene (t: Test): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'pocket-crash-'))
  const db = join(folder, 'log.db')
  const first = await startServer({ db })
  const proxy = await startProxy({ target: first.port })
  const scene: Scene = {
    db,
    target: { url: `http://127.0.0.1:${proxy.port}` },
    proxy,
    server: first,
    async start (options = {}) {
      scene.server = await startServer({ db, ...options })
      proxy.target = scene.server.port
    }
  }
  t.teardown(async () => {
    await proxy.close()
    await scene.server.stop('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  return scene
}

interface Crowd { readonly writers: Writer[], readonly pullers: Puller[], readonly followers: Follower[] }

function gather (target: Target): Crowd {
  const crowd = {
    writers: ['ann', 'ben', 'cleo', 'dan'].map(name => new Writer(target, name)),
    pullers: [new Puller(target), new Puller(target)],
    followers: [new Follower(target), new Follower(target)]
  }
  for (const client of everybody(crowd)) client.start()
  return crowd
}

function everybody ({ writers, pullers, followers }: Crowd) {
  return [...writers, ...pullers, ...followers]
}

/** Promises 1, 3, 4, 5 and 8, by what the clients were told and what the file holds at the end. */
async function assertKept (t: Test, scene: Scene, crowd: Crowd): Promise<void> {
  for (const writer of crowd.writers) await writer.stop()
  for (const puller of crowd.pullers) await puller.stop()
  const fresh = new Puller(scene.target)
  await fresh.catchUp()
  for (const puller of crowd.pullers) {
    await puller.catchUp()
    t.strictSame(sorted(puller.documents), sorted(fresh.documents), 'promise 8 (Convergent): a replica that went through it all equals a new one')
  }
  for (const follower of crowd.followers) {
    for (let i = 0; i < 100 && sorted(follower.documents) !== sorted(fresh.documents); i++) await sleep(100)
    t.strictSame(sorted(follower.documents), sorted(fresh.documents), 'promise 5 (Live is pull): a stream leads to the same documents')
    await follower.stop()
  }
  t.match(await scene.server.stop(), { code: 0 }, 'and the server ends in order')
  await assertLog(t, scene, crowd)
}

async function assertLog (t: Test, scene: Scene, { writers }: Crowd): Promise<void> {
  const log = new SqliteChangeLog(scene.db)
  const entries = await log.getSince(0, 1_000_000)
  await log.close()
  const bySequence = new Map(entries.map(entry => [entry.sequence, entry]))
  const markers = entries.map(entry => (JSON.parse(entry.document!) as { marker: string }).marker)
  const acknowledged = writers.flatMap(writer => writer.acknowledged)
  const lost = acknowledged.filter(({ sequence, marker }) => bySequence.get(sequence)?.document?.includes(`"${marker}"`) !== true)
  t.same(lost, [], `promise 1 (Durable): none of ${acknowledged.length} acknowledged changes is lost`)
  t.equal(new Set(markers).size, markers.length, `promise 3 (Once): none of ${writers.flatMap(writer => writer.sent).length} changes took effect twice`)
  t.same(entries.map(({ sequence }) => sequence), entries.map((_, i) => i + 1), 'promise 2 (Ordered): one order without gap')
  t.ok(acknowledged.length > 100, 'and there was load')
}

function sorted (documents: Map<string, string>): string {
  return JSON.stringify([...documents].sort(([a], [b]) => a < b ? -1 : 1))
}

t.test(`kill -9 at random, ${KILLS} times, under load`, { timeout: 240_000 }, async t => {
  const at = await scene(t)
  const crowd = gather(at.target)
  for (let i = 0; i < KILLS; i++) {
    await sleep(100 + Math.random() * 700)
    await at.server.stop('SIGKILL')
    await at.start()
  }
  await sleep(300)
  t.ok(crowd.followers.every(({ connections }) => connections >= KILLS / 2), 'streams were cut and resumed')
  await assertKept(t, at, crowd)
})

t.test('pauses, cut connections, halved chunks and jumping clocks under load', { timeout: 240_000 }, async t => {
  const at = await scene(t)
  const jumping = { nodeArgs: ['--import', new URL('../support/jumping-clock.js', import.meta.url).href] }
  const crowd = gather(at.target)
  for (let i = 0; i < 12; i++) {
    await sleep(100 + Math.random() * 400)
    at.server.child.kill('SIGSTOP')
    await sleep(Math.random() * 400)
    at.server.child.kill('SIGCONT')
    await sleep(Math.random() * 100)
    at.proxy.cut()
    if (i % 4 === 3) {
      await at.server.stop('SIGKILL')
      await at.start(jumping)
    }
  }
  await assertKept(t, at, crowd)
})
