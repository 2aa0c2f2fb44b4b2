/** The change log in PostgreSQL when its server fails, is taken back to an earlier state, or lags. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { ChangeStore } from '../../src/changelog/changelog.ts'
import { PostgresChangeLog, type PostgresOptions } from '../../src/changelog/postgres.ts'
import { follow, newPush, put, read, remove, write } from '../../src/conformance/changelog/harness.ts'
import { requirePostgres } from '../support/programs.ts'
import type { Service } from '../support/services/place.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { freePort } from '../support/free-port.ts'

if (requirePostgres(t)) run(await startPostgres(t))

function openRoot (t: Test, url: string, options?: PostgresOptions): PostgresChangeLog {
  const root = new PostgresChangeLog(url, options)
  t.teardown(() => root.close())
  return root
}

async function connect (t: Test, url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end())
  return client
}

/** Everything of the log in a schema, copied to another one. */
async function copyTables (client: pg.Client, from: string, to: string): Promise<void> {
  const { rows } = await client.query('SELECT tablename FROM pg_tables WHERE schemaname = $1', [from])
  await client.query(`CREATE SCHEMA IF NOT EXISTS "${to}"`)
  for (const { tablename } of rows) {
    await client.query(`CREATE TABLE IF NOT EXISTS "${to}"."${tablename}" (LIKE "${from}"."${tablename}" INCLUDING ALL)`)
    await client.query(`TRUNCATE "${to}"."${tablename}"`)
    await client.query(`INSERT INTO "${to}"."${tablename}" SELECT * FROM "${from}"."${tablename}"`)
  }
}

async function recovered (log: ChangeStore): Promise<void> {
  while (!log.health().writable) await sleep(20)
}

