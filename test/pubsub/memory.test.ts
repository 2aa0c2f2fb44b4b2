import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { openCoordination, openPubSub } from '../../src/backends.ts'
import type { NetworkedStore } from '../../src/changelog/networked.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { pubSubSuite } from '../../src/conformance/pubsub.ts'
import { MemoryPubSub } from '../../src/pubsub/memory.ts'

await pubSubSuite({
  test: (title, run) => t.test(title, run),
  async open () {
    const pubsub = new MemoryPubSub()
    return { here: pubsub, there: pubsub, destroy: () => pubsub.close() }
  }
})

t.test('publish: a thousand hints in one turn are one', async t => {
  const pubsub = new MemoryPubSub()
  let heard = 0
  await pubsub.subscribe('a', () => { heard++ })
  for (let i = 0; i < 1000; i++) pubsub.publish('a')
  pubsub.publish('nobody listens')
  for (let i = 0; i < 3; i++) await setImmediate()
  t.equal(heard, 1)
})

t.test('promise 9 (Clear): a pubsub is found by its name, or by the server that the log lies on; another name is refused', async t => {
  const plain = new MemoryChangeLog()
  const on = (server: object): NetworkedStore => Object.assign(new MemoryChangeLog(), { server: async () => server }) as unknown as NetworkedStore
  const redis = on({ kind: 'redis', redis: { run () {} }, prefix: 'p' })
  const postgres = on({ kind: 'postgres', pool: { connect () {}, on () {} }, schema: 's' })
  const kind = async (...given: Parameters<typeof openPubSub>): Promise<string> => {
    const pubsub = await openPubSub(...given)
    await pubsub.close()
    return pubsub.constructor.name
  }
  t.strictSame([await kind(), await kind(plain), await kind(redis), await kind(postgres)], ['MemoryPubSub', 'MemoryPubSub', 'RedisPubSub', 'PostgresPubSub'])
  t.strictSame([await kind(redis, 'memory'), await kind(redis, 'postgres://host/db'), await kind(plain, 'rediss://host')], ['MemoryPubSub', 'PostgresPubSub', 'RedisPubSub'])
  for (const wrong of ['', 'redis', 'memory:x', 'ftp://host', 'memory ', '__proto__:']) await t.rejects(openPubSub(plain, wrong), /there are redis:/, wrong)
  const shared = async (store: Parameters<typeof openCoordination>[0], name?: string): Promise<string | undefined> => {
    const pubsub = await openPubSub(store, name)
    t.teardown(() => pubsub.close())
    return (await openCoordination(store, pubsub))?.constructor.name
  }
  t.strictSame([await shared(plain), await shared(redis, 'memory'), await shared(postgres), await shared(plain, 'redis://127.0.0.1:1')], [undefined, 'RedisCoordination', 'PostgresCoordination', 'RedisCoordination'])
})
