import t from 'tap'
import type { Test } from 'tap'
import type { ChangeStore } from '../../src/changelog/changelog.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { openFeed, TestSink, wrapped, type TestFeed, type TestFeedOptions } from '../support/feed.ts'
import { push } from '../support/rules.ts'

async function opened (t: Test, options?: TestFeedOptions): Promise<TestFeed> {
  const feed = await openFeed(options)
  t.teardown(() => feed.close())
  return feed
}

const data = (frame: { data: string } | undefined): Record<string, unknown> => JSON.parse(frame!.data) as Record<string, unknown>

async function write ({ rules }: TestFeed, documentId: string, collection = 'todos'): Promise<void> {
  await push(rules, { collection, changes: [{ documentId, document: { at: documentId } }] })
}

t.test('a stream says hello, then that it is live, then what happens, each with an id of its epoch', async t => {
  const f = await opened(t)
  await write(f, 'old')
  const sink = f.connect()
  await f.settle()
  await write(f, 'new')
  await f.settle()
  const epoch = (await f.rules.store.epochs())[0]?.id
  t.strictSame(sink.frames.map(({ event, id }) => [event, id]), [['hello', `1~e${epoch}`], ['message', `1~e${epoch}`], ['message', `2~e${epoch}`]])
  t.strictSame(data(sink.frames[0]), { type: 'hello', protocol: 1, epoch, checkpoint: { global: 1 }, head: { global: 1 }, heartbeatMs: 15000, maxDurationMs: 540000 })
  t.equal(sink.frames[0]?.retry, 2000)
  t.strictSame(sink.pages.map(({ changes, hasMore }) => [Object.keys(changes).length, hasMore]), [[0, false], [1, false]])
  t.match(sink.pages[1], { type: 'pull-response', id: '2', changes: { todos: [{ documentId: 'new', sequence: 2 }] }, checkpoint: { global: 2 }, epoch })
})

t.test('hello goes out in the first tick where the node already follows the log', async t => {
  const f = await opened(t)
  f.connect()
  await f.settle()
  t.equal(f.connect().frames[0]?.event, 'hello')
})

t.test('a nudge follows the first frame', async t => {
  const f = await opened(t)
  const sink = f.connect()
  await f.settle(30)
  t.equal(sink.comments, 0)
  await f.settle(60)
  t.equal(sink.comments, 1)
})

t.test('catch-up comes in frames that say there is more, until the stream is live', async t => {
  const f = await opened(t, { limits: { frameEntries: 2 } })
  for (const id of ['a', 'b', 'c', 'd', 'e']) await write(f, id)
  const sink = f.connect({ since: '1' })
  await f.settle()
  t.strictSame(sink.pages.map(page => page.hasMore), [true, false])
  t.strictSame(sink.sequences, [2, 3, 4, 5])
})

t.test('a stream of some collections sees those alone, and no frame for the others', async t => {
  const f = await opened(t)
  const sink = f.connect({ collections: ['lists', 'todos'] })
  await f.settle()
  for (const collection of ['todos', 'secrets', 'lists']) await write(f, 'a', collection)
  await f.settle()
  t.strictSame(sink.pages.flatMap(page => Object.keys(page.changes)), ['todos', 'lists'])
  const frames = sink.frames.length
  await write(f, 'b', 'secrets')
  await f.settle()
  t.equal(sink.frames.length, frames)
})

t.test('promise 4 (Safe checkpoints): a ping comes after silence and moves the id past what is not seen', async t => {
  const f = await opened(t, { heartbeatInterval: 5000 })
  const sink = f.connect({ collections: ['todos'] })
  await f.settle()
  await write(f, 'a', 'secrets')
  await f.settle()
  t.equal(sink.lastId?.startsWith('0~'), true)
  await f.settle(5300)
  t.match(data(sink.named('ping')[0]), { type: 'ping', checkpoint: { global: 1 } })
  t.equal(sink.lastId?.startsWith('1~'), true)
})

t.test('line breaks between the tokens of a stored document do not break the line of a frame', async t => {
  const f = await opened(t)
  const text = '{\r\n  "a": "x\\ny"\n}'
  const live = f.connect()
  await f.settle()
  await f.rules.store.append({ id: '', sequence: 0, collection: 'todos', documentId: 'a', operation: 'insert', document: text, data: text, timestamp: 1 })
  f.rules.bell.ring()
  const late = f.connect({ since: '0' })
  await f.settle()
  for (const sink of [live, late]) t.strictSame(sink.pages.at(-1)?.changes['todos']?.[0]?.document, { a: 'x\ny' })
})

