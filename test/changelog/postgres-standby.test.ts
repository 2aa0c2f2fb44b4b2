import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { PostgresChangeLog } from '../../src/changelog/postgres.ts'
import { apply, contents, follow, put, read, remove, write, type Replica } from '../../src/conformance/changelog/harness.ts'
import { openPool, type PostgresPool } from '../../src/drivers/postgres.ts'
import { resyncReason } from '../../src/sync/validity.ts'
import { requirePostgres } from '../support/programs.ts'
import { startPostgres } from '../support/services/postgres.ts'

async function ask (pool: PostgresPool, text: string): Promise<unknown> {
  const { rows: [row] } = await pool.query({ text })
  return row === undefined ? undefined : Object.values(row as object)[0]
}

const positionAt = (after: number, epoch: string) => ({ after, epoch, snapshot: undefined, scope: undefined, head: undefined })

t.test('promise 4 (Safe checkpoints): a standby that lags and is then promoted shows nobody less or other than the primary, and who had seen what it lost is told', { timeout: 120_000 }, async t => {
  if (!requirePostgres(t)) return
  const primary = await startPostgres(t, { settings: { wal_level: 'replica', max_wal_senders: '4' } })
  const standby = await startPostgres(t, { standbyOf: primary, settings: { hot_standby: 'on' } })
  const beside = await openPool(standby.url)
  t.teardown(() => beside.end())
  let asked = 0
  const replica: PostgresPool = { connect: () => { asked++; return beside.connect() }, query: query => beside.query(query), on: (event, listener) => beside.on(event, listener), end: () => beside.end() }
  const log = new PostgresChangeLog(primary.url, { replica })
  t.teardown(() => log.close())
  const [ids, lost] = [Array.from({ length: 60 }, (_, i) => `d${i}`), ['d1', 'd2', 'new']]
  await write(log, ids.map(id => put(id, 1)))
  const head = await log.getCurrentSequence()
  while (await ask(beside, 'SELECT count(*)::int FROM pocket.entries').catch(() => 0) !== head) await sleep(20)

  // It follows no more, and knows nothing of what comes now.
  await ask(beside, "ALTER SYSTEM SET primary_conninfo = ''")
  await ask(beside, 'SELECT pg_reload_conf()')
  while (await ask(beside, 'SELECT count(*)::int FROM pg_stat_wal_receiver') !== 0) await sleep(20)
  await write(log, [...lost.map(id => put(id, 2)), remove('d3')])
  const whole: Replica = new Map()
  apply(whole, await follow(log, { limit: 1000 }))
  const paged: Replica = new Map()
  apply(paged, await follow(log, { limit: 7 }))
  t.strictSame(contents(paged), contents(whole), 'pages of the standby are those of the primary')
  t.ok(asked >= 8, 'and the standby was asked for them')

  const { epochs } = await read(log)
  const [newest, seen] = [epochs.at(-1)!.id, await log.getCurrentSequence()]
  await primary.kill()
  await ask(beside, 'SELECT pg_promote()')
  const promoted = new PostgresChangeLog(standby.url)
  t.teardown(() => promoted.close())
  await promoted.open()
  const found = await read(promoted)
  t.equal(found.epochs.length, epochs.length + 1, 'an epoch begins')
  t.equal(found.head, head, 'what it never heard of is lost')
  t.equal(resyncReason(positionAt(seen, newest), found, undefined), 'epoch-changed', 'who had seen that is told')
  t.equal(resyncReason(positionAt(head, newest), found, undefined), null, 'who had not seen it goes on')
  t.strictSame(await write(promoted, [put('after', 3)]), [head + 1])
})
