import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { MemoryPubSub } from '../../src/pubsub/memory.ts'
import type { PubSub } from '../../src/pubsub/pubsub.ts'
import { Doorbell } from '../../src/sync/doorbell.ts'
import { openRules, push, TestClock } from '../support/rules.ts'

const INTERVAL = 1000

async function opened (t: Test, pubsub: PubSub = new MemoryPubSub()): Promise<{ bell: Doorbell, clock: TestClock, rings: () => number }> {
  const clock = new TestClock()
  const bell = new Doorbell(pubsub, clock, INTERVAL)
  await bell.open()
  t.teardown(() => bell.close())
  let rings = 0
  bell.listen(() => { rings++ })
  return { bell, clock, rings: () => rings }
}

const deaf: PubSub = { subscribe: async () => async () => {}, publish () {}, close: async () => {} }

t.test('a ring is heard at once on this node, and by its hint on the others', async t => {
  const pubsub = new MemoryPubSub()
  const here = await opened(t, pubsub)
  const there = await opened(t, pubsub)
  here.bell.ring()
  t.same([here.rings() >= 1, there.rings()], [true, 0])
  await setImmediate()
  await setImmediate()
  t.equal(there.rings(), 1)
})

t.test('a lost hint costs the poll interval and nothing else: the bell rings by itself', async t => {
  const { clock, rings } = await opened(t, deaf)
  clock.advance(INTERVAL - 1)
  t.equal(rings(), 0)
  clock.advance(1)
  t.equal(rings(), 1)
  for (let i = 2; i < 6; i++) {
    clock.advance(INTERVAL)
    t.equal(rings(), i)
  }
})

t.test('who no longer listens is not called, the others are', async t => {
  const { bell, rings } = await opened(t, deaf)
  let others = 0
  const stop = bell.listen(() => { others++ })
  bell.ring()
  stop()
  stop()
  bell.ring()
  t.same([others, rings()], [1, 2])
})

t.test('a bell that is closed stays silent: no poll, no hint, no subscription, closed from a listener too', async t => {
  let subscribed = 0
  const pubsub: PubSub = { ...deaf, subscribe: async () => { subscribed++; return async () => { subscribed-- } } }
  const { bell, clock, rings } = await opened(t, pubsub)
  const once = bell.listen(() => { once(); bell.close().catch(() => {}) })
  clock.advance(INTERVAL)
  t.equal(rings(), 1)
  clock.advance(10 * INTERVAL)
  bell.ring()
  t.same([rings(), subscribed], [1, 0])
})

t.test('while nobody listens no timer runs: a thousand logs that rest cost nothing', async t => {
  const clock = new TestClock()
  let running = 0
  const after = clock.after.bind(clock)
  clock.after = (ms, callback) => {
    running++
    const cancel = after(ms, () => { running--; callback() })
    return () => { running--; cancel() }
  }
  const bell = new Doorbell(deaf, clock, INTERVAL)
  await bell.open()
  t.equal(running, 0)
  let rings = 0
  const stops = [bell.listen(() => { rings++ }), bell.listen(() => {})]
  t.equal(running, 1)
  clock.advance(INTERVAL)
  t.same([rings, running], [1, 1])
  for (const stop of stops) stop()
  t.equal(running, 0)
  const again = bell.listen(() => { rings++ })
  clock.advance(INTERVAL)
  t.same([rings, running], [2, 1])
  again()
  await bell.close()
  t.equal(running, 0)
})

t.test('a push rings when its entries can be read, and only when it has entries', async t => {
  const rules = await openRules()
  t.teardown(() => rules.close())
  const heads: Array<Promise<number>> = []
  rules.bell.listen(() => { heads.push(rules.store.getCurrentSequence()) })
  const message = { id: 'm', changes: [{ documentId: 'a', document: {} }] }
  await push(rules, message)
  await setImmediate()
  const rung = heads.length
  t.ok(rung > 0)
  for (const head of heads) t.equal(await head, 1)
  await push(rules, message)
  await push(rules, { changes: [{ operation: 'delete', documentId: 'nothing there' }] })
  await setImmediate()
  t.equal(heads.length, rung)
})
