import t from 'tap'
import { RedisCoordination } from '../../src/coordination/redis.ts'
import { openRedis } from '../../src/drivers/redis.ts'
import { coordinationSuite } from '../support/coordination-suite.ts'
import { requireRedis } from '../support/programs.ts'
import { startRedis } from '../support/services/redis.ts'

if (requireRedis(t)) {
  const server = await startRedis(t)
  const redis = await openRedis(server.url)
  t.teardown(() => redis.close())
  let places = 0

  coordinationSuite(t, async () => {
    const prefix = `{place} ${++places}`
    return { here: new RedisCoordination(redis, { prefix }), there: new RedisCoordination(redis, { prefix }) }
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