t.test('a lost hint costs the poll interval, never a change', async t => {
  const f = await opened(t)
  const sink = f.connect()
  await f.settle()
  await f.rules.store.append({ id: '', sequence: 0, collection: 'todos', documentId: 'a', operation: 'insert', document: '{}', data: '{}', timestamp: 1 })
  await f.settle(100)
  t.strictSame(sink.sequences, [])
  await f.settle(1000)
  t.strictSame(sink.sequences, [1])
})

t.test('a cursor that this log does not continue starts over on the same connection', async t => {
  const f = await opened(t)
  await write(f, 'a')
  const sink = f.connect({ since: '7~eelsewhere' })
  await f.settle()
  t.strictSame(sink.frames.map(frame => frame.event), ['resync', 'hello', 'message'])
  t.match(data(sink.frames[0]), { type: 'resync', reason: 'epoch-changed', checkpoint: { global: 0 } })
  t.match(sink.frames[0]?.id, /^0~e/)
  t.strictSame(sink.sequences, [1])
})

t.test('a cursor ahead of this node waits for it a while before it starts over', async t => {
  const f = await opened(t)
  await write(f, 'a')
  const [patient, late] = [f.connect({ since: '2' }), f.connect({ since: '3' })]
  await f.settle(500)
  t.equal(patient.frames.length, 0)
  await write(f, 'b')
  await f.settle(500)
  t.strictSame(patient.frames.map(frame => frame.event), ['hello', 'message'])
  t.equal(late.frames.length, 0)
  await f.settle(2000)
  t.match(data(late.frames[0]), { type: 'resync', reason: 'checkpoint-ahead' })
  t.strictSame(late.sequences, [1, 2])
})

t.test('a log that is cleared under open streams has each start over', async t => {
  const f = await opened(t)
  await write(f, 'a')
  const sinks = [f.connect(), f.connect({ since: '0' })]
  await f.settle()
  await f.rules.store.clear()
  f.rules.bell.ring()
  await f.settle()
  await write(f, 'b')
  await f.settle()
  for (const sink of sinks) {
    t.match(data(sink.named('resync')[0]), { reason: 'compacted' })
    t.equal(sink.named('resync').length, 1)
    t.match(sink.pages.at(-1)?.changes, { todos: [{ documentId: 'b' }] })
  }
})

t.test('a catch-up from the beginning survives a horizon above it, also across a cut', async t => {
  const f = await opened(t, { limits: { frameEntries: 1 } })
  for (const id of ['a', 'b', 'c', 'd']) await write(f, id)
  await push(f.rules, { changes: [{ operation: 'delete', documentId: 'd', base: 4 }] })
  await f.rules.store.compact({ tombstonesBefore: Infinity })
  await write(f, 'e')
  t.ok(await f.rules.store.horizon() > 3)
  const sink = f.connect({ since: '0' })
  await f.settle()
  t.strictSame(sink.named('resync'), [])
  t.strictSame(sink.sequences, [1, 2, 3, 6])
  const resumed = f.connect({ since: sink.frames.find(frame => frame.id?.startsWith('2~'))!.id! })
  await f.settle()
  t.strictSame([resumed.named('resync'), resumed.sequences], [[], [3, 6]])
})

t.test('promise 4 (Safe checkpoints): a log that another one of the same length replaced has each stream start over', async t => {
  let other: ChangeStore | null = null
  const f = await opened(t, { reading: store => wrapped(store, query => (other ?? store).read(query)) })
  await write(f, 'a')
  const sink = f.connect()
  await f.settle()
  other = new MemoryChangeLog()
  await other.append({ id: '', sequence: 0, collection: 'todos', documentId: 'b', operation: 'insert', document: '{}', data: '{}', timestamp: 1 })
  f.rules.bell.ring()
  await f.settle()
  t.match(data(sink.named('resync')[0]), { reason: 'epoch-changed' })
  t.match(sink.pages.at(-1)?.changes, { todos: [{ documentId: 'b' }] })
})

