import t, { type Test } from 'tap'
import { resolveConfig } from '../../src/config.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { PlainChangeStore } from '../../src/changelog/plain.ts'
import { newPush, put, type Change } from '../../src/conformance/changelog/harness.ts'
import { quiet } from '../../src/config.ts'
import { fileAll } from '../../src/sync/filing.ts'
import { policyOf } from '../../src/sync/housekeeping.ts'
import { ArrayLog } from '../support/own-logs.ts'
import { openRules, pull, push, type RuleOptions, type Rules, type TestPage } from '../support/rules.ts'

const ann = { id: 'ann', userId: 'ann' }
const bob = { id: 'bob', userId: 'bob' }

async function opened (t: Test, options: RuleOptions): Promise<Rules> {
  const rules = await openRules(options)
  t.teardown(() => rules.close())
  return rules
}

async function write (rules: Rules, documentId: string, document: Record<string, unknown>): Promise<void> {
  rules.clock.advance(1)
  await push(rules, { changes: [{ documentId, document, timestamp: rules.clock.now() }] }, { operator: true })
}

/** Versions of documents by the shortest way there is. */
async function fill (rules: Rules, changes: Change[]): Promise<void> {
  for (let i = 0; i < changes.length; i += 1000) await rules.store.commit(newPush(changes.slice(i, i + 1000)))
}

const told = (page: TestPage): string[] => (page.changes['todos'] ?? []).map(({ operation, documentId }) => `${operation} ${documentId}`)

const channels = (_: string, document: Record<string, any>): string[] => document['rooms']

t.test('promise 5 (Live is pull): rights that come while a page is made show nothing that was overwritten before them', async t => {
  let version = 1
  let owners = ['ann']
  let during: () => Promise<void> = async () => {}
  const rules = await opened(t, {
    accessVersion: () => version,
    async authorize (_user, _collection, operation, document) {
      if (operation === 'read') await during()
      return operation === 'write' || owners.includes(document['owner'] as string)
    }
  })
  await write(rules, 'a', { owner: 'bob' })
  during = async () => {
    during = async () => {}
    await write(rules, 'a', { owner: 'cat' })
    version = 2
    owners = ['bob']
  }
  await t.rejects(pull(rules, { user: ann }), { code: 'access_unavailable', status: 503 })
  t.strictSame(rules.errors, [], 'no rule has failed')
  t.same(told(await pull(rules, { user: ann })), ['delete a'], 'in the next page it stands as it is')
})

t.test('promise 6 (Private): while the application cannot say what a user may see, nothing is shown, nothing removed, and the operator is told', async t => {
  const wrong = new Map<string, () => unknown>([
    ['throws', () => { throw new Error('database down') }],
    ['rejects', async () => await Promise.reject(new Error('database down'))],
    ['nothing', () => undefined],
    ['no array', () => 'red'],
    ['no strings', () => ['red', 7]],
    ['an empty name', () => ['']],
    ['a long name', () => ['ü'.repeat(129)]],
    ['too many', () => Array.from({ length: 1001 }, (_, n) => String(n))]
  ])
  for (const [title, answer] of wrong) {
    for (const rule of ['channelsOf', 'accessVersion'] as const) {
      if (rule === 'accessVersion' && title === 'no array') continue
      let asked: () => unknown = () => rule === 'channelsOf' ? ['red'] : 1
      const rules = await opened(t, { channels, channelsOf: () => ['red'], [rule]: () => asked() })
      await write(rules, 'a', { rooms: ['red'] })
      const { checkpoint } = await pull(rules, { user: ann })
      await write(rules, 'a', { rooms: ['red'], n: 2 })
      asked = answer
      await t.rejects(pull(rules, { user: ann, checkpoint }), { code: 'access_unavailable', status: 503 }, `${rule}: ${title}`)
      t.equal(rules.errors.length, 1)
      asked = () => rule === 'channelsOf' ? ['red'] : 1
      t.same(told(await pull(rules, { user: ann, checkpoint })), ['update a'])
    }
  }
})

