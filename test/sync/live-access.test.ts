import t from 'tap'
import type { Test } from 'tap'
import type { AccessOptions } from '../../src/access.ts'
import { openFeed, TestSink, wrapped, type TestFeed, type TestFeedOptions } from '../support/feed.ts'
import { push } from '../support/rules.ts'

async function opened (t: Test, options?: TestFeedOptions): Promise<TestFeed> {
  const feed = await openFeed(options)
  t.teardown(() => feed.close())
  return feed
}

const userOf = (id: string) => ({ id, userId: id })

function connect (f: TestFeed, id: string, since = '0', more: object = {}): TestSink {
  return f.connect({ user: userOf(id), since, ...more })
}

const data = (frame: { data: string } | undefined): Record<string, any> => JSON.parse(frame!.data) as Record<string, any>

async function write (f: TestFeed, documentId: string, document: object | null): Promise<void> {
  f.rules.clock.advance(1)
  await push(f.rules, { changes: [{ documentId, document: document as Record<string, unknown> | null, operation: document === null ? 'delete' : 'update', timestamp: f.rules.clock.now() }] }, { operator: true })
}

/** What came of a document, in order. */
function told (sink: TestSink, documentId: string): string[] {
  return sink.pages.flatMap(page => page.changes['todos'] ?? []).filter(change => change.documentId === documentId).map(({ operation }) => operation)
}

/** Rooms of users, which a test may change. */
function rooms (of: Record<string, string[]>): { access: AccessOptions, of: Record<string, string[]> } {
  return { of, access: { channels: (_, document) => document['rooms'] as string[], channelsOf: user => of[user.id as string]! } }
}

const owners: AccessOptions = { authorize: (user, _, operation, document) => operation === 'write' || document['owner'] === user.id }

t.test('promise 6 (Private): no frame is made for two users, however alike they are', async t => {
  for (const access of [owners, rooms({ ann: ['a'], bob: ['b'] }).access]) {
    const f = await opened(t, { access })
    const [ann, twin, bob, nobody] = [connect(f, 'ann'), connect(f, 'ann'), connect(f, 'bob'), f.connect({ since: '0' })]
    await f.settle()
    await write(f, 'mine', { owner: 'ann', rooms: ['a'] })
    await f.settle()
    t.strictSame([ann, twin, bob, nobody].map(sink => sink.sequences), [[1], [1], [], []])
    t.equal(ann.chunks.at(-1), twin.chunks.at(-1), 'streams of one user share what is made for it')
    t.notOk(bob.bytes.includes('mine') || nobody.bytes.includes('mine'))
  }
})

