/** What PostgreSQL does at the worst moment, and the pool with it. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { PostgresChangeLog, type PostgresOptions } from '../../src/changelog/postgres.ts'
import { newPush, put, read, write } from '../../src/conformance/changelog/harness.ts'
import { PostgresCoordination } from '../../src/coordination/postgres.ts'
import { PostgresPubSub } from '../../src/pubsub/postgres.ts'
import { requirePostgres } from '../support/programs.ts'
import { startPostgres } from '../support/services/postgres.ts'

if (requirePostgres(t)) run((await startPostgres(t)).url)

/** "Ready" and the end of the connection in one packet, as of a server that shuts down. */
const ENDED = Buffer.concat([
  Buffer.from('R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I', 'latin1'),
  message('E', 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0')
])

function message (kind: string, body: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([Buffer.from(kind), length, Buffer.from(body)])
}

t.test('promise 7 (Isolated): a connection that is ended as soon as it is made does not end the process', async t => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(ENDED))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `postgres://u@127.0.0.1:${(server.address() as AddressInfo).port}/db`
  const uncaught: unknown[] = []
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', error => uncaught.push(error))
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const other of others) process.on('uncaughtException', other)
  })
  const pool = new pg.Pool({ connectionString: url })
  const [log, own, pubsub, coordination] = [new PostgresChangeLog(url), new PostgresChangeLog(pool), new PostgresPubSub(url), new PostgresCoordination(pool)]
  await t.rejects(log.open(), { code: 'storage_unavailable' })
  await t.rejects(own.open(), { code: 'storage_unavailable' })
  await t.rejects(coordination.takeTicket('x'))
  await pubsub.subscribe('x', () => {})
  await Promise.all([log.close(), own.close(), pubsub.close()])
  await pool.end()
  await setImmediate()
  t.strictSame(uncaught, [])
})

async function openLog (t: Test, server: string | pg.Pool, options: PostgresOptions = {}): Promise<PostgresChangeLog> {
  const log = new PostgresChangeLog(server, options)
  t.teardown(() => log.close())
  await log.open()
  return log
}

function run (url: string): void {
  t.test('promise 6 (Private): a node whose channels are not those that the log is filed by any more takes no push', async t => {
    const nodes = [await openLog(t, url), await openLog(t, url)].map(root => root.tenant('filed'))
    const [old, fresh] = nodes as [PostgresChangeLog, PostgresChangeLog]
    await old.file('by owner', () => ['bob'])
    await write(old, [put('before', 1, { channels: ['bob'] })])
    await fresh.file('by team', () => ['eve'])
    await t.rejects(old.commit(newPush([put('during', 1, { channels: ['bob'] })])), { code: 'storage_unavailable', message: /restart this node/ })
    await write(fresh, [put('after', 1, { channels: ['eve'] })])
    const seen = async (channel: string): Promise<string[]> => (await read(fresh, { channels: [channel] })).rows.filter(row => row.member).map(({ entry }) => entry.documentId)
    t.strictSame([await seen('eve'), await seen('bob')], [['before', 'after'], []])
    t.ok(old.health().writable, 'nothing is wrong with the server')
    await old.file('by team', () => ['eve'])
    await write(old, [put('upgraded', 1, { channels: ['eve'] })])
    await write(fresh.tenant('unfiled'), [put('a', 1)])
  })

  t.test('epochs: of a log that was taken back, one begins though a node commits first that had seen no more', async t => {
    const client = new pg.Client(url)
    await client.connect()
    t.teardown(() => client.end())
    await client.query('CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE postgres TO plain')
    const plain = url.replace(/\/\/[^@]*@/, '//plain@')
    const [busy, idle] = [await openLog(t, plain, { schema: 'back' }), await openLog(t, plain, { schema: 'back' })]
    await write(busy, [put('a', 1)])
    await read(idle)
    const { rows } = await client.query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'back'")
    for (const { name } of rows) await client.query(`CREATE TEMP TABLE "of ${name}" AS SELECT * FROM back.${name}`)
    await write(busy, [put('lost', 1)])
    const before = await busy.epochs()
    await client.query('BEGIN')
    for (const { name } of rows) await client.query(`TRUNCATE back.${name}; INSERT INTO back.${name} SELECT * FROM "of ${name}"`)
    await client.query('COMMIT')
    for (const id of ['b', 'c']) await write(idle, [put(id, 1)])
    const page = await read(busy)
    t.strictSame(page.rows.map(({ entry }) => entry.documentId), ['a', 'b', 'c'])
    t.strictSame(page.epochs.slice(before.length).map(({ first }) => first), [2], 'who was at the lost one is beyond the end of its epoch')
  })

  t.test('epochs: of a log that is opened without end, those in which nothing was written are kept in bounds', async t => {
    const root = await openLog(t, url)
    const written = root.tenant('opened')
    await write(written, [put('a', 1)])
    const [first] = await written.epochs()
    const client = new pg.Client(url)
    await client.connect()
    t.teardown(() => client.end())
    await client.query("INSERT INTO pocket.epochs SELECT l.log, n, 'e' || n, 2, 1 FROM pocket.logs l, generate_series(2, 1100) n WHERE l.name = 'opened'; UPDATE pocket.logs SET epoch = 'e1100' WHERE name = 'opened'")
    const counts: number[] = []
    let log = written
    for (let i = 0; i < 15; i++) {
      log = root.tenant('opened')
      counts.push((await log.epochs()).length)
      await log.close()
    }
    t.ok(counts.at(-1)! <= counts[0]!, `${counts}`)
    t.strictSame((await written.epochs())[0], first, 'the one in which something was written stays')
    t.strictSame((await read(written)).rows.length, 1)
  })

  t.test('promise 7 (Isolated): logs that are held up, however many, leave the others their turns and their reads', async t => {
    const root = await openLog(t, url, { max: 4, lockMs: 4000 })
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    t.teardown(() => pool.end())
    const small = await openLog(t, pool)
    const held = Array.from({ length: 6 }, (_, i) => root.tenant(`held ${i}`))
    const free = root.tenant('free')
    for (const log of [...held, free, small.tenant('held 0')]) await log.open()
    const client = new pg.Client(url)
    await client.connect()
    t.teardown(() => client.end())
    await client.query("BEGIN; SELECT * FROM pocket.logs WHERE name LIKE 'held %' FOR UPDATE")
    let committed = 0
    const waiting = held.map(async log => {
      await log.commit(newPush([put('b', 1)]))
      committed++
    })
    await Promise.race([Promise.all([read(free), write(free, [put('a', 1)])]), ...waiting])
    t.equal(committed, 0)
    t.equal((await read(free)).head, 1)
    pool.options.connectionTimeoutMillis = 100
    const crowded = small.tenant('held 0').commit(newPush([put('c', 1)]))
    await t.rejects(Promise.all(Array.from({ length: 2 }, () => sleep(20).then(() => read(small)))), { code: 'storage_unavailable', message: /in time/ })
    t.ok(root.health().writable && small.health().writable, 'nothing is wrong with the server')
    await client.query('ROLLBACK')
    await Promise.all([crowded, ...waiting])
  })

  t.test('close: a log that is closed before what listens on its connections does not wait for it, nor that for the log', async t => {
    const log = await openLog(t, url)
    const server = await log.server()
    if (server.kind !== 'postgres') return
    const pubsub = new PostgresPubSub(server.pool)
    await pubsub.subscribe('x', () => {})
    await log.close()
    await pubsub.close()
  })
}