t.test('promise 6 (Private): a rule that never answers is waited for no longer than authorizeMs', async t => {
  const never = (): Promise<any> => new Promise(() => {})
  for (const options of [{ channels, channelsOf: never }, { accessVersion: never }, { authorize: never }]) {
    const rules = await opened(t, options)
    await write(rules, 'a', { rooms: ['red'] })
    const answer = pull(rules, { user: ann })
    const ended = answer.then(page => told(page), ({ code }) => code)
    const state = { settled: false }
    ended.finally(() => { state.settled = true }).catch(() => {})
    while (!state.settled) {
      rules.clock.advance(1000)
      await new Promise(resolve => { setImmediate(resolve) })
    }
    t.same(await ended, 'authorize' in options ? [] : 'access_unavailable')
  }
})

t.test('promise 6 (Private): a checkpoint is worth something only to the user, the channels, the version and the filing that it was made under', async t => {
  const rights = { rooms: ['red', 'blue'], version: 1 as number | string }
  const rules = await opened(t, { channels, channelsOf: () => rights.rooms, accessVersion: () => rights.version })
  await write(rules, 'a', { rooms: ['red'] })
  const { checkpoint } = await pull(rules, { user: ann })
  const same = async (more = {}) => await pull(rules, { user: ann, checkpoint, ...more }).then(() => true, ({ facts }) => facts.reason)
  t.equal(await same(), true)
  t.equal(await same({ user: { ...ann } }), true)
  rights.rooms = ['blue', 'red', 'blue']
  t.equal(await same(), true, 'a set has no order')
  t.equal(await same({ user: bob }), 'scope-changed')
  t.equal(await same({ checkpoint: { global: 1 } }), 'scope-changed')
  t.equal(await same({ checkpoint: { sequences: { todos: 1 } } }), 'scope-changed')
  rights.rooms = ['blue']
  t.equal(await same(), 'scope-changed')
  rights.rooms = ['red', 'blue']
  rights.version = 2
  t.equal(await same(), 'scope-changed')
  rights.version = '1'
  t.equal(await same(), 'scope-changed')
  t.match(await pull(rules, { user: ann, checkpoint: { global: 0 } }), { hasMore: false })
  rights.version = 1
  await fileAll(rules.store, () => ['blue'], quiet)
  const again = await opened(t, { channels, channelsOf: () => rights.rooms, accessVersion: () => 1, store: rules.store })
  await t.rejects(pull(again, { user: ann, checkpoint }), { code: 'resync_required' }, 'the documents are filed otherwise')
})

t.test('promise 4 (Safe checkpoints): a reader of little among much that is hidden gets on with every page, and never to a page without end', async t => {
  let asked = 0
  const authorize = (user: { id: string }, _: string, __: string, document: Record<string, any>): boolean => {
    asked++
    return document['value'] === user.id
  }
  const rules = await opened(t, { authorize })
  await fill(rules, Array.from({ length: 25_001 }, (_, n) => put(`${n}`, n % 5000 === 0 ? 'ann' : 'others')))
  const seen: string[] = []
  for (let checkpoint = { global: 0 } as TestPage['checkpoint'], pages = 1; ; pages++) {
    asked = 0
    const page = await pull(rules, { user: ann, checkpoint })
    t.ok(asked <= 11_000, `${asked} questions in a page`)
    seen.push(...told(page))
    if (!page.hasMore) {
      t.same([pages, page.checkpoint], [3, { global: 25_001 }])
      break
    }
    t.ok(page.checkpoint.global! > checkpoint.global!)
    checkpoint = page.checkpoint
  }
  t.same(seen, [0, 5000, 10_000, 15_000, 20_000, 25_000].map(n => `insert ${n}`))
})

t.test('promise 7 (Isolated): a document of ten thousand hidden versions holds up nobody', async t => {
  const rules = await opened(t, { authorize: (user, _, __, document) => document['value'] === user.id })
  await fill(rules, [put('long', 'ann'), ...Array.from({ length: 10_000 }, (_, n) => put('long', 'others', { expected: n < 999 ? 1 : Math.floor((n + 1) / 1000) * 1000 }))])
  let turns = 0
  let done = false
  const turn = (): void => { if (!done) { turns++; setImmediate(turn) } }
  turn()
  const page = await pull(rules, { user: ann })
  done = true
  t.same(told(page), ['delete long'])
  t.ok(turns > 50, `others had ${turns} turns`)
  t.same(told(await pull(rules, { user: bob })), [])
})

