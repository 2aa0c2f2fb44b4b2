/** What PostgreSQL does at the worst moment, and the pool with it. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
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

async function openLog (t: Test, url: string, options: PostgresOptions = {}): Promise<PostgresChangeLog> {
  const log = new PostgresChangeLog(url, options)
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
}