t.test('promise 6 (Private): users that only look alike are two', async t => {
  class Session { id = 'ann'; userId = 'ann'; #secret: string; constructor (secret: string) { this.#secret = secret }; may (text: string): boolean { return text === this.#secret } }
  const f = await opened(t, { access: { authorize: (user, _, operation, document) => operation === 'write' || (user as Session).may(document['secret'] as string) } })
  const sinks = ['x', 'y'].map(secret => f.connect({ user: new Session(secret) as never, since: '0' }))
  await f.settle()
  await write(f, 'a', { secret: 'x' })
  await f.settle()
  t.strictSame(sinks.map(sink => sink.sequences), [[1], []])
})

t.test('promise 6 (Private): a leave that a later change follows before anybody looks is a removal all the same', async t => {
  const f = await opened(t, { access: rooms({ ann: ['a'], bob: ['b'], cat: ['c'] }).access })
  await write(f, 'moves', { rooms: ['a'] })
  const [ann, bob, cat] = [connect(f, 'ann'), connect(f, 'bob'), connect(f, 'cat')]
  await f.settle()
  await write(f, 'other', { rooms: ['c'] })
  await write(f, 'moves', { rooms: ['b'] })
  await write(f, 'moves', { rooms: ['b'], again: true })
  await f.settle()
  t.strictSame([ann, bob, cat].map(sink => told(sink, 'moves')), [['insert', 'delete'], ['update'], []])
  t.strictSame(ann.sequences, [1, 3], 'where it left, as a pull would tell it')
})

t.test('promise 6 (Private): a leave is a removal also where the change that follows it is many pages later', async t => {
  const f = await opened(t, { access: rooms({ ann: ['a'], bob: ['b'] }).access })
  await write(f, 'moves', { rooms: ['a'] })
  const ann = connect(f, 'ann')
  await f.settle()
  const filler = Array.from({ length: 1500 }, (_, i) => ({ documentId: `d${i}`, document: { rooms: ['b'] }, operation: 'insert', timestamp: i }))
  const moves = { documentId: 'moves', document: { rooms: ['b'] }, operation: 'update', timestamp: f.rules.clock.now() + 1 }
  await push(f.rules, { changes: [moves, ...filler, { ...moves, document: { rooms: ['b'], again: true }, timestamp: moves.timestamp + 1 } as never] }, { operator: true })
  await f.settle(200)
  t.strictSame(told(ann, 'moves'), ['insert', 'delete'])
})

t.test('promise 5 (Live is pull): what nobody of a stream may see moves it on without a byte and without a read of the store', async t => {
  let reads = 0
  const { access, of } = rooms({})
  const f = await opened(t, { access, reading: store => wrapped(store, query => { reads++; return store.read(query) }) })
  const users = Array.from({ length: 30 }, (_, i) => `user${i}`)
  for (const user of users) of[user] = [user]
  const sinks = users.flatMap(user => [connect(f, user), connect(f, user)])
  await f.settle(100)
  const before = { reads, bytes: sinks.map(sink => sink.bytes.length) }
  await write(f, 'a', { rooms: ['user7'] })
  await write(f, 'a', { rooms: ['user8'] })
  await f.settle()
  t.strictSame(sinks.map((sink, i) => sink.bytes.length > before.bytes[i]!), users.flatMap((_, i) => [i === 7 || i === 8, i === 7 || i === 8]))
  t.ok(reads - before.reads <= 3, `${reads - before.reads} reads, those of the tail`)
  t.strictSame(f.feed.clients().map(client => client.behind), sinks.map(() => 0))
})

t.test('promise 6 (Private): rights count as they are when a batch comes, for the grant and for the revocation', async t => {
  const { access, of } = rooms({ ann: [], bob: ['a'] })
  const f = await opened(t, { access })
  const [ann, bob] = [connect(f, 'ann'), connect(f, 'bob')]
  await f.settle()
  await write(f, 'old', { rooms: ['a'] })
  await f.settle()
  of['ann'] = ['a']
  of['bob'] = []
  await write(f, 'new', { rooms: ['a'] })
  await f.settle()
  for (const sink of [ann, bob]) t.strictSame(sink.named('resync').map(frame => data(frame)['reason']), ['scope-changed'])
  t.strictSame([told(ann, 'old'), told(ann, 'new')], [['insert'], ['insert']])
  t.strictSame([told(bob, 'old'), told(bob, 'new'), bob.pages.at(-1)?.hasMore], [['insert'], [], false])
})

t.test('promise 6 (Private): what was read after somebody was asked about is shown under no answer of before', async t => {
  const { access } = rooms({})
  const asked: Array<(rooms: string[]) => void> = []
  const f = await opened(t, { access: { ...access, channelsOf: () => new Promise<string[]>(resolve => { asked.push(resolve) }) } })
  const ann = connect(f, 'ann')
  const answer = async (rooms: string[]): Promise<void> => {
    asked.splice(0).forEach(resolve => resolve(rooms))
    await f.settle(0)
  }
  for (let i = 0; i < 5; i++) {
    await f.settle()
    await answer(['a'])
  }
  await write(f, 'open', { rooms: ['a'] })
  await f.settle()
  t.equal(asked.length, 1, 'asked about that batch')
  await write(f, 'secret', { rooms: ['a'] })
  await f.settle()
  await answer(['a'])
  t.strictSame([told(ann, 'open'), told(ann, 'secret')], [['insert'], []])
  for (let i = 0; i < 5; i++) {
    await answer([])
    await f.settle()
  }
  t.notOk(ann.bytes.includes('secret'))
})

t.test('promise 6 (Private): rights that change while nothing is written take effect by the next heartbeat', async t => {
  const { access, of } = rooms({ ann: ['a'], bob: ['a'] })
  const f = await opened(t, { access, heartbeatInterval: 5000 })
  await write(f, 'a', { rooms: ['a'] })
  const [ann, bob] = [connect(f, 'ann'), connect(f, 'bob')]
  await f.settle()
  await write(f, 'b', { rooms: ['a'] })
  await f.settle()
  of['ann'] = []
  await f.settle(5300)
  t.strictSame(ann.frames.map(frame => frame.event), ['hello', 'message', 'message', 'resync', 'hello', 'message'])
  t.match(ann.pages.at(-1), { changes: {}, hasMore: false })
  t.strictSame(bob.frames.map(frame => frame.event), ['hello', 'message', 'message', 'ping'])
})

t.test('promise 4 (Safe checkpoints): every id and checkpoint says under which rights it was reached, and counts under those alone', async t => {
  const { access, of } = rooms({ ann: ['a'], bob: ['a'] })
  const f = await opened(t, { access, heartbeatInterval: 5000 })
  await write(f, 'a', { rooms: ['a'] })
  const sinks = [connect(f, 'ann'), connect(f, 'ann', 'now'), connect(f, 'bob')]
  await f.settle()
  await write(f, 'b', { rooms: ['a'] })
  await f.settle()
  await write(f, 'hidden', { rooms: ['z'] })
  await f.settle(5300)
  const scopes = sinks.map(sink => new Set(sink.frames.flatMap(({ id, data }) => [/~c([\w-]+)/.exec(id!)?.[1], (JSON.parse(data) as { checkpoint: { scope?: string } }).checkpoint.scope])))
  t.strictSame(scopes.map(set => [set.size, set.has(undefined)]), [[1, false], [1, false], [1, false]])
  t.not([...scopes[0]!][0], [...scopes[2]!][0])
  const [own, others] = [connect(f, 'ann', sinks[0]!.lastId!), connect(f, 'bob', sinks[0]!.lastId!)]
  await f.settle()
  of['ann'] = ['a', 'z']
  const changed = connect(f, 'ann', sinks[0]!.lastId!)
  await f.settle()
  t.strictSame([own, others, changed].map(sink => sink.named('resync').map(frame => data(frame)['reason'])), [[], ['scope-changed'], ['scope-changed']])
  t.strictSame(told(changed, 'hidden'), ['insert'])
})

t.test('promise 7 (Isolated): where rights cannot be told a stream stays where it is, its pings go on, others are not held up, and nothing is missed', async t => {
  const { of, access } = rooms({ ann: ['a'], bob: ['a'], cat: ['a'] })
  let broken = false
  const channelsOf = (user: { id: string }): any => {
    if (broken && user.id === 'ann') throw new Error('directory')
    return broken && user.id === 'bob' ? new Promise(() => {}) : of[user.id]
  }
  const f = await opened(t, { access: { ...access, channelsOf }, heartbeatInterval: 5000 })
  const sinks = ['ann', 'bob', 'cat'].map(id => connect(f, id))
  await f.settle()
  broken = true
  await write(f, 'a', { rooms: ['a'] })
  await f.settle(6000)
  t.strictSame(sinks.map(({ ended, sequences }) => [ended, sequences]), [[false, []], [false, []], [false, [1]]])
  t.ok(sinks.every(sink => sink.named('ping').length === 1), 'pings')
  broken = false
  await f.settle(11_000)
  t.strictSame(sinks.map(({ sequences }) => sequences), [[1], [1], [1]])
})

t.test('promise 6 (Private): a stream ends before its credential does, and one that comes too late at once', async t => {
  const f = await opened(t, { heartbeatInterval: 5000 })
  const now = f.rules.clock.now()
  const [brief, lasting, late] = [7000, Infinity, -1].map(ms => connect(f, 'ann', 'now', { expiresAt: now + ms }))
  t.strictSame([late!.frames.map(frame => data(frame)['reason']), late!.ended], [['token-expired'], true])
  await f.settle(5300)
  t.match(data(brief!.named('hello')[0]), { tokenExpiresInMs: 7000 })
  const left = data(brief!.named('ping')[0])['tokenExpiresInMs'] as number
  t.ok(left > 1000 && left < 2100, `${left} ms left`)
  t.equal(data(lasting!.named('hello')[0])['tokenExpiresInMs'], undefined)
  await write(f, 'a', {})
  await f.settle(1200)
  await write(f, 'b', {})
  await f.settle(1000)
  t.strictSame([brief!.ended, data(brief!.frames.at(-1))['reason'], brief!.sequences], [true, 'token-expired', [1, 2]])
  await write(f, 'c', {})
  await f.settle()
  t.strictSame([brief!.sequences, lasting!.sequences], [[1, 2], [1, 2, 3]])
})

t.test('promise 6 (Private): a clock that is set back lets no credential live longer', async t => {
  const f = await opened(t, { heartbeatInterval: 5000 })
  const sink = connect(f, 'ann', 'now', { expiresAt: f.rules.clock.now() + 3000 })
  await f.settle()
  f.rules.clock.now = () => f.rules.clock.time - 3_600_000
  await f.settle(3000)
  t.strictSame([sink.ended, data(sink.frames.at(-1))['reason']], [true, 'token-expired'])
})

t.test('a stream that an operator ends for its credential is told so', async t => {
  const f = await opened(t, {})
  const sink = connect(f, 'ann')
  await f.settle()
  t.equal(f.feed.disconnect(f.feed.clients()[0]!.id, 'token-revoked'), true)
  t.strictSame([data(sink.frames.at(-1))['reason'], sink.ended, f.feed.size], ['token-revoked', true, 0])
})
