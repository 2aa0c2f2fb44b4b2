import { Redis } from 'ioredis'
import { createClient } from 'redis'
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { pubSubSuite } from '../../src/conformance/pubsub.ts'
import { RedisPubSub } from '../../src/pubsub/redis.ts'
import { requireRedis } from '../support/programs.ts'
import { startRedis } from '../support/services/redis.ts'

if (requireRedis(t)) {
  const server = await startRedis(t)
  let prefixes = 0

  await pubSubSuite({
    test: (title, run) => t.test(title, run),
    async open () {
      const prefix = `suite-${++prefixes}`
      const [here, there] = [new RedisPubSub(server.url, { prefix }), new RedisPubSub(server.url, { prefix })]
      return { here, there, destroy: async () => { await Promise.all([here.close(), there.close()]) } }
    }
  })

  const until = async (done: () => boolean): Promise<void> => { while (!done()) await sleep(5) }

  t.test('publish: nodes with ioredis and with node-redis hear each other, other prefixes hear nothing, and the clients stay open', async t => {
    const one = new Redis(server.url)
    const other = createClient({ url: server.url })
    await other.connect()
    t.teardown(() => { one.disconnect(); other.destroy() })
    const [here, there, apart] = [new RedisPubSub(one), new RedisPubSub(other), new RedisPubSub(one, { prefix: 'apart' })]
    const heard = { here: 0, there: 0, apart: 0 }
    await here.subscribe('a', () => { heard.here++ })
    await there.subscribe('a', () => { heard.there++ })
    await apart.subscribe('a', () => { heard.apart++ })
    for (const pubsub of [here, there]) {
      const before = { ...heard }
      for (let i = 0; i < 1000; i++) pubsub.publish('a')
      await until(() => heard.here > before.here && heard.there > before.there)
    }
    t.ok(heard.here <= 4, 'and many in a turn are one')
    t.equal(heard.apart, 0)
    await Promise.all([here.close(), there.close(), apart.close()])
    t.same([await one.ping(), await other.ping()], ['PONG', 'PONG'])
  })

  t.test('promise 7 (Isolated): cut off, it listens again by itself and rings everybody, since hints were lost', async t => {
    const pubsub = new RedisPubSub(server.url)
    const admin = new Redis(server.url)
    t.teardown(async () => { admin.disconnect(); await pubsub.close() })
    const heard = { a: 0, b: 0, fence: 0 }
    for (const topic of ['a', 'b', 'fence'] as const) await pubsub.subscribe(topic, () => { heard[topic]++ })
    for (let round = 1; round <= 3; round++) {
      const before = { ...heard }
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await until(() => { pubsub.publish('fence'); return heard.fence > before.fence })
      t.ok(heard.a > before.a && heard.b > before.b, 'when it listens again everybody was rung')
      const rung = heard.a
      await until(() => { pubsub.publish('a'); return heard.a > rung })
    }
  })

  t.test('promise 7 (Isolated): a server that is away at the start, or restarted, is found once it is there', async t => {
    await server.kill()
    const pubsub = new RedisPubSub(server.url, { prefix: 'away' })
    t.teardown(() => pubsub.close())
    let heard = 0
    await pubsub.subscribe('a', () => { heard++ })
    pubsub.publish('a')
    t.equal(heard, 0)
    await server.start()
    await until(() => heard > 0)
    t.pass('it rings when it listens')
  })

  t.test('promise 9 (Clear): what is neither URL nor client is refused', async t => {
    for (const wrong of ['', 'postgres://localhost', null, undefined, 1]) t.throws(() => new RedisPubSub(wrong as never), /a URL \(redis:\/\/…\), or a client/)
    await t.rejects(new RedisPubSub({} as never).subscribe('a', () => {}), TypeError)
  })
}