t.test('promise 7 (Isolated): a failing store leaves streams open, pings go on, and nothing is skipped', async t => {
  const frameEntries = 7
  for (const ofStreams of [true, false]) {
    let broken = false
    const reading = (store: ChangeStore): ChangeStore => wrapped(store, async query => {
      if (broken && (query.limit === frameEntries) === ofStreams) throw new Error('disk')
      return await store.read(query)
    })
    const f = await opened(t, { reading, heartbeatInterval: 5000, limits: { ringBytes: 0, frameEntries } })
    const sink = f.connect()
    await f.settle()
    broken = true
    await write(f, 'a')
    await f.settle(6000)
    t.ok(f.errors.length > 0)
    t.strictSame([sink.ended, sink.sequences, sink.named('ping').length], [false, [], 1])
    broken = false
    await f.settle(1500)
    t.strictSame(sink.sequences, [1])
  }
})

t.test('a stream ends with a bye when its life is over', async t => {
  const f = await opened(t, { limits: { streamMs: 10_000 }, random: () => 0 })
  const sink = f.connect()
  await f.settle(7500)
  t.equal(sink.ended, false)
  await f.settle(1000)
  const bye = sink.frames.at(-1)!
  t.strictSame([bye.event, data(bye)], ['bye', { type: 'bye', reason: 'max-duration', retryMs: 1000, checkpoint: { global: 0 } }])
  t.strictSame([sink.ended, f.feed.size, bye.retry], [true, 0, 1000])
})

t.test('streams beyond a limit are told so in band', async t => {
  const f = await opened(t, { limits: { streams: 3, streamsPerUser: 2 } })
  const ofAda = () => f.connect({ user: { id: 'ada', userId: 'ada' }, since: '5~ex' })
  ofAda()
  ofAda()
  const third = ofAda()
  t.match(third.frames.map(data), [{ type: 'bye', reason: 'overloaded', checkpoint: { global: 5 } }])
  t.strictSame([third.ended, f.feed.size], [true, 2])
  f.connect()
  t.equal(f.connect().frames[0]?.event, 'bye')
})

t.test('shutdown tells every stream goodbye within the drain time, and refuses new ones the same way', async t => {
  let x = 0
  const f = await openFeed({ random: () => (x += 0.1) % 1 })
  const sinks = Array.from({ length: 600 }, () => f.connect())
  await f.settle()
  const closed = f.feed.close({ drainMs: 5000 })
  t.equal(closed, f.feed.close({ drainMs: 1 }))
  await write(f, 'meanwhile')
  await f.settle(2500)
  const gone = sinks.filter(sink => sink.ended).length
  t.ok(gone > 100 && gone < 500, `spread: ${gone}`)
  const late = f.connect()
  t.match(data(late.frames[0]), { type: 'bye', reason: 'shutdown' })
  await f.settle(2600)
  await closed
  for (const sink of sinks) {
    const { reason, retryMs } = data(sink.frames.at(-1)) as { reason: string, retryMs: number }
    if (reason !== 'shutdown' || retryMs < 3000 || retryMs > 10_000 || sink.sequences[0] !== 1) t.fail(JSON.stringify(sink.frames))
  }
  await f.rules.close()
})

t.test('shutdown cuts off who does not take its goodbye', async t => {
  const f = await openFeed()
  const sink = new TestSink()
  sink.end = () => {}
  f.connect({}, sink)
  await f.settle()
  const closed = f.feed.close({ drainMs: 100 })
  await f.settle(1000)
  await closed
  t.equal(sink.destroyed, true)
  await f.rules.close()
})

t.test('operators see open streams, are told of each, and can end one', async t => {
  const told: string[] = []
  const f = await opened(t, { onConnect: ({ id }) => told.push(`+${id}`), onDisconnect: ({ id }) => told.push(`-${id}`) })
  const sink = f.connect({ clientId: 'tab', collections: ['todos'], since: '0' })
  await f.settle()
  await write(f, 'a')
  await f.settle()
  const [client] = f.feed.clients()
  const { id } = client!
  t.match(client, { userId: null, clientId: 'tab', collections: ['todos'], since: '0', cursor: /^1~e/, bytesSent: sink.bytes.length })
  t.equal(f.feed.disconnect(id), true)
  t.equal(f.feed.disconnect(id), false)
  t.strictSame([sink.destroyed, f.feed.size, told], [true, 0, [`+${id}`, `-${id}`]])
})
