import pg from 'pg'
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { PostgresChangeLog } from '../../src/changelog/postgres.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { PostgresCoordination } from '../../src/coordination/postgres.ts'
import { PostgresPubSub } from '../../src/pubsub/postgres.ts'
import { coordinationSuite } from '../support/coordination-suite.ts'
import { requirePostgres } from '../support/programs.ts'
import { startPostgres } from '../support/services/postgres.ts'
import { deliversLate, goesOn, severalNodesSuite, type Place } from '../support/several-nodes.ts'

if (requirePostgres(t)) {
  const server = await startPostgres(t)
  const pool = new pg.Pool({ connectionString: server.url, max: 40 })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  while (!await pool.query('select 1').then(() => true, () => false)) await sleep(20)
  let places = 0

  coordinationSuite(t, async () => {
    const schema = `Place "${++places}" '`
    return { here: new PostgresCoordination(pool, { schema }), there: new PostgresCoordination(pool, { schema }) }
  })

  const logs: PostgresChangeLog[] = []
  t.teardown(() => Promise.all(logs.map(log => log.close())))
  const openPlace = async (): Promise<Place> => {
    const schema = `nodes${++places}`
    const options = async (): Promise<PocketServerOptions> => {
      const changeLog = new PostgresChangeLog(server.url, { schema })
      logs.push(changeLog)
      return { changeLog }
    }
    return { options, coordination: async () => new PostgresCoordination(pool, { schema }) }
  }

  severalNodesSuite(t, openPlace)

  t.test('promise 5 (Live is pull): hints that are cut off again and again while others write cost time, and nothing else', async t => {
    await deliversLate(t, await openPlace(), () => pool.query("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%' and pid <> pg_backend_pid()"))
  })

  t.test('promise 7 (Isolated): while PostgreSQL is away, and it carries no log, requests and streams go on by each node\'s own limits', async t => {
    const pubsub = new PostgresPubSub(server.url)
    t.teardown(() => pubsub.close())
    await goesOn(t, async () => ({ changeLog: new MemoryChangeLog(), pubsub }), { away: () => server.kill(), back: () => server.start() })
  })

  t.test('twenty nodes that start at once make its tables once, and nobody else\'s are touched', async t => {
    const nodes = Array.from({ length: 20 }, () => new PostgresCoordination(pool, { schema: 'crowd' }))
    const drawn = await Promise.all(nodes.map(node => node.draw([{ account: 'a', perMinute: 60, charge: 0, want: 1, least: 1 }])))
    t.equal(drawn.flat().reduce((sum, { taken }) => sum + taken, 0), 20)
    t.match(await pool.query('select version from crowd.coordination_version'), { rows: [{ version: 1 }] })
    const { rows } = await pool.query("select relname, relpersistence from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = 'crowd' and relkind = 'r' order by 1")
    t.strictSame(rows.map(({ relname, relpersistence }) => `${relname} ${relpersistence}`), ['accounts u', 'nodes u', 'orders u', 'streams u', 'tickets u', 'version p'].map(name => `coordination_${name}`), 'written to no WAL')
  })

  t.test('what has lapsed is swept: full accounts, old tickets and orders, nodes that are gone', async t => {
    const place = new PostgresCoordination(pool, { schema: 'swept' })
    await place.draw([{ account: 'full', perMinute: 60, charge: -1, want: 0, least: 0 }, { account: 'spent', perMinute: 60, charge: 30, want: 0, least: 0 }])
    await place.report({ node: 'n', lease: 1, streams: [['p', 2]], orders: [{ node: 'm', text: 'x' }] })
    await place.putTicket({ hash: 'h', owner: 'o', text: 'x', livesFor: 1, most: 10, mostOfOwner: 10 })
    await pool.query("update swept.coordination_nodes set until = until - interval '1 hour'; update swept.coordination_orders set until = until - interval '1 hour'")
    await sleep(5)
    await pool.query('select swept.coordination_sweep_1()')
    const { rows } = await pool.query('select (select string_agg(account, \',\') from swept.coordination_accounts) as accounts, (select count(*)::int from swept.coordination_tickets) as tickets, (select count(*)::int from swept.coordination_orders) as orders, (select count(*)::int from swept.coordination_streams) as streams')
    t.strictSame(rows, [{ accounts: 'spent', tickets: 0, orders: 0, streams: 0 }])
  })
}
