import t from 'tap'
import type { ChangeStore, Page } from '../../src/changelog/changelog.ts'
import { readRing } from '../../src/sync/frames.ts'
import { Ring } from '../../src/sync/ring.ts'
import { Tail } from '../../src/sync/tail.ts'
import { TestClock } from '../support/rules.ts'

const entry = (position: number) => ({ position, collection: 'todos', text: `"${position}"`, bytes: 10 })

t.test('promise 5 (Live is pull): a frame reaches no further than what fits it', async t => {
  const ring = new Ring(10_000)
  ring.add([1, 2, 3, 4, 5].map(entry), 7)
  const first = readRing(ring, { after: 0, collections: null, entries: 2, bytes: 1000 })
  t.same(first, { changes: '{"todos":["1","2"]}', count: 2, reached: 2 })
  t.equal(readRing(ring, { after: 0, collections: null, entries: 100, bytes: 25 }).reached, 2)
  t.same(readRing(ring, { after: 2, collections: null, entries: 3, bytes: 1000 }), { changes: '{"todos":["3","4","5"]}', count: 3, reached: 7 })
  t.same(readRing(ring, { after: 0, collections: new Set(['others']), entries: 1, bytes: 1000 }), { changes: '{}', count: 0, reached: 7 })
})

t.test('promise 5 (Live is pull): a hint that comes while the log is read leads to another read', async t => {
  const clock = new TestClock()
  const reads: Array<(page: Page) => void> = []
  const store = { read: () => new Promise<Page>(resolve => { reads.push(resolve) }) } as unknown as ChangeStore
  const tail = new Tail({ store, clock, ringBytes: 1000, sight: 'everything', onRead () {}, onError: error => { throw error } })
  tail.wake()
  t.equal(reads.length, 1)
  tail.look()
  t.equal(reads.length, 1, 'one read at a time')
  reads[0]!({ rows: [], scanned: 0, head: 0, horizon: 0, historyHorizon: 0, epochs: [{ id: 'e', first: 1, started: 0 }] })
  await new Promise(resolve => setImmediate(resolve))
  clock.advance(1000)
  t.equal(reads.length, 2)
  tail.sleep()
})
