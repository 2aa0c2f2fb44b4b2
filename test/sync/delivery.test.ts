import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { ChangeStore } from '../../src/changelog/changelog.ts'
import { framesOf, openFeed, TestReplica, TestSink, wrapped, type TestFeed } from '../support/feed.ts'
import { push, replicate, type TestChange } from '../support/rules.ts'

const RUNS = 60

const change = fc.record({
  collection: fc.constantFrom('todos', 'lists', 'secrets'),
  documentId: fc.constantFrom('a', 'b', 'c', 'd', 'é'),
  gone: fc.boolean(),
  text: fc.string({ unit: 'grapheme', maxLength: 60 })
})

const limits = fc.record({
  frameEntries: fc.integer({ min: 1, max: 4 }),
  frameBytes: fc.integer({ min: 0, max: 300 }),
  ringBytes: fc.constantFrom(0, 400, 1200, 1_000_000)
})

let edits = 0

async function edit ({ rules }: TestFeed, { collection, documentId, gone, text }: { collection: string, documentId: string, gone: boolean, text: string }): Promise<void> {
  const edited: TestChange = gone ? { operation: 'delete', documentId } : { documentId, document: { text, edit: ++edits } }
  await push(rules, { collection, changes: [{ ...edited, timestamp: rules.clock.now() + ++edits }] })
}

const collections = ['lists', 'todos']

/** A pull from the beginning, without what was deleted. */
async function pulled ({ rules }: TestFeed): Promise<Array<[string, string]>> {
  return [...(await replicate(rules, { collections })).documents].sort()
}

t.test('promise 5 (Live is pull): whatever is written and wherever a stream is cut, it ends with what pulls give', async t => {
  const step = fc.oneof(
    { weight: 4, arbitrary: change.map(change => ({ kind: 'edit' as const, change })) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 60 }).map(ms => ({ kind: 'wait' as const, ms })) },
    { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }).map(share => ({ kind: 'cut' as const, share })) },
    { weight: 1, arbitrary: fc.constant({ kind: 'compact' as const }) }
  )
  await fc.assert(fc.asyncProperty(limits, fc.array(step, { maxLength: 40 }), async (limits, steps) => {
    const f = await openFeed({ limits })
    const replica = new TestReplica()
    let sink = f.connect({ since: replica.lastId, collections })
    for (const step of steps) {
      if (step.kind === 'edit') await edit(f, step.change)
      else if (step.kind === 'wait') await f.settle(step.ms)
      else if (step.kind === 'compact') await f.rules.store.compact({})
      else {
        replica.take(framesOf(sink.bytes.subarray(0, Math.round(step.share * sink.bytes.length))))
        sink.cut()
        sink = f.connect({ since: replica.lastId, collections })
      }
    }
    await f.settle(300)
    replica.take(sink.frames)
    t.strictSame(replica.faults, [])
    t.equal(replica.live, true)
    t.strictSame([...replica.documents].sort(), await pulled(f))
    await f.close()
  }), { numRuns: RUNS })
})

/** Reads take their time, and what is written meanwhile is not in them. */
function slow (random: () => number) {
  const pause = async (): Promise<void> => { for (let i = Math.floor(random() * 4); i > 0; i--) await turn() }
  return (store: ChangeStore): ChangeStore => wrapped(store, async query => {
    await pause()
    const page = await store.read(query)
    await pause()
    return page
  })
}

t.test('promise 5 (Live is pull): nothing falls between catch-up and live while others write', async t => {
  const random = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 })
  await fc.assert(fc.asyncProperty(limits, random, fc.array(change, { minLength: 10, maxLength: 40 }), async (limits, luck, changes) => {
    let next = 0
    const f = await openFeed({ limits, reading: slow(() => luck[next++ % luck.length]!) })
    const sinks: TestSink[] = []
    for (const [i, one] of changes.entries()) {
      await edit(f, one)
      if (i % 3 === 0) sinks.push(f.connect({ since: '0', collections }))
      if (i % 3 === 1) await f.settle(Math.floor(luck[i % luck.length]! * 20))
    }
    await f.settle(400)
    const expected = await pulled(f)
    for (const sink of sinks) {
      const replica = new TestReplica()
      replica.take(sink.frames)
      t.strictSame(replica.faults, [])
      t.strictSame([...replica.documents].sort(), expected)
    }
    await f.close()
  }), { numRuns: RUNS })
})