t.test('promise 7 (Isolated): a rule that is slow about each of many versions is given up after a minute, and the operator is told', async t => {
  let slow = (): void => {}
  const rules = await opened(t, { authorize: (_user, _collection, operation) => { slow(); return operation === 'write' } })
  for (let n = 0; n < 30; n++) await write(rules, 'a', { n })
  slow = () => { rules.clock.advance(5000) }
  await t.rejects(pull(rules, { user: ann }), { code: 'access_unavailable', status: 503 })
  t.match(rules.errors, [/authorize did not answer about the versions of one document within 60000 ms/])
})

t.test('promise 6 (Private): what a rule throws denies, for the deletion too, and the others of the page are shown', async t => {
  const rules = await opened(t, { authorize: (_, __, ___, document) => document['owner'].id === 'ann' })
  await write(rules, 'broken', { n: 1 })
  await write(rules, 'mine', { owner: { id: 'ann' } })
  await push(rules, { changes: [{ operation: 'delete', documentId: 'broken', document: null, timestamp: rules.clock.now() + 1 }] }, { operator: true })
  t.same(told(await pull(rules, { user: ann })), ['insert mine'])
  t.same(told(await pull(rules)), [], 'nobody may see nothing')
  t.ok(rules.errors.length > 0)
})

t.test('promise 4 (Safe checkpoints): a long poll waits on while others change what its user may not see, and ends behind it', async t => {
  const rules = await opened(t, { authorize: (user, _, __, document) => document['owner'] === user.id })
  await write(rules, 'mine', { owner: 'ann' })
  const { checkpoint } = await pull(rules, { user: ann })
  const inVain = pull(rules, { user: ann, checkpoint, waitMs: 20_000 })
  await write(rules, 'hidden', { owner: 'bob' })
  const woken = pull(rules, { user: ann, checkpoint, waitMs: 25_000 })
  for (let i = 0; i < 30; i++) {
    rules.bell.ring()
    await new Promise(resolve => { setImmediate(resolve) })
  }
  rules.clock.advance(20_000)
  t.match(await inVain, { changes: {}, checkpoint: { global: 2 }, hasMore: false })
  await write(rules, 'mine', { owner: 'ann', n: 2 })
  rules.bell.ring()
  t.same(told(await woken), ['update mine'])
})

t.test('promise 6 (Private): with authorize superseded versions are kept as long as deletions', async t => {
  const authorize = (): boolean => true
  const retention = { history: 1, tombstones: 50 }
  t.equal(resolveConfig({ authorize, retention }).retention.history, 50)
  t.equal(resolveConfig({ retention }).retention.history, 1)
  const { historyBefore, tombstonesBefore } = policyOf(resolveConfig({ authorize, historyRetention: 90, tombstoneRetention: 50 }).retention, 100)
  t.same([historyBefore, tombstonesBefore], [10, 10])
})

t.test('promise 6 (Private): channels need a log that files documents; over a log of seven methods authorize lets no removal rest on versions that are gone', async t => {
  const log = new ArrayLog()
  await t.rejects(fileAll(new PlainChangeStore(log), channels, quiet), { name: 'TypeError', message: /channels need a change log that files documents/ })
  await fileAll(new MemoryChangeLog(), channels, quiet)
  const authorize: RuleOptions['authorize'] = (user, _, __, document) => document['owner'] === user.id
  const rules = await openRules({ authorize, store: new PlainChangeStore(log) })
  await write(rules, 'a', { owner: 'ann' })
  const { checkpoint, epoch } = await pull(rules, { user: ann })
  await write(rules, 'a', { owner: 'bob' })
  await rules.close()
  const whole = await openRules({ authorize, store: new PlainChangeStore(log) })
  t.same(told(await pull(whole, { user: ann, checkpoint, epoch })), ['delete a'])
  await whole.close()
  log.rows.shift()
  const compacted = await opened(t, { authorize, store: new PlainChangeStore(log) })
  await t.rejects(pull(compacted, { user: ann, checkpoint, epoch }), { code: 'resync_required', facts: { reason: 'compacted' } })
  t.match(await pull(compacted, { user: ann }), { changes: {}, checkpoint: { global: 2 } })
})
