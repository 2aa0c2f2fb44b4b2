import fc from 'fast-check'
import { equal, ok } from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { ChangeStore } from '../../src/changelog/changelog.ts'
import { PostgresChangeLog, type PostgresOptions } from '../../src/changelog/postgres.ts'
import { migrate, steps } from '../../src/changelog/postgres/migrations.ts'
import { resolveOptions } from '../../src/changelog/postgres/options.ts'
import { Server } from '../../src/changelog/postgres/server.ts'
import { changeLogSuite, type OpenedLog } from '../../src/conformance/changelog.ts'
import { follow, newPush, put, read, write } from '../../src/conformance/changelog/harness.ts'
import type { PostgresClient, PostgresPool, PostgresResult } from '../../src/drivers/postgres.ts'
import { requirePostgres } from '../support/programs.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { modelProperty } from './model.ts'

/** The clock of the suite is years behind that of `append`: no push is too old for it. */
const SUITE: PostgresOptions = { pushRetention: 2 ** 45 }

if (requirePostgres(t)) await run((await startPostgres(t)).url)

async function run (url: string): Promise<void> {
  const root = openRoot(t, url, SUITE)
  let logs = 0
  const newName = (): string => `log ${++logs}`

  async function open (): Promise<OpenedLog> {
    const name = newName()
    let store = root.tenant(name)
    return {
      store,
      reopen: async () => {
        await store.close()
        store = root.tenant(name)
        return store
      },
      destroy: () => store.close()
    }
  }

  await changeLogSuite({ test: (title, run) => t.test(title, run), open })
  await modelProperty(t, open, 15)
  order(t, url, newName)
  pools(t, url, newName)
  layouts(t, url)
}

function openRoot (t: Test, source: string | PostgresPool, options?: PostgresOptions): PostgresChangeLog {
  const root = new PostgresChangeLog(source, options)
  t.teardown(() => root.close())
  return root
}

function openPool (t: Test, url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url })
  t.teardown(() => pool.end())
  return pool
}

/** Connections on which `before` is waited for before a statement is sent. */
function delayed (pool: pg.Pool, before: (text: string) => Promise<unknown>): PostgresPool {
  const slow = (client: pg.PoolClient): PostgresClient => ({
    query: async question => {
      await before(question.text)
      return await client.query(question) as unknown as PostgresResult
    },
    on: (event, listener) => client.on(event as 'error', listener),
    removeListener: (event, listener) => client.removeListener(event, listener),
    release: broken => client.release(broken)
  })
  return { connect: async () => slow(await pool.connect()), query: question => pool.query(question) as any, on: (event, listener) => pool.on(event, listener), end: () => pool.end() }
}

/** Follows a log until its writers are done, as one who only moves forward. @returns what it was given */
async function followMeanwhile (store: ChangeStore, work: Promise<unknown>): Promise<string[]> {
  const seen: string[] = []
  let after = 0
  let ended = false
  const working = work.finally(() => { ended = true })
  for (let last = false; !last;) {
    last = ended
    const page = await read(store, { after })
    for (const { entry, position } of page.rows) {
      ok(position > after)
      seen.push(entry.documentId)
    }
    after = page.scanned
  }
  await working
  return seen
}

