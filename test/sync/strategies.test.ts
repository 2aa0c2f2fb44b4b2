import t from 'tap'
import type { Test } from 'tap'
import { openRules, pull, push, START, type RuleOptions, type Rules, type TestChange } from '../support/rules.ts'

async function opened (t: Test, options: RuleOptions = {}): Promise<Rules> {
  const rules = await openRules(options)
  t.teardown(() => rules.close())
  return rules
}

const base = { title: 'old', done: false, at: { place: 'here', hour: 1 } }

/** A document with sequence 1, and an edit of it by another client with sequence 2. */
async function contested (rules: Rules, stored: Partial<TestChange> = {}): Promise<void> {
  await push(rules, { changes: [{ documentId: 'a', document: base }] })
  await push(rules, { changes: [{ documentId: 'a', document: { ...base, title: 'stored' }, timestamp: START + 5, base: 1, ...stored }] }, { clientId: 'laptop' })
}

function edit (members: object, rest: Partial<TestChange> = {}): TestChange {
  return { documentId: 'a', document: { ...base, ...members }, timestamp: START + 9, base: 1, ...rest }
}

async function standing (rules: Rules): Promise<unknown> {
  return (await pull(rules)).changes['todos']?.find(({ documentId }) => documentId === 'a')?.document
}

t.test('server-wins: the version that came first stands, whatever the clocks say', async t => {
  const rules = await opened(t, { conflictStrategy: 'server-wins' })
  await contested(rules)
  const lost = await push(rules, { changes: [edit({ title: 'late' })] })
  t.match(lost, { success: false, results: [{ status: 'conflict', sequence: 2 }], conflicts: [{ serverDocument: { title: 'stored' } }] })
  t.match(await rules.store.journal(), [{ status: 'conflict', code: 'server-wins', raw: /late/ }])
  t.match((await push(rules, { changes: [edit({ title: 'knows' }, { base: 2, timestamp: 7 })] })).results, [{ status: 'applied', sequence: 3 }])
})

t.test('client-wins: the version that came last stands, whatever the clocks say, and what it beat is kept', async t => {
  const rules = await opened(t, { conflictStrategy: 'client-wins' })
  await contested(rules)
  const won = await push(rules, { changes: [edit({ title: 'slow clock' }, { timestamp: 7 })] })
  t.match(won, { success: true, results: [{ status: 'applied', sequence: 3 }] })
  t.match(await standing(rules), { title: 'slow clock' })
  t.match(await rules.store.journal(), [{ status: 'conflict', code: 'client-wins', raw: /stored/ }])
  t.equal((await rules.store.history({ collection: 'todos', documentId: 'a' }))[0]?.effectiveTime, START + 5, 'no earlier than what it stands on')
})

t.test('merge: both edits stand when they are of different paths, and nothing is lost', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await contested(rules, { document: { ...base, title: 'stored', at: { place: 'there', hour: 1 } } })
  const answer = await push(rules, { changes: [edit({ done: true, at: { place: 'here', hour: 2 } })] })
  const document = { title: 'stored', done: true, at: { place: 'there', hour: 2 } }
  t.match(answer, { success: true, results: [{ status: 'merged', sequence: 3 }] })
  t.strictSame(answer.results[0]?.document, document)
  t.notOk('conflicts' in answer)
  t.strictSame(await standing(rules), document)
  t.strictSame(await rules.store.journal(), [])
})

t.test('merge: of a path that both changed the later change stands, and the loser lies in the journal', async t => {
  for (const [timestamp, title, loser] of [[START + 4, 'stored', /mine/], [START + 6, 'mine', /stored/]] as const) {
    const rules = await opened(t, { conflictStrategy: 'merge' })
    await contested(rules)
    const answer = await push(rules, { changes: [edit({ title: 'mine', done: true }, { timestamp })] })
    t.equal(answer.results[0]?.status, title === 'mine' ? 'applied' : 'merged', 'an edit that holds all of the other one stands as it is')
    t.strictSame(await standing(rules), { ...base, title, done: true })
    t.match(await rules.store.journal(), [{ status: 'conflict', code: 'merge', raw: loser }])
  }
})

t.test('merge: what comes out may be one of the two', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await contested(rules)
  const nothingNew = await push(rules, { changes: [edit({})] })
  t.match(nothingNew, { success: false, results: [{ status: 'conflict', sequence: 2 }], conflicts: [{ serverDocument: { title: 'stored' } }] })
  const both = await push(rules, { changes: [edit({ title: 'stored', done: true })] })
  t.match(both, { success: true, results: [{ status: 'applied', sequence: 3 }] })
})