function run (server: Service): void {
  const { url } = server

  t.test('epochs: of a log that was taken back to an earlier state under a running node, nothing is answered before an epoch began', async t => {
    const schema = 'restored'
    const log = openRoot(t, url, { schema })
    const client = await connect(t, url)
    await write(log, [put('a', 1), put('b', 1)])
    await copyTables(client, schema, 'dump')
    const [lost] = await write(log, [put('lost', 1)])
    const before = await log.epochs()
    await copyTables(client, 'dump', schema)
    const page = await read(log)
    t.strictSame(page.rows.map(({ entry }) => entry.documentId), ['a', 'b'])
    t.equal(page.epochs.length, before.length + 1)
    t.strictSame(page.epochs.at(-1)!.first, lost, 'who was at the lost one is beyond the end of its epoch')
    await write(log, [put('c', 1)])
    await copyTables(client, 'dump', schema)
    t.match(await log.commit(newPush([put('d', 1)])), { status: 'committed', first: lost! })
    t.equal((await log.epochs()).length, before.length + 1, 'also where the node writes first')
  })

  t.test('epochs: another timeline, another cluster, an emptied table and a dropped schema each begin one', async t => {
    const schema = 'lineage'
    const log = openRoot(t, url, { schema })
    const client = await connect(t, url)
    const changes = [
      `UPDATE ${schema}.logs SET server = replace(server, '/00000001', '/00000009')`,
      `UPDATE ${schema}.logs SET server = '1' || server`,
      `DELETE FROM ${schema}.logs`,
      `DROP SCHEMA ${schema} CASCADE`
    ]
    for (const change of changes) {
      await write(log, [put('a', 1)])
      const { id } = (await log.epochs()).at(-1)!
      await client.query(change)
      t.not((await read(log)).epochs.at(-1)!.id, id, change)
    }
    await write(log, [put('b', 1)])
    t.equal(log.health().writable, true)
  })

  t.test('promise 4 (Safe checkpoints) and promise 6 (Private): pages from a standby that stands still are those of the primary, however far it lags', async t => {
    const client = await connect(t, url)
    const primary = openRoot(t, url, { schema: 'followed' })
    const ids = Array.from({ length: 30 }, (_, i) => `${i}`)
    await write(primary, ids.map(id => put(id, 'old')))
    await client.query('CREATE DATABASE standby')
    const standbyUrl = url.replace(/postgres$/, 'standby')
    await copyDatabase(t, { from: url, to: standbyUrl, schema: 'followed' })
    const log = openRoot(t, url, { schema: 'followed', replica: standbyUrl })
    await write(log, [put('3', 'secret now'), put('new', 1)])
    await write(log, [remove('4')])
    const expected = await follow(primary, { limit: 1000 })
    for (const limit of [1, 3, 7]) t.strictSame(await follow(log, { limit }), expected)
    const { head, epochs } = await read(primary)
    t.match(await read(log, { limit: 5 }), { head, epochs, scanned: 5 })
    t.strictSame((await read(log, { limit: 5 })).rows.map(({ entry }) => entry.documentId), ['0', '1', '2'], 'these came from it: the others are heads no more')
    await client.query('DROP DATABASE standby WITH (FORCE)')
    t.strictSame(await follow(log, { limit: 3 }), expected, 'and without it')
    t.equal(log.health().writable, true)
  })

  t.test('tables that have grown are looked at before PostgreSQL does so by itself, so that its plans are not those for empty ones', async t => {
    const schema = "grown's"
    const log = openRoot(t, url, { schema })
    await log.open()
    const client = await connect(t, url)
    await client.query(`ALTER TABLE "${schema}".entries SET (autovacuum_enabled = false); ALTER TABLE "${schema}".heads SET (autovacuum_enabled = false)`)
    const known = async (): Promise<number> => Number((await client.query('SELECT min(reltuples) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relname = ANY ($2)', [schema, ['entries', 'heads']])).rows[0].min)
    await write(log, Array.from({ length: 200 }, (_, i) => put(`a${i}`, i)))
    await sleep(300)
    t.equal(await known(), -1, 'few are not worth it')
    await write(log, Array.from({ length: 100 }, (_, i) => put(`b${i}`, i)))
    for (let i = 0; i < 300 && await known() < 0; i++) await sleep(20)
    t.equal(await known(), 300)
  })

  t.test('promise 7 (Isolated): whoever holds the log for long is waited for in vain for a while only', async t => {
    const log = openRoot(t, url, { schema: 'held', lockMs: 200 })
    await write(log, [put('a', 1)])
    const client = await connect(t, url)
    await client.query('BEGIN')
    await client.query('SELECT * FROM held.logs FOR UPDATE')
    await t.rejects(log.commit(newPush([put('b', 1)])), { code: 'storage_unavailable', message: /pg_stat_activity/ })
    t.equal((await read(log)).rows.length, 1, 'reading goes on')
    await client.query('ROLLBACK')
    await recovered(log)
    t.strictSame(await write(log, [put('b', 1)]), [2])
  })

  t.test('promise 1 (Durable): a server that is killed under load has all that was answered, and the nodes go on by themselves', async t => {
    const roots = [openRoot(t, url), openRoot(t, url)]
    const logs = roots.map(root => root.tenant('killed'))
    const answered: string[] = []
    const stop = new AbortController()
    let failed = 0
    const writers = logs.flatMap((log, node) => Array.from({ length: 4 }, async (_, writer) => {
      for (let i = 0; !stop.signal.aborted; i++) {
        const id = `${node}/${writer}/${i}`
        await log.commit(newPush([put(id, 1)])).then(() => answered.push(id), async (error: { code: string }) => {
          t.equal(error.code, 'storage_unavailable')
          failed++
          await sleep(20)
        })
      }
    }))
    while (answered.length < 50) await sleep(5)
    await server.kill()
    while (logs.some(log => log.health().writable)) await sleep(5)
    await t.rejects(read(logs[0]!), { code: 'storage_unavailable', message: /cannot be reached/ })
    await server.start()
    await Promise.all(logs.map(recovered))
    stop.abort()
    await Promise.all(writers)
    t.ok(failed > 0)
    const kept = new Set((await follow(logs[1]!)).map(({ entry }) => entry.documentId))
    t.strictSame(answered.filter(id => !kept.has(id)), [])
  })

  t.test('promise 9 (Clear): where no server is, opening says so, and what the URL says of TLS is held', async t => {
    const nowhere = openRoot(t, `postgres://postgres:top-secret@127.0.0.1:${await freePort()}/postgres`)
    const error = await nowhere.open().catch((error: unknown) => error as Error)
    t.match(error, { code: 'storage_unavailable', message: /cannot be reached.*ECONNREFUSED/ })
    t.notMatch((error as Error).message, /top-secret/)
    t.equal(nowhere.health().writable, false)
    await t.rejects(openRoot(t, `${url}?sslmode=verify-full`).open(), { code: 'storage_unavailable' }, 'this server speaks none')
  })
}

/** As much as a copy of the disk would bring. */
async function copyDatabase (t: Test, { from, to, schema }: { from: string, to: string, schema: string }): Promise<void> {
  const source = await connect(t, from)
  const target = await connect(t, to)
  const blank = new PostgresChangeLog(to, { schema })
  await blank.open()
  await blank.close()
  const { rows } = await source.query('SELECT tablename FROM pg_tables WHERE schemaname = $1', [schema])
  for (const { tablename } of rows) {
    const { rows: [{ all }] } = await source.query(`SELECT json_agg(x)::text AS all FROM ${schema}.${tablename} x`)
    await target.query(`TRUNCATE ${schema}.${tablename}`)
    await target.query(`INSERT INTO ${schema}.${tablename} SELECT * FROM json_populate_recordset(NULL::${schema}.${tablename}, $1)`, [all ?? '[]'])
  }
  await target.end()
}
