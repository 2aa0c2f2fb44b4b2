import t, { type Test } from 'tap'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { Coordination } from '../../src/coordination/coordination.ts'
import { MemoryCoordination } from '../../src/coordination/memory.ts'
import { Ledger } from '../../src/http/ledger.ts'
import { SharedBudgets } from '../../src/http/shared-budgets.ts'
import { Guarded } from '../../src/sync/guarded.ts'
import { MemoryPubSub } from '../../src/pubsub/memory.ts'
import { coordinationSuite } from '../support/coordination-suite.ts'
import { TestClock } from '../support/rules.ts'
import { goesOn, severalNodesSuite, type Place } from '../support/several-nodes.ts'

coordinationSuite(t, async () => {
  const place = new MemoryCoordination()
  return { here: place, there: place }
})

severalNodesSuite(t, async (t: Test): Promise<Place> => {
  const [coordination, pubsub] = [new MemoryCoordination(), new MemoryPubSub()]
  t.teardown(() => pubsub.close())
  return { options: async () => ({ changeLog: new MemoryChangeLog(), coordination, pubsub }), coordination: async () => coordination }
})

t.test('promise 7 (Isolated): a place that never answers holds up nobody for longer than a moment', async t => {
  const place = new MemoryCoordination()
  let hangs = false
  const hanging = new Proxy(place, {
    get (target, name) {
      const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>
      return async (...args: unknown[]) => hangs ? await new Promise(() => {}) : await method.apply(target, args)
    }
  }) satisfies Coordination
  await goesOn(t, async () => ({ changeLog: new MemoryChangeLog(), coordination: hanging }), { away: async () => { hangs = true }, back: async () => { hangs = false } })
})

t.test('promise 7 (Isolated): a place that does not answer within a second is left alone for one, then tried by one question', async t => {
  const clock = new TestClock()
  const [told, asked]: [string[], string[]] = [[], []]
  let hangs = true
  const place = Object.assign(new MemoryCoordination(), { takeTicket: async (hash: string) => { asked.push(hash); return hangs ? await new Promise<null>(() => {}) : null } })
  const guarded = new Guarded({ coordination: place, clock, onAway: () => told.push('away'), onBack: () => told.push('back') })
  const ask = (hash: string): Promise<string> => Promise.race([guarded.takeTicket(hash).then(() => 'answered', () => 'refused'), turns().then(() => 'waits')])
  const first = guarded.takeTicket('first').catch(() => 'late')
  clock.advance(1000)
  t.equal(await Promise.race([first, turns()]), 'late')
  t.equal(await ask('rests'), 'refused')
  clock.advance(1000)
  t.equal(await ask('probe'), 'waits')
  t.equal(await ask('beside the probe'), 'refused')
  clock.advance(1000)
  await turns()
  clock.advance(1000)
  hangs = false
  t.equal(await ask('again'), 'answered')
  t.equal(await ask('on'), 'answered')
  t.strictSame([asked, told], [['first', 'probe', 'again', 'on'], ['away', 'back']])
})

async function turns (): Promise<void> {
  for (let i = 0; i < 5; i++) await turn()
}

interface Node {
  readonly budgets: SharedBudgets
  asked: number
}

function nodesOver (place: Coordination, clock: TestClock, perMinute: number): [Node, Node] {
  const node = (): Node => {
    const counted = { asked: 0 }
    const ledger = new Ledger({ draw: async asked => { counted.asked++; return await place.draw(asked) } })
    return Object.assign(counted, { budgets: new SharedBudgets({ perMinute, most: 1000, clock, ledger, name: 'test' }) })
  }
  return [node(), node()]
}

t.test('few requests cost a round trip, and the sum over all nodes never exceeds the budget', async t => {
  const clock = new TestClock()
  const pair = nodesOver(new MemoryCoordination(() => clock.now()), clock, 4000)
  const taken = [0, 0]
  for (let i = 0; i < 6000; i++) if (await pair[i % 2]!.budgets.take('ann', 1) === 0) taken[i % 2]!++
  t.equal(taken[0]! + taken[1]!, 4000)
  t.ok(pair[0].asked + pair[1].asked <= 50, `${pair[0].asked} + ${pair[1].asked} round trips`)
})

t.test('a share that one node does not use goes back to the others', async t => {
  const clock = new TestClock()
  const [one, other] = nodesOver(new MemoryCoordination(() => 0), clock, 400)
  await one.budgets.take('ann', 1)
  let taken = 1
  while (await other.budgets.take('ann', 1) === 0) taken++
  t.equal(taken, 391, 'the rest of the share is kept for a while')
  for (let i = 0; i < 3; i++) {
    clock.advance(2000)
    await sleep(5)
  }
  while (await other.budgets.take('ann', 1) === 0) taken++
  t.equal(taken, 400)
})

t.test('what was spent without a share is charged, once, and waited for on every node', async t => {
  const clock = new TestClock()
  const [one, other] = nodesOver(new MemoryCoordination(() => clock.now()), clock, 60)
  one.budgets.spend('ann', 90)
  while (await other.budgets.wait('ann') === 0) await sleep(1)
  const wait = await other.budgets.wait('ann')
  t.ok(wait >= 29_000 && wait <= 32_000, `${wait} ms`)
  clock.advance(wait + 2000)
  t.equal(await other.budgets.take('ann', 1), 0)
  await Promise.all([one.budgets.close(), other.budgets.close()])
})
