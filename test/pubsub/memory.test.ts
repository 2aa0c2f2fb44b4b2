import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { MemoryPubSub } from '../../src/pubsub/memory.ts'

/** A listener that counts its hints. */
function counter (): { listener: () => void, count: number } {
  const counted = { count: 0, listener: () => { counted.count++ } }
  return counted
}

async function turns (): Promise<void> {
  for (let i = 0; i < 3; i++) await setImmediate()
}

t.test('publish: every listener of the topic hears of it, and no other', async t => {
  const pubsub = new MemoryPubSub()
  const [one, two, other] = [counter(), counter(), counter()]
  await pubsub.subscribe('__proto__', one.listener)
  await pubsub.subscribe('__proto__', two.listener)
  await pubsub.subscribe('other', other.listener)
  pubsub.publish('__proto__')
  t.equal(one.count, 0, 'not before whoever published goes on')
  await turns()
  t.same([one.count, two.count, other.count], [1, 1, 0])
  pubsub.publish('nobody listens')
  await turns()
  t.same([one.count, two.count, other.count], [1, 1, 0])
})

t.test('publish: a hint that follows a delivered one is delivered too; several at once may be one', async t => {
  const pubsub = new MemoryPubSub()
  const heard = counter()
  await pubsub.subscribe('a', heard.listener)
  for (let i = 0; i < 1000; i++) pubsub.publish('a')
  await turns()
  t.equal(heard.count, 1)
  pubsub.publish('a')
  await turns()
  t.equal(heard.count, 2)
})

t.test('publish: a hint given by a listener is delivered', async t => {
  const pubsub = new MemoryPubSub()
  const heard = counter()
  await pubsub.subscribe('first', () => pubsub.publish('second'))
  await pubsub.subscribe('second', heard.listener)
  pubsub.publish('first')
  await turns()
  t.equal(heard.count, 1)
})

t.test('promise 7 (Isolated): a listener that throws takes no hint from the others', async t => {
  const pubsub = new MemoryPubSub()
  const heard = counter()
  await pubsub.subscribe('a', () => { throw new Error('on purpose') })
  await pubsub.subscribe('a', heard.listener)
  pubsub.publish('a')
  await turns()
  t.equal(heard.count, 1)
})

t.test('subscribe: the same listener twice is two subscriptions, each ended by itself', async t => {
  const pubsub = new MemoryPubSub()
  const heard = counter()
  const end = await pubsub.subscribe('a', heard.listener)
  await pubsub.subscribe('a', heard.listener)
  pubsub.publish('a')
  await end()
  await end()
  await turns()
  t.equal(heard.count, 1)
})

t.test('close: idempotent; no listener is called afterwards, and nothing throws', async t => {
  const pubsub = new MemoryPubSub()
  const heard = counter()
  const end = await pubsub.subscribe('a', heard.listener)
  pubsub.publish('a')
  await pubsub.close()
  await pubsub.close()
  await turns()
  const late = await pubsub.subscribe('a', heard.listener)
  pubsub.publish('a')
  await turns()
  await end()
  await late()
  t.equal(heard.count, 0)
})
