import t from 'tap'
import { setImmediate } from 'node:timers/promises'
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
