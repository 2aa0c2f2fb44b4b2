/** What Redis itself may do to a log: restarts, losses, full memory, other settings, a cluster. */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { Cluster, Redis } from 'ioredis'
import { createClient } from 'redis'
import t, { type Test } from 'tap'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { keysOf } from '../../src/changelog/redis/layout.ts'
import { changeLogSuite } from '../../src/conformance/changelog.ts'
import { newPush, put, read, remove, sequences, write } from '../../src/conformance/changelog/harness.ts'
import { resyncReason } from '../../src/sync/validity.ts'
import { requireRedis } from '../support/programs.ts'
import type { Service } from '../support/services/place.ts'
import { startRedis } from '../support/services/redis.ts'
import { persist } from '../support/persist.ts'

let logs = 0
const prefix = (): string => `log${++logs}`

/** Until it does what is asked, however long a busy machine takes. */
async function until (check: () => Promise<boolean> | boolean): Promise<void> {
  while (!await check()) await sleep(20)
}

function opened (t: Test, url: string, name = prefix()): RedisChangeLog {
  const store = new RedisChangeLog(url, { prefix: name })
  t.teardown(() => store.close())
  return store
}

function admin (t: Test, { url }: Service): Redis {
  const redis = new Redis(url)
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  return redis
}

function together (server: Service): void {
  t.test('promise 2 (Ordered): two nodes commit at random while a reader polls: it meets every entry, in order, without a gap', async t => {
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 40 }), async pushes => {
      const name = prefix()
      const nodes = [opened(t, server.url, name), opened(t, server.url, name)]
      let done = false
      const writing = Promise.all(pushes.map(([node, size], i) => persist(nodes[node]!, newPush(Array.from({ length: size }, (_, n) => put(`${i}/${n}`, i)))))).then(() => { done = true })
      const met: number[] = []
      for (let last = false; !last;) {
        last = done
        for (const { sequence } of await nodes[met.length % 2]!.getSince(met.at(-1) ?? 0)) met.push(sequence)
      }
      await writing
      t.strictSame(met, Array.from({ length: pushes.reduce((sum, [, size]) => sum + size, 0) }, (_, i) => i + 1))
      await Promise.all(nodes.map(node => node.close()))
    }), { numRuns: 5 })
  })

  t.test('promise 3 (Once): forgotten scripts and cut connections cost at most a retry, and no push counts twice', async t => {
    const store = opened(t, server.url)
    const redis = admin(t, server)
    await store.open()
    let done = false
    const over = (): boolean => done
    const cutting = (async () => {
      for (let i = 0; !over(); i++) {
        if (i % 2 === 0) await redis.call('SCRIPT', 'FLUSH').catch(() => {})
        else await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes').catch(() => {})
        await sleep(15)
      }
    })()
    await Promise.all(Array.from({ length: 8 }, async (_, worker) => {
      for (let i = 0; i < 15; i++) await persist(store, newPush([put(`${worker}/${i}`, i)]))
    }))
    done = true
    await cutting
    const entries = await store.getSince(0, 1000)
    t.strictSame(sequences(entries), Array.from({ length: 120 }, (_, i) => i + 1))
  })

  t.test('tenants: each has a log of its own, and their names do not meet', async t => {
    const store = opened(t, server.url)
    const tenants = ['a', 'A', 'a}', ':log', 'ünï'].map(name => store.tenant(name))
    for (const [i, tenant] of [store, ...tenants].entries()) await write(tenant, Array.from({ length: i + 1 }, (_, n) => put(`${n}`, i)))
    for (const [i, tenant] of [store, ...tenants].entries()) t.equal(await tenant.getCurrentSequence(), i + 1)
    t.equal(new Set(await Promise.all([store, ...tenants].map(async tenant => Buffer.from(await tenant.secret()).toString('hex')))).size, 6)
    await Promise.all(tenants.map(tenant => tenant.close()))
    t.equal(await store.getCurrentSequence(), 1, 'the connection is not theirs to close')
  })
}

function clients (server: Service): void {
  t.test('a client of node-redis, as the guide shows it', async t => {
    const redis = createClient({ url: server.url })
    await redis.connect()
    await essentials(t, redis)
    t.teardown(() => redis.destroy())
  })

  t.test('a client of ioredis stays open when the log is closed', async t => {
    const redis = admin(t, server)
    const { store } = await openOn(redis)
    await write(store, [put('a', 1)])
    await store.close()
    t.equal(await redis.ping(), 'PONG')
  })

  t.test('a client that is none, a URL of another server and one that nobody listens at are refused with what to do', async t => {
    for (const given of [null, 5, {}, new Map(), 'http://localhost', 'redis:/x']) await t.rejects(new RedisChangeLog(given as never).open(), { name: 'TypeError' })
    for (const bad of ['', 'a:b', '{a}', 'a b']) t.throws(() => new RedisChangeLog(server.url, { prefix: bad }), TypeError)
    const dead = new RedisChangeLog('redis://:secret-word@127.0.0.1:1')
    const error = await dead.open().catch((error: unknown) => error as Error)
    t.match(error, { code: 'storage_unavailable', message: /cannot be reached/ })
    t.notOk(JSON.stringify(error).includes('secret-word'))
    t.equal(dead.health().writable, false)
    await dead.close()
  })
}

