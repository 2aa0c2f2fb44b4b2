import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openRules, pull, push, type Rules, type TestPage, type TestPull } from '../support/rules.ts'

async function opened (t: Test, limits = {}): Promise<Rules> {
  const rules = await openRules({ limits })
  t.teardown(() => rules.close())
  return rules
}

/** Whatever can happen without time passing has happened. */
async function settle (): Promise<void> {
  for (let i = 0; i < 5; i++) await setImmediate()
}

/** A pull under way, and whether it is answered. */
function begin (rules: Rules, request: TestPull, signal?: AbortSignal): { answered: boolean, page: Promise<TestPage> } {
  const begun = { answered: false, page: pull(rules, request, signal) }
  begun.page.then(() => { begun.answered = true }, () => { begun.answered = true })
  return begun
}

/** Timers that are set, by how long they run. */
function watchTimers (rules: Rules): number[] {
  const timers: number[] = []
  const { clock } = rules
  const after = clock.after.bind(clock)
  clock.after = (ms, callback) => {
    timers.push(ms)
    const done = (): void => { if (timers.includes(ms)) timers.splice(timers.indexOf(ms), 1) }
    const cancel = after(ms, () => { done(); callback() })
    return () => { done(); cancel() }
  }
  return timers
}

const one = { changes: [{ documentId: 'a', document: { n: 1 } }] }

t.test('a long poll returns at once when there is something', async t => {
  const rules = await opened(t)
  await push(rules, one)
  const timers = watchTimers(rules)
  const page = await pull(rules, { waitMs: 10_000 })
  t.same([page.changes['todos']?.length, page.checkpoint, page.hasMore], [1, { global: 1 }, false])
  t.same(timers, [], 'no timer is left')
})

t.test('a long poll returns at once when more is left, be it that nothing of it is visible', async t => {
  const rules = await opened(t)
  const { read } = rules.store
  rules.store.read = async query => ({ ...await read.call(rules.store, query), rows: [], scanned: 1, head: 2 })
  t.match(await pull(rules, { waitMs: 10_000 }), { changes: {}, checkpoint: { global: 1 }, hasMore: true })
})

t.test('a long poll is woken by a push, stays asleep for one elsewhere, and hands out the checkpoint beyond it', async t => {
  const rules = await opened(t)
  const timers = watchTimers(rules)
  const waiting = begin(rules, { waitMs: 10_000 })
  await settle()
  await push(rules, { ...one, collection: 'others' })
  await settle()
  t.equal(waiting.answered, false)
  await push(rules, one)
  t.match(await waiting.page, { changes: { todos: [{ sequence: 2 }] }, checkpoint: { global: 2 } })
  t.same(timers, [])
})

t.test('promise 4 (Safe checkpoints): a long poll in vain ends after its wait, empty, with the checkpoint moved past what it may not see', async t => {
  const rules = await opened(t)
  const timers = watchTimers(rules)
  const waiting = begin(rules, { waitMs: 700 })
  await settle()
  await push(rules, { ...one, collection: 'others' })
  await settle()
  rules.clock.advance(699)
  await settle()
  t.equal(waiting.answered, false)
  rules.clock.advance(1)
  t.match(await waiting.page, { changes: {}, checkpoint: { global: 1 }, hasMore: false })
  t.same(timers, [])
})

t.test('a wait longer than the limit is lowered to it', async t => {
  const rules = await opened(t, { waitMs: 500 })
  const waiting = begin(rules, { waitMs: 3_600_000 })
  await settle()
  rules.clock.advance(500)
  t.same((await waiting.page).changes, {})
})

t.test('a signal ends a long poll: when the client leaves or the server drains, before or meanwhile', async t => {
  const rules = await opened(t)
  const timers = watchTimers(rules)
  const controller = new AbortController()
  const waiting = begin(rules, { waitMs: 10_000 }, controller.signal)
  await settle()
  t.equal(waiting.answered, false)
  controller.abort()
  t.match(await waiting.page, { changes: {}, checkpoint: { global: 0 } })
  t.match(await pull(rules, { waitMs: 10_000 }, controller.signal), { changes: {} })
  t.same(timers, [], 'no timer is left')
})

t.test('a long poll whose read fails is answered with the error and leaves nothing behind', async t => {
  const rules = await opened(t)
  const timers = watchTimers(rules)
  rules.store.read = async () => { throw new Error('gone') }
  await t.rejects(pull(rules, { waitMs: 10_000 }), { message: 'gone' })
  t.same(timers, [])
})

t.test('a lost hint costs a long poll the poll interval at most', async t => {
  const rules = await opened(t)
  const waiting = begin(rules, { waitMs: 10_000 })
  await settle()
  // As another node does whose hint is lost: nobody rings.
  await rules.store.append({ id: '', sequence: 0, collection: 'todos', documentId: 'a', operation: 'insert', document: '{}', data: null, timestamp: 1 })
  await settle()
  t.equal(waiting.answered, false)
  rules.clock.advance(1000)
  t.match(await waiting.page, { changes: { todos: [{ sequence: 1 }] } })
})

t.test('a checkpoint ahead of this node waits until the node has caught up', async t => {
  const rules = await opened(t)
  const timers = watchTimers(rules)
  const waiting = begin(rules, { checkpoint: { global: 1 } })
  await settle()
  t.equal(waiting.answered, false)
  await push(rules, one)
  t.match(await waiting.page, { changes: {}, checkpoint: { global: 1 } })
  t.same(timers, [])
})

t.test('a checkpoint that stays ahead is a resync after aheadMs, for that client alone', async t => {
  const rules = await opened(t, { aheadMs: 300 })
  const timers = watchTimers(rules)
  const waiting = begin(rules, { checkpoint: { global: 7 } })
  const legacy = begin(rules, { checkpoint: { sequences: { todos: 7 } } })
  for (const { page } of [waiting, legacy]) page.catch(() => {})
  await settle()
  rules.clock.advance(299)
  await settle()
  t.same([waiting.answered, legacy.answered], [false, false])
  rules.clock.advance(1)
  for (const { page } of [waiting, legacy]) {
    await t.rejects(page, { code: 'resync_required', facts: { reason: 'checkpoint-ahead', detail: /checkpoint 7 is beyond the head 0/ } })
  }
  t.same((await pull(rules)).checkpoint, { global: 0 })
  t.same(timers, [])
})

t.test('with an epoch nothing is waited for: the log knows at once', async t => {
  const rules = await opened(t)
  const { epoch } = await pull(rules)
  await t.rejects(pull(rules, { checkpoint: { global: 7 }, epoch }), { code: 'resync_required', facts: { reason: 'epoch-changed' } })
})

t.test('the limit is lowered to the maximum, collections beyond theirs are refused, the same one twice is one', async t => {
  const rules = await opened(t, { pullMax: 2, pullDefault: 1, collectionsPerPull: 2 })
  await push(rules, { changes: ['a', 'b', 'c'].map(documentId => ({ documentId, document: {} })) })
  t.equal((await pull(rules)).checkpoint.global, 1)
  t.equal((await pull(rules, { limit: 1000 })).checkpoint.global, 2)
  t.equal((await pull(rules, { collections: ['todos', 'todos'] })).changes['todos']?.length, 1)
  await t.rejects(pull(rules, { collections: ['a', 'b', 'c'] }), { code: 'too_large', facts: { limit: { name: 'collectionsPerPull', max: 2 } } })
})