t.test('merge: without a base, with one that is compacted, and against a deletion the last write wins', async t => {
  const cases: Array<[string, (rules: Rules) => Promise<TestChange>]> = [
    ['unknown base', async rules => {
      await contested(rules)
      const { base, ...rest } = edit({ done: true })
      return rest
    }],
    ['born twice', async rules => {
      await contested(rules)
      return edit({ done: true }, { base: 0 })
    }],
    ['compacted base', async rules => {
      await contested(rules)
      await rules.store.compact()
      return edit({ done: true })
    }],
    ['a later edit against a deletion', async rules => {
      await contested(rules, { operation: 'delete', document: null })
      return edit({ done: true })
    }],
    ['a former life', async rules => {
      await contested(rules, { operation: 'delete', document: null })
      await push(rules, { changes: [edit({ title: 'reborn' }, { base: 2, timestamp: START + 6 })] })
      return edit({ done: true })
    }]
  ]
  for (const [name, prepare] of cases) {
    const rules = await opened(t, { conflictStrategy: 'merge' })
    const answer = await push(rules, { changes: [await prepare(rules)] })
    t.equal(answer.results[0]?.status, 'applied', name)
    t.strictSame(await standing(rules), { ...base, done: true }, name)
  }
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await contested(rules)
  t.match((await push(rules, { changes: [edit({}, { operation: 'delete', document: null, timestamp: START + 4 })] })).results, [{ status: 'conflict' }], 'an older deletion')
})

t.test('promise 3 (Once): a repeated merged change is told the same, and under a new message id it is a duplicate', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await contested(rules)
  const message = { id: 'm', changes: [edit({ done: true }), { documentId: 'b', document: { n: 1 } }] }
  const first = await push(rules, message)
  const document = { ...base, title: 'stored', done: true }
  t.match(first.results, [{ status: 'merged', sequence: 3, document }, { status: 'applied', sequence: 4 }])
  const again = await push(rules, message)
  t.equal(again.replayed, true)
  t.strictSame(again.results, first.results)
  const renamed = await push(rules, { changes: [edit({ done: true })] })
  t.match(renamed, { success: true, results: [{ status: 'duplicate', sequence: 3, document }] })
  await push(rules, { changes: [edit({ title: 'newer' }, { base: 3 })] })
  t.strictSame((await push(rules, message)).results, first.results, 'however much came after')
  t.equal(await rules.store.getCurrentSequence(), 5)
  await rules.store.compact()
  t.match((await push(rules, message)).results, [{ status: 'merged', sequence: 3 }, { status: 'applied', sequence: 4 }])
})

t.test('promise 4 (Safe checkpoints): a push moves the checkpoint over no entry that was not stored exactly as sent', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await contested(rules)
  const changes = [{ documentId: 'b', document: { n: 1 } }, edit({ done: true }), { documentId: 'c', document: { n: 1 } }]
  const answer = await push(rules, { id: 'm', changes, checkpoint: { global: 2 } })
  t.strictSame(answer.results.map(({ status }) => status), ['applied', 'merged', 'applied'])
  t.strictSame(answer.checkpoint, { global: 3 })
  t.strictSame((await push(rules, { id: 'm', changes, checkpoint: { global: 2 } })).checkpoint, { global: 3 })
})

t.test('a change that follows a merged one in its message edited what was sent, not what came of it', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await contested(rules)
  const second = edit({ done: true, at: { place: 'there', hour: 1 } }, { timestamp: START + 10 })
  const answer = await push(rules, { changes: [edit({ done: true }), second, edit({ done: true }, { timestamp: START + 11 })] })
  t.match(answer.results, [{ status: 'merged', sequence: 3 }, { status: 'merged', sequence: 4 }, { status: 'merged', sequence: 5 }])
  t.strictSame(await standing(rules), { ...base, title: 'stored', done: true }, 'the third took the second one back, and not the other client\'s title')
  const rest = await push(rules, { changes: [edit({ done: false, title: 'x' }, { timestamp: START + 3 }), edit({ done: false, title: 'x' }, { timestamp: START + 4 })] })
  t.match(rest.results, [{ status: 'conflict', sequence: 5 }, { status: 'conflict', sequence: 5 }])
})

t.test('a merge does not count as the client\'s own change, which it need not read back', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await contested(rules)
  const me = { clientId: 'phone' }
  await push(rules, { changes: [edit({ done: true })] }, me)
  const queued = await push(rules, { changes: [edit({ done: true, at: { place: 'there', hour: 1 } }, { timestamp: START + 10 })] }, me)
  t.match(queued.results, [{ status: 'merged', document: { title: 'stored', done: true, at: { place: 'there' } } }])
  const ofStored = await push(rules, { changes: [edit({ title: 'stored', at: { place: 'here', hour: 2 } }, { base: 2, timestamp: START + 11 })] }, me)
  t.match(ofStored.results, [{ status: 'merged', document: { title: 'stored', done: true, at: { place: 'there', hour: 2 } } }], 'an edit of what it had read before')
})