t.test('promise 5 (Live is pull): when a stream first says that it is live, it has told all there is', async t => {
  const luck = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 5 })
  const ids = ['a', 'b', 'c', 'd', 'e', 'f']
  await fc.assert(fc.asyncProperty(luck, fc.integer({ min: 1, max: 3 }), async (luck, frameEntries) => {
    let next = 0
    const f = await openFeed({ limits: { frameEntries, ringBytes: luck[0]! < 0.5 ? 300 : 1_000_000 }, reading: slow(() => luck[next++ % luck.length]!) })
    for (const documentId of ids) await edit(f, { collection: 'todos', documentId, gone: false, text: '' })
    const sinks: TestSink[] = []
    for (let i = 0; i < 30; i++) {
      // Never deleted, so a replica that is live without one of them would drop it wrongly.
      await edit(f, { collection: 'todos', documentId: ids[i % ids.length]!, gone: false, text: '' })
      if (i % 4 === 0) sinks.push(f.connect({ since: '0' }))
      if (luck[i % luck.length]! < 0.5) await f.settle(10)
    }
    await f.settle(400)
    for (const { pages } of sinks) {
      const until = pages.slice(0, pages.findIndex(page => !page.hasMore) + 1)
      const told = new Set(until.flatMap(page => page.changes['todos'] ?? []).map(({ documentId }) => documentId))
      t.strictSame([...told].sort(), ids)
    }
    await f.close()
  }), { numRuns: RUNS })
})

const filler = (n: number) => ({ collection: 'todos', documentId: `d${n}`, gone: false, text: 'x'.repeat(1000) })

t.test('promise 7 (Isolated): a reader that stalls costs a cursor, delays nobody, and catches up when it reads again', async t => {
  const f = await openFeed({ limits: { ringBytes: 10_000, frameBytes: 4000 } })
  const [stalled, brisk] = [f.connect(), f.connect()]
  await f.settle()
  stalled.stalled = true
  for (let n = 0; n < 100; n++) {
    await edit(f, filler(n))
    if (n % 5 === 0) await f.settle(20)
  }
  await f.settle()
  t.equal(brisk.sequences.length, 100)
  t.equal(stalled.impatient, 0, 'nothing is written to a full socket')
  t.ok(stalled.bytes.length < 10_000, 'one frame at most waits for it')
  stalled.drain()
  await f.settle(100)
  t.strictSame(stalled.sequences, Array.from({ length: 100 }, (_, i) => i + 1))
  await f.close()
})

t.test('promise 7 (Isolated): a peer that takes nothing for too long is dropped, one that takes a little is not', async t => {
  const f = await openFeed({ clientTimeout: 5000, heartbeatInterval: 5000 })
  const [dead, dripping] = [f.connect(), f.connect()]
  await f.settle()
  dead.stalled = dripping.stalled = true
  for (let n = 0; n < 4; n++) {
    await edit(f, filler(n))
    await f.settle(3000)
    dripping.drain()
    dripping.stalled = true
  }
  t.strictSame([dead.destroyed, dripping.destroyed, f.feed.size], [true, false, 1])
  await f.close()
})

t.test('what is made for one stream is shared with all that are at the same place', async t => {
  const f = await openFeed()
  const sinks = Array.from({ length: 50 }, () => f.connect({ collections: ['todos'] }))
  await f.settle()
  await edit(f, filler(1))
  await f.settle()
  t.equal(new Set(sinks.map(sink => sink.chunks.at(-1))).size, 1)
  await f.close()
})

t.test('what comes while a stream is busy is joined into one message, and a lone change does not wait', async t => {
  const f = await openFeed()
  const sink = f.connect()
  await f.settle()
  for (let n = 0; n < 20; n++) await edit(f, filler(n))
  await f.settle()
  t.ok(sink.pages.length <= 3, `${sink.pages.length} messages`)
  t.equal(sink.sequences.length, 20)
  await edit(f, filler(20))
  for (let i = 0; i < 10; i++) await turn()
  t.equal(sink.sequences.length, 21, 'before any timer')
  await f.close()
})

t.test('a log that is read by nobody is not read for streams', async t => {
  let reads = 0
  const f = await openFeed({ reading: slow(() => { reads++; return 0 }) })
  for (let n = 0; n < 5; n++) await edit(f, filler(n))
  await f.settle(2000)
  t.equal(reads, 0)
  const sink = f.connect()
  await f.settle()
  sink.cut()
  const before = reads
  await edit(f, filler(9))
  await f.settle(2000)
  t.equal(reads, before)
  await f.close()
})