function order (t: Test, url: string, newName: () => string): void {
  t.test('promise 2 (Ordered): while a transaction that has taken its place is parked, none behind it is shown', async t => {
    const name = newName()
    const parking = new EventEmitter()
    let parks = false
    const pool = delayed(openPool(t, url), async text => {
      if (text !== 'COMMIT' || !parks) return
      setImmediate(() => parking.emit('parked'))
      await once(parking, 'go on')
    })
    const slow = openRoot(t, pool).tenant(name)
    const other = openRoot(t, url).tenant(name)
    await write(slow, [put('before', 1)])
    await other.open()
    parks = true
    const writing = Promise.all([
      slow.commit(newPush([put('parked', 1)])),
      once(parking, 'parked').then(async () => {
        const behind = other.commit(newPush([put('behind', 1)]))
        equal(await Promise.race([behind, sleep(300, 'waits')]), 'waits', 'it is not answered either')
        parking.emit('go on')
        return await behind
      })
    ])
    t.strictSame(await followMeanwhile(other, writing), ['before', 'parked', 'behind'])
    t.strictSame((await writing).map(result => result.status === 'committed' && result.first), [2, 3])
  })

  t.test('promise 2 (Ordered): nodes that commit at any speed skip and repeat nothing for a reader who only moves forward', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.nat(12), { minLength: 20, maxLength: 60 }), fc.nat(3), async (delays, nodes) => {
      let n = 0
      const name = newName()
      const pools = Array.from({ length: nodes + 2 }, () => new pg.Pool({ connectionString: url }))
      const logs = pools.map(pool => new PostgresChangeLog(delayed(pool, () => sleep(delays[n++ % delays.length]))).tenant(name))
      const writing = Promise.all(logs.flatMap((log, node) => Array.from({ length: 6 }, async (_, i) => {
        await sleep(delays[(7 * node + i) % delays.length])
        equal((await log.commit(newPush([put(`${node}/${i}`, 1)]))).status, 'committed')
      })))
      const seen = await followMeanwhile(logs[0]!, writing)
      equal(seen.length, 6 * logs.length)
      equal(new Set(seen).size, seen.length)
      await Promise.all([...logs.map(log => log.close()), ...pools.map(pool => pool.end())])
    }), { numRuns: 6 })
  })

  t.test('promise 3 (Once): the same push at several nodes at once takes effect once, with the same answer', async t => {
    const name = newName()
    const logs = Array.from({ length: 3 }, () => openRoot(t, url).tenant(name))
    await Promise.all(logs.map(log => log.open()))
    for (let i = 0; i < 5; i++) {
      const push = newPush([put(`${i}`, 1), put('all', 1, { expected: i === 0 ? 0 : 2 * i })])
      const results = await Promise.all([...logs, ...logs].map(log => log.commit(push)))
      t.strictSame(results.map(({ status }) => status).sort(), ['committed', 'seen', 'seen', 'seen', 'seen', 'seen'])
      t.strictSame(new Set(results.map(result => 'first' in result && result.first)), new Set([2 * i + 1]))
    }
    t.equal((await follow(logs[0]!)).length, 6)
  })

  t.test('names: U+0000, escapes and halves of surrogate pairs are kept apart in names, users, revisions and channels', async t => {
    const log = openRoot(t, url).tenant(newName())
    const names = ['\0', '\u001b0000', '\u001b', 'a\0', '\ud800', '\udc00', '\ud83d\ude00', 'a']
    await write(log, names.map(name => put(name, 1, { collection: name, rev: name, channels: [name] })), { userId: '\0', clientId: '\udc00' })
    for (const name of names) {
      const [row, ...others] = (await read(log, { channels: [name], filedAfter: 0 })).rows
      t.strictSame([others, row!.entry.documentId, row!.entry.collection, row!.filed![0]!.channel], [[], name, name, name])
      const [answer] = await log.heads([{ collection: name, documentId: name }])
      t.match(answer!.head, { rev: name, userId: '\0', clientId: '\udc00' })
    }
    t.strictSame((await log.collections()).sort(), names.sort())
    const impossible = newPush([{ documentId: 'b', document: '"\0"' }])
    const results = await Promise.allSettled([log.commit(newPush([put('x', 1)])), log.commit(impossible), log.commit(newPush([put('y', 1)]))])
    t.strictSame(results.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled'], 'promise 7 (Isolated): what cannot be kept takes nothing with it')
    t.equal(log.health().writable, true)
  })
}

