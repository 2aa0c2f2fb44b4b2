import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createClient, type ClientOptions, type KeepOptions } from '../../src/client/client.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { ChangeStore } from '../../src/changelog/changelog.ts'
import { restoreFile } from '../../src/changelog/sqlite/restore.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { PocketServer } from '../../src/server.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { Replica, sorted } from '../support/replica.ts'
import { folder } from '../support/store-disk.ts'

/** A server whose log can be put back to what it was. */
class Place {
  readonly #path: string
  #log: ChangeStore | undefined
  #pocket: PocketServer | undefined
  #port = 0

  constructor (path: string) {
    this.#path = path
  }

  get url (): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async start (log: ChangeStore = new SqliteChangeLog(this.#path, { ballastBytes: 0 })): Promise<void> {
    this.#log = log
    this.#pocket = new PocketServer({ changeLog: log, limits: { drainMs: 1 } })
    this.#port = (await this.#pocket.listen(this.#port)).port
  }

  async stop (): Promise<void> {
    await this.#pocket?.close()
    await this.#log?.close()
  }

  async backup (): Promise<void> {
    await (this.#log as SqliteChangeLog).backup(`${this.#path}.backup`, { force: true })
  }

  async restore (): Promise<void> {
    await this.stop()
    await restoreFile(this.#path, `${this.#path}.backup`, { discard: true })
    await this.start()
  }
}

async function newPlace (t: Test): Promise<Place> {
  const place = new Place(join(folder(t), 'log.db'))
  await place.start()
  t.teardown(() => place.stop())
  return place
}

function replicaAt (url: string, keep: KeepOptions | false = {}, more: Partial<ClientOptions> = {}): Replica {
  return new Replica(createClient({ baseUrl: url, timing: { backoffMs: 1, backoffMaxMs: 20 }, retries: 50, keep, ...more }))
}

let time = Date.now() - 1e6

async function put (replica: Replica, documentId: string, value: unknown, more: object = {}): Promise<string> {
  const { results } = await replica.client.push({ collection: 'todos', changes: [{ operation: 'update', documentId, document: { _id: documentId, value }, timestamp: time++, ...more }] })
  return results[0]!.status
}

function pushes ({ seen }: Gateway, from = 0): any[] {
  return seen.slice(from).filter(({ path }) => path === '/sync/push').map(({ body }) => JSON.parse(body))
}

async function until (done: () => boolean): Promise<void> {
  while (!done()) await sleep(5)
}

t.test('promise 8 (Convergent): after a restore each client resyncs and offers again what was lost; nothing that one of them still had is gone', async t => {
  const place = await newPlace(t)
  const [a, b] = [replicaAt(place.url), replicaAt(place.url)]
  await put(a, 'old', 1)
  await put(b, 'changed', 1)
  await place.backup()
  await put(a, 'changed', 2)
  await put(b, 'lost by b', 1)
  await put(a, 'lost by a', 1)
  await a.client.push({ collection: 'todos', changes: [{ operation: 'delete', documentId: 'old' }] })
  for (const replica of [a, b]) await replica.pull()
  const before = sorted(a.documents)
  t.strictSame(before.map(([id]) => id), ['changed', 'lost by a', 'lost by b'])

  await place.restore()
  for (const replica of [a, b, a]) await replica.pull()
  t.strictSame([a.resyncs, b.resyncs], [['epoch-changed'], ['epoch-changed']])
  t.strictSame(sorted(a.documents), before)
  t.strictSame(sorted(b.documents), before)
})

t.test('promise 4 (Safe checkpoints): sequences that a restored log gives out again lead no client astray', async t => {
  const place = await newPlace(t)
  const [a, b] = [replicaAt(place.url), replicaAt(place.url)]
  await put(a, 'first', 1)
  await place.backup()
  for (const id of ['lost', 'lost too']) await put(a, id, 1)
  await a.pull()
  await place.restore()
  for (const id of ['b1', 'b2', 'b3', 'b4']) await put(b, id, 1)
  for (const replica of [a, b]) await replica.pull()
  t.strictSame(a.resyncs, ['epoch-changed'])
  t.strictSame([...a.documents.keys()].sort(), ['b1', 'b2', 'b3', 'b4', 'first', 'lost', 'lost too'])
  t.strictSame(sorted(a.documents), sorted(b.documents))
})

t.test('a client below the fork goes on, and still notices what was lost of its own', async t => {
  const place = await newPlace(t)
  const [a, b] = [replicaAt(place.url), replicaAt(place.url)]
  await put(a, 'first', 1)
  await a.pull()
  await put(b, 'of others', 1)
  await place.backup()
  await put(a, 'unread', 1)
  t.strictSame(a.checkpoint, { global: 1 })
  await place.restore()
  await a.pull()
  t.strictSame(a.resyncs, [])
  t.strictSame([...a.documents.keys()].sort(), ['first', 'of others', 'unread'], 'the log ends before what it answered')

  await put(b, 'more of others', 1)
  await a.pull()
  await put(b, 'unread by a', 1)
  await place.backup()
  await put(a, 'unread too', 1)
  await place.restore()
  for (const id of ['x', 'y', 'z']) await put(b, id, 1)
  await a.pull()
  t.strictSame(a.resyncs, [])
  t.ok(a.documents.has('unread too'), 'the log has gone on in another stretch')
})

t.test('a stream does the same by itself', async t => {
  const place = await newPlace(t)
  const [a, b] = [replicaAt(place.url), replicaAt(place.url)]
  const stopped = new AbortController()
  const following = Promise.all([a, b].map(replica => replica.follow(stopped.signal)))
  for (let i = 0; i < 30; i++) await put(a, `a${i}`, i)
  await place.backup()
  for (let i = 0; i < 30; i++) await put(b, `b${i}`, i)
  await until(() => a.documents.size === 60 && b.documents.size === 60)
  await place.restore()
  await until(() => a.resyncs.length > 0 && b.resyncs.length > 0)
  await until(() => a.documents.size === 60 && b.documents.size === 60)
  stopped.abort()
  await following
  t.strictSame(sorted(a.documents), sorted(b.documents))
})

t.test('of several versions of a document the newest is offered, without base, and loses against a newer one of somebody else', async t => {
  const place = await newPlace(t)
  const gateway = await startGateway(t, place.url)
  const [a, b] = [replicaAt(gateway.url), replicaAt(place.url)]
  await place.backup()
  for (const value of [1, 2, 3]) {
    await put(a, 'mine', value)
    await put(a, 'ours', value)
  }
  await put(a, 'new', 1, { operation: 'insert' })
  await put(a, 'gone', 1)
  await put(a, 'gone', undefined, { operation: 'delete', document: null })
  await a.pull()
  await place.restore()
  t.equal(await put(b, 'ours', 'newer'), 'applied')
  const from = gateway.seen.length
  await a.pull()
  const [offered, ...more] = pushes(gateway, from)
  t.strictSame(more, [])
  t.match(offered, { changes: [{ documentId: 'mine', document: { value: 3 } }, { documentId: 'ours', document: { value: 3 } }, { documentId: 'new', operation: 'insert' }, { documentId: 'gone', operation: 'delete' }] })
  t.notOk(offered.changes.some((change: object) => 'base' in change), 'a sequence of the lost stretch means something else now')
  t.strictSame(sorted(a.documents), [['mine', { _id: 'mine', value: 3 }], ['new', { _id: 'new', value: 1 }], ['ours', { _id: 'ours', value: 'newer' }]])
  await a.pull()
  t.equal(pushes(gateway, from).length, 1, 'and it is offered once')
})

t.test('what was not lost is not offered, or known by its identity', async t => {
  const place = await newPlace(t)
  const gateway = await startGateway(t, place.url)
  const [a, b] = [replicaAt(gateway.url), replicaAt(place.url)]
  for (const id of ['kept', 'replaced']) await put(a, id, 1)
  await put(b, 'replaced', 2)
  await place.backup()
  await put(b, 'lost', 1)
  await a.pull()
  const from = gateway.seen.length
  await place.restore()
  await a.pull()
  t.match(pushes(gateway, from), [{ changes: [{ documentId: 'replaced' }] }])
  t.match(a.documents.get('replaced'), { value: 2 })
  t.equal((await b.client.pull({ collections: ['todos'] })).checkpoint.global, 3, 'nothing was written')
})

t.test('a server that begins an empty log gets back what its clients have; one that was cleared does not', async t => {
  const place = await newPlace(t)
  const a = replicaAt(place.url)
  await put(a, 'mine', 1)
  await a.pull()
  await place.stop()
  const log = new MemoryChangeLog()
  await place.start(log)
  await a.pull()
  t.strictSame([...a.documents.keys()], ['mine'])
  await log.clear()
  await a.pull()
  t.strictSame([...a.documents.keys()], [], 'on purpose')
  t.strictSame(a.resyncs, ['epoch-changed', 'compacted'])
})

t.test('an offer that fails is made again with the next call, also by an app that was started anew', async t => {
  const place = await newPlace(t)
  const gateway = await startGateway(t, place.url)
  const store = new Map<string, string>()
  const a = replicaAt(gateway.url, { store }, { clientId: 'a' })
  await place.backup()
  await put(a, 'mine', 1)
  await a.pull()
  await place.restore()
  // The pull is refused, the pull from the beginning goes through, the offer does not.
  gateway.answers.push(null, null, { status: 502 })
  await a.pull()
  t.notOk(a.documents.has('mine'))
  const again = replicaAt(gateway.url, { store }, { clientId: 'a' })
  Object.assign(again, { checkpoint: a.checkpoint, epoch: a.epoch })
  await again.pull()
  t.ok(again.documents.has('mine'))
  t.notOk(store.has('due'))
})

t.test('what is kept is bounded, and can be turned off; a store that fails harms nothing', async t => {
  const place = await newPlace(t)
  const store = new Map<string, string>()
  const failing = { entries: () => { throw new Error('no') }, set: async () => { throw new Error('no') }, delete: () => { throw new Error('no') } }
  const replicas = [replicaAt(place.url, { store, documents: 3 }), replicaAt(place.url, false), replicaAt(place.url, { store: failing }), replicaAt(place.url, { ageMs: -1 }), replicaAt(place.url, { characters: 10 })]
  await place.backup()
  for (const [index, replica] of replicas.entries()) for (let i = 0; i < 5; i++) t.equal(await put(replica, `${index}-${i}`, i), 'applied')
  t.strictSame([...store.keys()], ['todos/0-2', 'todos/0-3', 'todos/0-4'])
  for (const replica of replicas) await replica.pull()
  await place.restore()
  for (const replica of replicas) await replica.pull()
  await replicas[0]!.pull()
  t.strictSame([...replicas[0]!.documents.keys()].sort(), ['0-2', '0-3', '0-4', '2-0', '2-1', '2-2', '2-3', '2-4'])
})
