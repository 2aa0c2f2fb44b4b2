/** A crowd of clients around the real program, and what must hold when all is over. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { ChangeEntry } from '../../src/changelog/changelog.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { Follower, Puller, Writer, type Target } from './crowd.ts'
import { startServer, type ServerProcess, type StartOptions } from './process.ts'
import { startProxy, type Proxy } from './proxy.ts'

export interface Scene {
  readonly db: string
  readonly target: Target
  readonly proxy: Proxy
  server: ServerProcess
  readonly start: (options?: Partial<StartOptions>) => Promise<void>
}

/** A server behind a proxy, so that it can come back on any port and connections can be cut on the way. */
export async function scene (t: Test, options: Partial<StartOptions> = {}): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'pocket-crash-'))
  const db = options.db ?? join(folder, 'log.db')
  const first = await startServer({ ...options, db })
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

export interface Crowd { readonly writers: Writer[], readonly pullers: Puller[], readonly followers: Follower[] }

export function gather (target: Target): Crowd {
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

/** Until the writers have been answered for so many changes more; a busy machine takes longer. */
export async function load ({ writers }: Crowd, changes: number): Promise<void> {
  const count = (): number => writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)
  for (const goal = count() + changes; count() < goal && writers.every(({ failure }) => failure === undefined);) await sleep(20)
}

/** Promises 1, 3, 4, 5 and 8, by what the clients were told and what the file holds at the end. */
export async function assertKept (t: Test, scene: Scene, crowd: Crowd): Promise<void> {
  await assertReplicas(t, scene.target, crowd)
  t.match(await scene.server.stop(), { code: 0 }, 'and the server ends in order')
  const log = new SqliteChangeLog(scene.db)
  assertEntries(t, await log.getSince(0, 1_000_000), crowd)
  await log.close()
}

/** Ends all clients. */
export async function assertReplicas (t: Test, target: Target, crowd: Crowd): Promise<void> {
  for (const writer of crowd.writers) await writer.stop()
  for (const puller of crowd.pullers) await puller.stop()
  const fresh = new Puller(target)
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
}

/** @param entries all that the log holds */
export function assertEntries (t: Test, entries: readonly ChangeEntry[], { writers }: Crowd): void {
  const bySequence = new Map(entries.map(entry => [entry.sequence, entry]))
  const markers = entries.map(entry => (JSON.parse(entry.document!) as { marker: string }).marker)
  const acknowledged = writers.flatMap(writer => writer.acknowledged)
  const lost = acknowledged.filter(({ sequence, marker }) => bySequence.get(sequence)?.document?.includes(`"${marker}"`) !== true)
  t.same(lost, [], `promise 1 (Durable): none of ${acknowledged.length} acknowledged changes is lost`)
  t.equal(new Set(markers).size, markers.length, `promise 3 (Once): none of ${writers.flatMap(writer => writer.sent).length} changes took effect twice`)
  t.same(entries.map(({ sequence }) => sequence), entries.map((_, i) => i + 1), 'promise 2 (Ordered): one order without gap')
}

function sorted (documents: Map<string, string>): string {
  return JSON.stringify([...documents].sort(([a], [b]) => a < b ? -1 : 1))
}