function pools (t: Test, url: string, newName: () => string): void {
  t.test('pool: an application\'s own stays open, whatever it has as defaults; one by a URL ends with the log', async t => {
    const pool = openPool(t, `${url}?options=${encodeURIComponent('-c synchronous_commit=off -c default_transaction_isolation=serializable -c bytea_output=escape -c default_transaction_read_only=on')}`)
    const log = new PostgresChangeLog(pool)
    const tenant = log.tenant(newName())
    await write(tenant, [put('a', 1)])
    await tenant.close()
    await log.close()
    t.equal((await pool.query('SELECT 1 AS one')).rows[0].one, 1)
    const own = new PostgresChangeLog(url)
    const server = await own.server()
    await own.close()
    await t.rejects(async () => { if (server.kind === 'postgres') await server.pool.connect() })
  })

  t.test('tenants: each has its own sequence, epochs, secret and documents; names that look alike are apart', async t => {
    const root = openRoot(t, url)
    const names = ['Same', 'same', 'same ', 'ünï', "'; DROP TABLE x; --", 'x'.repeat(128)]
    const logs = names.map(name => root.tenant(name))
    for (const [i, log] of logs.entries()) t.strictSame(await write(log, [put('a', i)]), [1])
    for (const [i, log] of logs.entries()) t.equal(JSON.parse((await read(log)).rows[0]!.entry.document!).value, i)
    t.equal(new Set(await Promise.all(logs.map(async log => Buffer.from(await log.secret()).toString('hex')))).size, names.length)
    for (const name of ['', 'a\0', 'x'.repeat(129)]) t.throws(() => root.tenant(name), TypeError)
  })

  t.test('compact: another node that is at it is left alone, and one that died holds nothing for long', async t => {
    const name = newName()
    const [log, other] = [openRoot(t, url).tenant(name), openRoot(t, url).tenant(name)]
    for (let i = 0; i < 3; i++) await write(log, [put('a', i)])
    const holder = openPool(t, url)
    await log.compact({})
    await holder.query("UPDATE pocket.leases SET holder = 'another', until = 1e15 WHERE work = 'compact'")
    await other.compact()
    t.equal((await log.getSince(0)).length, 3)
    await holder.query("UPDATE pocket.leases SET until = 0 WHERE work = 'compact'")
    await other.compact()
    t.equal((await log.getSince(0)).length, 1)
  })

  t.test('programming errors are TypeErrors at construction', async t => {
    for (const source of ['', 'sqlite:x', null, {}]) t.throws(() => new PostgresChangeLog(source as string), TypeError)
    for (const schema of ['', 'x'.repeat(64), 'ü'.repeat(40), 'a\0']) t.throws(() => new PostgresChangeLog(url, { schema }), TypeError)
  })
}

function layouts (t: Test, url: string): void {
  t.test('migrations: twenty nodes that start at once lay the tables out once, and each begins an epoch', async t => {
    const nodes = Array.from({ length: 20 }, () => new PostgresChangeLog(url, { schema: 'Twenty "at" once', max: 2 }))
    await Promise.all(nodes.map(node => node.open()))
    const epochs = await nodes[0]!.epochs()
    t.equal(new Set(epochs.map(({ id }) => id)).size, 20)
    t.strictSame(new Set((await Promise.all(nodes.map(node => node.epochs()))).map(list => list.length)), new Set([20]))
    await Promise.all(nodes.map((node, i) => write(node, [put(`${i}`, 1)])))
    t.equal((await follow(nodes[1]!)).length, 20)
    await Promise.all(nodes.map(node => node.close()))
  })

  t.test('promise 9 (Clear): an older build goes on with a layout that only adds, and refuses one that it does not fit', async t => {
    const schema = 'layouts'
    const log = openRoot(t, url, { schema })
    await write(log, [put('a', 1)])
    const server = new Server(url, resolveOptions({ schema }))
    t.teardown(() => server.end())
    const adding = { sql: () => 'ALTER TABLE pocket.logs ADD COLUMN more int', least: steps.length }
    await migrate(server, [...steps, adding])
    await write(log, [put('b', 1)])
    const older = openRoot(t, url, { schema })
    t.strictSame(await write(older, [put('c', 1)]), [3])
    await migrate(server, [...steps, adding, { sql: () => 'ALTER TABLE pocket.logs ADD COLUMN other int', least: steps.length + 2 }])
    await t.rejects(openRoot(t, url, { schema }).open(), { code: 'storage_unavailable', message: /takes a build that knows layout 3 at least, this one knows 1: start the newer build/ })
  })
}
