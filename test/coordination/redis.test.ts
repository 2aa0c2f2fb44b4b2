import { Redis } from 'ioredis'
import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { RedisCoordination } from '../../src/coordination/redis.ts'
import { openRedis } from '../../src/drivers/redis.ts'
import { RedisPubSub } from '../../src/pubsub/redis.ts'
import { coordinationSuite } from '../support/coordination-suite.ts'
import { requireRedis } from '../support/programs.ts'
import { startRedis } from '../support/services/redis.ts'
import { deliversLate, goesOn, severalNodesSuite, type Place } from '../support/several-nodes.ts'

if (requireRedis(t)) {
  const server = await startRedis(t)
  const redis = await openRedis(server.url)
  t.teardown(() => redis.close())
  let places = 0

  coordinationSuite(t, async () => {
    const prefix = `{place} ${++places}`
    return { here: new RedisCoordination(redis, { prefix }), there: new RedisCoordination(redis, { prefix }) }
  })

  t.test('over a client of ioredis with a keyPrefix, under which its keys lie', async t => {
    const client = new Redis(server.url, { keyPrefix: 'app:' })
    t.teardown(() => client.disconnect())
    const prefixed = await openRedis(client)
    coordinationSuite(t, async () => {
      const prefix = `prefixed ${++places}`
      return { here: new RedisCoordination(prefixed, { prefix }), there: new RedisCoordination(prefixed, { prefix }) }
    })
  })

  const openPlace = async (): Promise<Place> => {
    const prefix = `nodes-${++places}`
    return { options: async () => ({ changeLog: logOf(new RedisChangeLog(server.url, { prefix })) }), coordination: async () => new RedisCoordination(redis, { prefix }) }
  }
  const logs: RedisChangeLog[] = []
  const logOf = (log: RedisChangeLog): RedisChangeLog => { logs.push(log); return log }
  t.teardown(() => Promise.all(logs.map(log => log.close())))

  severalNodesSuite(t, openPlace)

  t.test('promise 5 (Live is pull): hints that are cut off again and again while others write cost time, and nothing else', async t => {
    await deliversLate(t, await openPlace(), () => redis.command(['CLIENT', 'KILL', 'TYPE', 'pubsub']))
  })

  t.test('promise 7 (Isolated): while Redis is away, and it carries no log, requests and streams go on by each node\'s own limits', async t => {
    const apart = await startRedis(t)
    const pubsub = new RedisPubSub(apart.url)
    t.teardown(() => pubsub.close())
    await goesOn(t, async () => ({ changeLog: new MemoryChangeLog(), pubsub }), { away: () => apart.kill(), back: () => apart.start() })
  })

  t.test('every key expires, and all lie under one hash tag', async t => {
    const place = new RedisCoordination(redis, { prefix: 'expiring' })
    await place.draw([{ account: 'a', perMinute: 60, charge: 100, want: 0, least: 0 }])
    await place.putTicket({ hash: 'h', owner: 'o', text: 'x', livesFor: 30_000, most: 10, mostOfOwner: 10 })
    await place.enter({ node: 'n', owner: 'o', most: 10, lease: 5000 })
    await place.report({ node: 'n', lease: 5000, streams: [['p', 2]], orders: [{ node: 'm', text: 'x' }] })
    const keys = await redis.command(['KEYS', '*expiring*']) as string[]
    t.equal(keys.length, 7)
    t.ok(keys.every(key => key.startsWith('{expiring:nodes}:')))
    for (const key of keys) t.ok(await redis.command(['PTTL', key]) as number > 0, key)
  })
}
