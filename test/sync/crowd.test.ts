/** Many streams at once: what they share, what each may take of the node's time, and how they come back. */
import t from 'tap'
import type { Test } from 'tap'
import type { ChangeStore, Page } from '../../src/changelog/changelog.ts'
import { Pauses } from '../../src/sync/pauses.ts'
import { Tail } from '../../src/sync/tail.ts'
import { openFeed, wrapped, type TestFeed, type TestFeedOptions } from '../support/feed.ts'
import { push, TestClock } from '../support/rules.ts'

const CROWD = 300

async function opened (t: Test, options?: TestFeedOptions): Promise<TestFeed> {
  const feed = await openFeed(options)
  t.teardown(() => feed.close())
  return feed
}

async function write ({ rules }: TestFeed, documentId: string): Promise<void> {
  await push(rules, { changes: [{ documentId, document: { at: documentId } }] })
}

t.test('a crowd that comes back after a restart is told what it missed from a few reads and one encoding', async t => {
  let reads = 0
  const f = await opened(t, {
    reading: store => wrapped(store, async query => {
      reads++
      return await store.read(query)
    })
  })
  for (let n = 1; n <= 20; n++) await write(f, `d${n}`)
  // Nothing of the log was read by this node before they come: it has just been started.
  const sinks = Array.from({ length: CROWD }, () => f.connect({ since: '15' }))
  await f.settle()
  t.strictSame(sinks.filter(sink => sink.sequences.join() !== '16,17,18,19,20'), [], 'each has what it missed, once')
  t.ok(reads <= 3, `${reads} reads of the log`)
  const page = (sink: typeof sinks[number]): Uint8Array | undefined => sink.chunks.find(chunk => Buffer.from(chunk).includes('pull-response'))
  t.equal(new Set(sinks.map(page)).size, 1, 'the same bytes for all')
})

t.test('what a crowd missed is shared too where only the newest of it is small', async t => {
  let reads = 0
  const f = await opened(t, { reading: store => wrapped(store, async query => { reads++; return await store.read(query) }) })
  for (let n = 1; n <= 12; n++) await push(f.rules, { changes: [{ documentId: `d${n}`, document: { text: 'x'.repeat(n < 4 ? 900_000 : 10) } }] })
  const sinks = Array.from({ length: CROWD }, () => f.connect({ since: '10' }))
  await f.settle()
  t.strictSame(sinks.filter(sink => sink.sequences.join() !== '11,12'), [])
  t.ok(reads <= 5, `${reads} reads of the log`)
})

t.test('the more of its time a node spends on streams, the more changes join one message; a lone one never waits', async t => {
  const clock = new TestClock()
  let reads = 0
  const page: Page = { rows: [], scanned: 0, head: 0, horizon: 0, historyHorizon: 0, epochs: [{ id: 'e', first: 1, started: 0 }] }
  const store = { read: () => { reads++; return Promise.resolve(page) } } as unknown as ChangeStore
  const tail = new Tail({ store, clock, ringBytes: 1000, sight: 'everything', onRead () {}, onError: error => { throw error } })
  t.teardown(() => tail.sleep())
  /** ms from a read, after which so many were spent on streams, to the next: somebody writes every ms. */
  const pauseAfter = async (spent: number): Promise<number> => {
    const before = reads
    for (let passed = 0; ; passed++) {
      tail.look()
      await new Promise(resolve => setImmediate(resolve))
      if (reads > before) return passed
      if (passed === 0) tail.spent(spent)
      clock.advance(1)
    }
  }
  tail.wake()
  await new Promise(resolve => setImmediate(resolve))
  t.equal(await pauseAfter(0), 20, 'little to do')
  t.equal(await pauseAfter(10), 40, 'a quarter of the time for streams')
  t.equal(await pauseAfter(1000), 50, 'no change waits longer')
  const silence = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      clock.advance(1000)
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  await silence()
  t.equal(await pauseAfter(1000), 0, 'after a silence')
  await silence()
  clock.advance(-3_600_000)
  t.equal(await pauseAfter(0), 0, 'a clock that was set back makes nobody wait')
})

t.test('promise 7 (Isolated): while streams arrive, few others are written in a turn', async t => {
  const turns: Array<() => void> = []
  const f = await opened(t, { turn: callback => { turns.push(callback) } })
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 8; i++) {
      while (turns.length > 0) turns.shift()!()
      await f.settle()
    }
  }
  const sinks = Array.from({ length: CROWD }, () => f.connect())
  await settle()
  const served = (): number => sinks.filter(sink => sink.sequences.length > 0).length
  await write(f, 'one')
  await f.settle()
  f.connect()
  for (let turn = 1; turn <= 16; turn++) {
    turns.shift()!()
    t.equal(served(), 8 * turn)
  }
  turns.shift()!()
  t.equal(served(), CROWD, 'nobody came meanwhile')
  await settle()
})

t.test('promise 7 (Isolated): a crowd whose rules are slow to answer is let in bit by bit', async t => {
  const answers: Array<() => void> = []
  const user = (id: number) => ({ id: `u${id}`, userId: `u${id}` })
  const f = await opened(t, {
    limits: { streamsWaiting: 10 },
    access: { authenticate: () => null, channels: () => ['all'], channelsOf: () => new Promise<string[]>(resolve => { answers.push(() => resolve(['all'])) }) }
  })
  const first = Array.from({ length: 10 }, (_, id) => f.connect({ user: user(id) }))
  await f.settle()
  const next = f.connect({ user: user(10) })
  await f.settle()
  t.match(next.named('bye')[0]?.data, /"reason":"overloaded","retryMs":6500/, 'with a pause of 3 to 10 s')
  t.equal(next.ended, true)
  for (let i = 0; i < 5; i++) {
    for (const answer of answers.splice(0)) answer()
    await f.settle()
  }
  t.equal(first.filter(sink => sink.named('hello').length === 1).length, 10, 'who waited is said hello')
  const later = f.connect({ user: user(10) })
  await f.settle()
  t.equal(later.ended, false, 'then there is room')
})

t.test('who is lost with others does not come back with them: 1 to 3 s, and 2,000 a second at most', async t => {
  const f = await opened(t, { random: Math.random })
  const sinks = Array.from({ length: CROWD }, () => f.connect())
  await f.settle()
  const pauses = sinks.map(sink => sink.named('hello')[0]!.retry!)
  t.ok(pauses.every(ms => ms >= 1000 && ms <= 3000))
  t.ok(new Set(pauses).size > CROWD / 3, 'each its own')
  const most = (streams: number): number => new Pauses(() => 1, { size: streams } as ReadonlyMap<string, unknown>).soon
  t.equal(most(4000), 3000)
  t.equal(most(10_000), 6000, '10,000 within 5 s')
})
