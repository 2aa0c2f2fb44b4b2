import fc from 'fast-check'
import { equal, ok } from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { DocumentLocks } from '../../src/sync/locks.ts'

const holder = fc.record({ keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 }), startsAfter: fc.nat(3), holds: fc.nat(3) })

async function turns (count: number): Promise<void> {
  for (let i = 0; i < count; i++) await setImmediate()
}

t.test('one holder per key at a time, everybody gets a turn, in the order of coming', async () => {
  await fc.assert(fc.asyncProperty(fc.array(holder, { maxLength: 12 }), async holders => {
    const locks = new DocumentLocks()
    const held = new Set<string>()
    const came: number[] = []
    const served: number[] = []
    await Promise.all(holders.map(async ({ keys, startsAfter, holds }, number) => {
      await turns(startsAfter)
      came.push(number)
      const release = await locks.acquire(keys)
      served.push(number)
      for (const key of keys) {
        ok(!held.has(key), `${key} has one holder`)
        held.add(key)
      }
      await turns(holds)
      for (const key of keys) held.delete(key)
      release()
    }))
    equal(served.length, holders.length)
    for (const key of 'abcd') {
      const those = (order: number[]) => order.filter(number => holders[number]!.keys.includes(key as 'a')).join()
      equal(those(served), those(came))
    }
  }), { numRuns: 200 })
})

t.test('holders of different keys do not wait for each other', async t => {
  const locks = new DocumentLocks()
  const release = await locks.acquire(['a', 'b'])
  const other = await locks.acquire(['c'])
  const none = await locks.acquire([])
  for (const end of [release, other, none]) end()
  t.pass()
})

t.test('keys wanted in opposite orders by many never block each other', async t => {
  const locks = new DocumentLocks()
  const keys = Array.from({ length: 20 }, (_, i) => `${i}`)
  let served = 0
  await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const release = await locks.acquire(i % 2 === 0 ? keys : [...keys].reverse())
    served++
    release()
  }))
  t.equal(served, 200)
})

t.test('promise 7 (Isolated): a key that nobody holds takes no memory', async t => {
  const { prototype } = Map
  const { set } = prototype
  let tails: Map<unknown, unknown> | undefined
  prototype.set = function (key: unknown, value: unknown) {
    if (key === 'probe') tails = this
    return set.call(this, key, value)
  }
  t.teardown(() => { prototype.set = set })
  const locks = new DocumentLocks()
  const first = await locks.acquire(['probe', 'other', 'probe'])
  const second = locks.acquire(['probe'])
  t.equal(tails?.size, 2)
  first()
  t.same([...tails!.keys()], ['probe'], 'the second holder is still to come')
  const release = await second
  release()
  t.equal(tails!.size, 0)
})