/** The part of the suite in which clients might differ. */
async function essentials (t: Test, redis: ConstructorParameters<typeof RedisChangeLog>[0]): Promise<void> {
  const titles = /^commit: (a push|pushes)|^read: (the newest|honours|rows)|^promise 3.*(identity|twenty)|^channels: a (document|reader)|^compact: (push|purg)|^journal: rows|^entry|^clear|^secret/
  const runs: Array<[string, () => Promise<void>]> = []
  await changeLogSuite({ test: (title, run) => { if (titles.test(title)) runs.push([title, run]) }, open: () => openOn(redis) })
  for (const [title, run] of runs) t.test(title, run)
}

async function openOn (redis: ConstructorParameters<typeof RedisChangeLog>[0]) {
  const name = prefix()
  let store = new RedisChangeLog(redis, { prefix: name })
  const reopen = async (): Promise<RedisChangeLog> => {
    await store.close()
    store = new RedisChangeLog(redis, { prefix: name })
    return store
  }
  return { store, reopen, destroy: () => store.close() }
}

function settings (server: Service): void {
  const redis = admin(t, server)
  const set = (name: string, value: string): Promise<unknown> => redis.config('SET', name, value)

  t.test('promise 1 (Durable): health says what the settings of Redis can lose, and what to set', async t => {
    for (const [name, value, said] of [['appendfsync', 'everysec', /appendfsync everysec.*Set appendfsync always/], ['appendfsync', 'no', /appendfsync no/], ['appendonly', 'no', /appendonly no/], ['maxmemory-policy', 'volatile-lru', /volatile-lru/]] as const) {
      await set(name, value)
      const store = opened(t, server.url)
      await store.open()
      t.match(store.health(), { writable: true, detail: said })
      await set(name, { appendfsync: 'always', appendonly: 'yes', 'maxmemory-policy': 'noeviction' }[name])
    }
    await redis.call('ACL', 'SETUSER', 'app', 'on', '>word', '~*', '&*', '+@all', '-config')
    const managed = opened(t, server.url.replace('//', '//app:word@'))
    await managed.open()
    t.match(managed.health(), { writable: true, detail: /cannot be checked/ })
  })

  t.test('promise 1 (Durable): a Redis that may drop the log to make room is refused', async t => {
    await set('maxmemory-policy', 'allkeys-lru')
    const store = opened(t, server.url)
    await t.rejects(store.open(), { code: 'storage_unavailable', message: /allkeys-lru.*noeviction/ })
    await t.rejects(store.commit(newPush([put('a', 1)])), { code: 'storage_unavailable' })
    t.equal(await redis.exists(...Object.values(keysOf(`log${logs}`, ''))), 0, 'nothing was created')
    await set('maxmemory-policy', 'noeviction')
    t.equal((await store.commit(newPush([put('a', 1)]))).status, 'committed')
  })

  t.test('promise 1 (Durable): a full memory refuses pushes whole and keeps reads going; when there is room, writing goes on by itself', async t => {
    const store = opened(t, server.url)
    await write(store, [put('a', 1), put('b', 1)])
    await set('maxmemory', '1')
    const push = newPush([put('c', 'of the document'), put('d', 1)])
    const error = await store.commit(push).catch((error: unknown) => error as Error)
    t.match(error, { code: 'storage_unavailable', message: /memory/ })
    t.notOk(JSON.stringify(error).includes('of the document'))
    t.match(store.health(), { writable: false, detail: /memory/ })
    t.equal((await read(store)).rows.length, 2)
    await store.compact()
    await set('maxmemory', '0')
    await until(() => store.health().writable)
    t.equal((await store.commit(push)).status, 'committed')
  })
}

