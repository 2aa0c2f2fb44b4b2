import pg from 'pg'
import t, { type Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { pubSubSuite } from '../../src/conformance/pubsub.ts'
import { PostgresPubSub } from '../../src/pubsub/postgres.ts'
import { requirePostgres } from '../support/programs.ts'
import { startPostgres } from '../support/services/postgres.ts'

/** A server that is starting takes connections and refuses them: who was refused is rung when it listens. */
async function serving (url: string): Promise<void> {
  for (const pool = new pg.Pool({ connectionString: url }); ; await sleep(20)) {
    const ready = await pool.query('select 1').then(() => true, () => false)
    if (ready) return await pool.end()
  }
}

if (requirePostgres(t)) {
  const server = await startPostgres(t)
  await serving(server.url)
  let schemas = 0

  await pubSubSuite({
    test: (title, run) => t.test(title, run),
    async open () {
      const schema = `suite-${++schemas}`
      const [here, there] = [new PostgresPubSub(server.url, { schema }), new PostgresPubSub(server.url, { schema })]
      return { here, there, destroy: async () => { await Promise.all([here.close(), there.close()]) } }
    }
  })

  const poolOf = (t: Test): pg.Pool => {
    const pool = new pg.Pool({ connectionString: server.url, max: 3 })
    pool.on('error', () => {})
    t.teardown(() => pool.end())
    return pool
  }

  const until = async (done: () => boolean): Promise<void> => { while (!done()) await sleep(5) }

  t.test('publish: servers on other schemas hear nothing, and of many hints in a turn one is sent', async t => {
    const pool = poolOf(t)
    const [here, other] = [new PostgresPubSub(pool, { schema: 'one' }), new PostgresPubSub(pool, { schema: 'two' })]
    let [heard, overheard] = [0, 0]
    await here.subscribe('a', () => { heard++ })
    await other.subscribe('a', () => { overheard++ })
    for (let i = 0; i < 1000; i++) here.publish('a')
    await until(() => heard > 0)
    t.ok(heard <= 2, `${heard}`)
    t.equal(overheard, 0)
    await Promise.all([here.close(), other.close()])
    t.equal((await pool.query('select 1')).rowCount, 1, 'the pool stays the application\'s')
  })

  t.test('promise 7 (Isolated): cut off, it listens again by itself and rings everybody, since hints were lost', async t => {
    const pubsub = new PostgresPubSub(server.url)
    t.teardown(() => pubsub.close())
    const heard = { a: 0, b: 0, fence: 0 }
    for (const topic of ['a', 'b', 'fence'] as const) await pubsub.subscribe(topic, () => { heard[topic]++ })
    const pool = poolOf(t)
    for (let round = 1; round <= 3; round++) {
      const before = { ...heard }
      const { rows } = await pool.query("select pid, pg_terminate_backend(pid) from pg_stat_activity where query ilike '%listen%' and pid <> pg_backend_pid()")
      while ((await pool.query({ text: 'select 1 from pg_stat_activity where pid = any($1)', values: [rows.map(({ pid }) => pid as number)] })).rowCount! > 0) await sleep(5)
      await until(() => { pubsub.publish('fence'); return heard.fence > before.fence })
      t.ok(heard.a > before.a && heard.b > before.b, 'when it listens again everybody was rung')
      const rung = heard.a
      await until(() => { pubsub.publish('a'); return heard.a > rung })
    }
  })

  t.test('promise 7 (Isolated): a server that is away at the start, or restarted, is found once it is there', async t => {
    await server.kill()
    const pubsub = new PostgresPubSub(server.url, { schema: 'away' })
    t.teardown(() => pubsub.close())
    let heard = 0
    await pubsub.subscribe('a', () => { heard++ })
    pubsub.publish('a')
    t.equal(heard, 0)
    await server.start()
    await until(() => heard > 0)
    t.pass('it rings when it listens')
  })

  t.test('promise 9 (Clear): what is neither URL nor pool is refused', async t => {
    for (const wrong of ['', 'redis://localhost', {}, null, undefined]) t.throws(() => new PostgresPubSub(wrong as never), /a URL \(postgres:\/\/…\) or a pool/)
  })
}