t.test('a merged document that is too large is refused, alone', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge', limits: { documentBytes: 300 } })
  const text = 'x'.repeat(150)
  await contested(rules, { document: { ...base, stored: text } })
  const answer = await push(rules, { changes: [edit({ mine: text }), { documentId: 'b', document: {} }] })
  t.match(answer.results, [{ status: 'rejected', error: { code: 'document_too_large', pointer: '/changes/0/document' } }, { status: 'applied' }])
  t.match(await rules.store.journal(), [{ status: 'rejected', code: 'document_too_large', raw: /mine/ }])
})

t.test('a merged document has a revision of its own, so that an edit of either side does not pass for one of it', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await push(rules, { changes: [{ documentId: 'a', document: { ...base, _rev: '1-base' } }] })
  const of = (rev: string, members: object, previous: string): TestChange => ({ documentId: 'a', document: { ...base, ...members, _rev: rev }, timestamp: START + 5, previousDocument: { _rev: previous } })
  await push(rules, { changes: [of('2-stored', { title: 'stored' }, '1-base')] })
  const { results: [result] } = await push(rules, { changes: [of('2-mine', { done: true }, '1-base')] })
  t.match(result, { status: 'merged', document: { title: 'stored', done: true, _rev: /^3-[0-9a-f]{32}$/ } })
  t.strictSame(await rules.store.journal(), [], 'a revision is no edit')
  const { results: [late] } = await push(rules, { changes: [of('3-late', { done: true, at: { place: 'there', hour: 1 } }, '2-mine')] })
  t.equal(late?.status, 'applied', 'by last-write-wins: nobody knows what 2-mine was')
  const { results: [next] } = await push(rules, { changes: [of('4-next', { title: 'next' }, '3-late')] })
  t.equal(next?.status, 'applied')
})

t.test('atomic: a merged change is skipped with the others, and leaves nothing in the journal', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge' })
  await contested(rules)
  const answer = await push(rules, { atomic: true, changes: [edit({ done: true, title: 'mine' }, { timestamp: START + 4 }), { documentId: 'b', document: { _id: 'x' } }] })
  t.match(answer.results, [{ status: 'skipped' }, { status: 'rejected' }])
  t.strictSame((await rules.store.journal()).map(({ documentId }) => documentId), ['b'])
})

t.test('merged documents stop at their byte limit; the statuses are all there', async t => {
  const rules = await opened(t, { conflictStrategy: 'merge', limits: { conflictBytes: 700 } })
  const ids = ['a', 'b', 'c', 'd']
  const all = (members: object, rest: object): TestChange[] => ids.map(documentId => ({ documentId, document: { text: 'x'.repeat(200), ...members }, ...rest }))
  await push(rules, { changes: all({}, {}) })
  await push(rules, { changes: ids.map((documentId, i) => ({ documentId, document: { text: 'x'.repeat(200), y: 1 }, timestamp: START + 1, base: i + 1 })) })
  const { results } = await push(rules, { changes: ids.map((documentId, i) => ({ documentId, document: { text: 'x'.repeat(200), z: 1 }, timestamp: START + 1, base: i + 1 })) })
  t.strictSame(results.map(({ status }) => status), ids.map(() => 'merged'))
  t.strictSame(results.map(result => 'document' in result), [true, true, true, false])
})

t.test('a collection has its own strategy, the others that of the server', async t => {
  const rules = await opened(t, { conflictStrategy: 'server-wins', collections: { notes: { conflictStrategy: 'client-wins' } } })
  const statuses: unknown[] = []
  for (const collection of ['todos', 'notes', 'constructor']) {
    const { results: [born] } = await push(rules, { collection, changes: [{ documentId: 'a', document: base }] })
    await push(rules, { collection, changes: [edit({ title: 'stored' }, { base: born!.sequence! })] })
    statuses.push((await push(rules, { collection, changes: [edit({ title: 'mine' }, { base: born!.sequence! })] })).results[0]?.status)
  }
  t.strictSame(statuses, ['conflict', 'applied', 'conflict'])
})

t.test('a base whose body is compacted is still known where every entry after it is the client\'s own', async t => {
  const rules = await opened(t)
  const me = { clientId: 'phone' }
  await push(rules, { changes: [{ documentId: 'a', document: base, timestamp: START + 50_000 }] })
  await push(rules, { changes: [edit({ title: '2' }, { timestamp: START + 1 })] }, me)
  await rules.store.compact()
  t.match((await push(rules, { changes: [edit({ title: '3' }, { timestamp: START + 2 })] }, me)).results, [{ status: 'applied' }], 'although its time is before that of the head')
})

t.test('deleting what was purged is done already, whatever its base', async t => {
  const rules = await opened(t)
  await contested(rules, { operation: 'delete', document: null })
  rules.clock.advance(10)
  await rules.store.compact({ tombstonesBefore: rules.clock.now(), historyBefore: rules.clock.now() })
  t.match((await push(rules, { changes: [edit({}, { operation: 'delete', document: null })] })).results, [{ status: 'applied' }])
  t.match((await push(rules, { changes: [edit({})] })).results, [{ status: 'conflict', error: { code: 'stale_base' } }])
})