function crashes (): void {
  t.test('promise 1 (Durable): with appendfsync always a Redis killed under load keeps all that was acknowledged, each once', async t => {
    const server = await startRedis(t)
    const store = opened(t, server.url)
    const answered = new Map<string, number>()
    let done = false
    const over = (): boolean => done
    const working = Promise.all(Array.from({ length: 8 }, async (_, worker) => {
      for (let i = 0; !over(); i++) answered.set(`${worker}/${i}`, await persist(store, newPush([put(`${worker}/${i}`, i)])))
    }))
    const epochs = (await store.epochs()).length
    for (let kills = 1; kills <= 2; kills++) {
      await until(() => answered.size > 40 * kills)
      await server.kill()
      await server.start()
    }
    await until(() => answered.size > 120)
    done = true
    await working
    const entries = await store.getSince(0, 100_000)
    t.equal(new Set(entries.map(({ documentId }) => documentId)).size, entries.length, 'none twice')
    const kept = new Map(entries.map(({ documentId, sequence }) => [documentId, sequence]))
    t.strictSame([...answered].filter(([id, sequence]) => kept.get(id) !== sequence), [])
    t.ok((await store.epochs()).length > epochs, 'an epoch began with the restart')
  })

  t.test('promise 4 (Safe checkpoints): a Redis that lost acknowledged entries begins an epoch, and who has read beyond its end starts over', async t => {
    const server = await startRedis(t, { settings: { appendonly: 'no' } })
    const name = prefix()
    const [one, two] = [opened(t, server.url, name), opened(t, server.url, name)]
    await write(one, [put('a', 1)])
    await two.open()
    await admin(t, server).save()
    const [lost] = await write(two, [put('b', 1)])
    const before = await read(two)
    const epoch = before.epochs.at(-1)!.id
    await server.kill()
    await server.start()
    await persist(one, newPush([put('c', 1)]))
    const page = await read(one)
    t.equal(page.head, lost, 'the sequence is given out again')
    t.equal(resyncReason({ after: lost!, epoch, snapshot: null } as never, page, undefined), 'epoch-changed')
    t.equal(resyncReason({ after: lost! - 1, epoch, snapshot: null } as never, page, undefined), null, 'who has read what is left goes on')
    t.equal(page.epochs.length, before.epochs.length + 1, 'one epoch, whoever notices first')
    t.not(page.epochs.at(-1)!.id, epoch)
  })

  t.test('promise 4 (Safe checkpoints): a Redis that was emptied under running nodes holds a new log, with another secret, and knows no epoch of before', async t => {
    const server = await startRedis(t)
    const name = prefix()
    const nodes = [opened(t, server.url, name), opened(t, server.url, name)]
    for (const node of nodes) await write(node, [put('a', 1), remove('a')])
    const secret = Buffer.from(await nodes[0]!.secret())
    const known = new Set((await nodes[0]!.epochs()).map(({ id }) => id))
    await admin(t, server).flushall()
    const firsts = await Promise.all(nodes.map((node, i) => persist(node, newPush([put(`${i}`, 1)]))))
    t.strictSame(firsts.sort(), [1, 2])
    for (const node of nodes) {
      t.notOk(secret.equals(await node.secret()))
      t.notOk((await node.epochs()).some(({ id }) => known.has(id)))
    }
  })

  t.test('a log of which keys are gone is not served as if it were whole', async t => {
    const server = await startRedis(t)
    const name = prefix()
    await write(opened(t, server.url, name), [put('a', 1)])
    const redis = admin(t, server)
    const keys = keysOf(name, '')
    for (const gone of ['log', 'meta'] as const) {
      const value = await redis.dumpBuffer(keys[gone])
      await redis.del(keys[gone])
      await t.rejects(opened(t, server.url, name).open(), { code: 'storage_unavailable', message: /gone/ }, gone)
      await redis.restore(keys[gone], 0, value!)
    }
    await redis.hset(keys.meta, 'layout', '2')
    await t.rejects(opened(t, server.url, name).open(), { message: /newer version/ })
  })
}

function cluster (server: Service): void {
  const redis = admin(t, server)

  t.test('in a cluster, which holds scripts to the keys that they declare', async t => {
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await until(async () => String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
    const client = new Cluster([{ host: '127.0.0.1', port: server.port }])
    await essentials(t, client)
    t.teardown(() => client.disconnect())
  })

  t.test('all keys of one log lie in one slot', async t => {
    for (const [name, tenant] of [['pocket', ''], ['pocket', 'ann'], ['p', '}{']] as const) {
      const slots = await Promise.all(Object.values(keysOf(name, tenant)).map(key => redis.cluster('KEYSLOT', key)))
      t.equal(new Set(slots).size, 1, `${name} ${tenant}`)
    }
  })
}

if (requireRedis(t)) {
  // All before the first test: tap ends when it has none left.
  const [plain, small, clustered] = await Promise.all([
    startRedis(t),
    startRedis(t, { settings: { maxmemory: '64mb' } }),
    startRedis(t, { settings: { 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1' } })
  ])
  together(plain)
  clients(plain)
  settings(small)
  crashes()
  cluster(clustered)
}
