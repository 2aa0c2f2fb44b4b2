import t from 'tap'
import type { Test } from 'tap'
import { openRules, pull, push, replicate, START, type Rules } from '../support/rules.ts'

async function opened (t: Test, limits = {}): Promise<Rules> {
  const rules = await openRules({ limits })
  t.teardown(() => rules.close())
  return rules
}

const task = (title: string) => ({ _id: 'a', title })

t.test('a first push is applied and moves the checkpoint of a client that was up to date', async t => {
  const rules = await opened(t)
  const answer = await push(rules, { id: 'msg-1', changes: [{ operation: 'insert', documentId: 'a', document: task('Task') }] })
  t.match(answer, {
    type: 'push-response', id: 'msg-1', success: true, checkpoint: { global: 1 }, results: [{ index: 0, documentId: 'a', status: 'applied', sequence: 1 }]
  })
  t.notOk('conflicts' in answer)
  t.same((await pull(rules)).changes, { todos: [{ operation: 'insert', documentId: 'a', document: task('Task'), timestamp: START, sequence: 1 }] })
})

t.test('an edit of the head is no conflict, whatever the clocks say', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: task('new'), timestamp: START }] })
  const byBase = await push(rules, { changes: [{ documentId: 'a', document: task('old clock'), timestamp: 5, base: 1 }] })
  t.equal(byBase.results[0]?.status, 'applied')
  await push(rules, { changes: [{ documentId: 'b', document: { _rev: '1-x' } }] })
  const byRev = await push(rules, { changes: [{ documentId: 'b', document: { _rev: '2-y' }, timestamp: 5, previousDocument: { _rev: '1-x' } }] })
  t.equal(byRev.results[0]?.status, 'applied')
  t.same((await pull(rules)).changes['todos']?.map(change => change.document), [task('old clock'), { _rev: '2-y' }])
})

t.test('a checkpoint alone proves a base only for a change that is not older than the head', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: task('stands'), timestamp: START }] })
  const older = await push(rules, { changes: [{ documentId: 'a', document: task('older'), timestamp: START - 1 }], checkpoint: { global: 1 } })
  t.equal(older.results[0]?.status, 'conflict')
  const newer = await push(rules, { changes: [{ documentId: 'a', document: task('newer'), timestamp: START + 1 }], checkpoint: { global: 1 } })
  t.equal(newer.results[0]?.status, 'applied')
})

t.test('the loser of a conflict is told what stands and lies in the journal', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: task('base') }] })
  await push(rules, { changes: [{ documentId: 'a', document: task('winner'), timestamp: START + 2, base: 1 }] })
  const lost = await push(rules, { changes: [{ documentId: 'a', document: task('loser'), timestamp: START + 1, base: 1 }] })
  t.match(lost, { success: false, results: [{ status: 'conflict', sequence: 2 }] })
  t.match(lost.conflicts, [{ documentId: 'a', serverDocument: task('winner'), serverChange: { sequence: 2 } }])
  t.match(await rules.store.journal(), [{ status: 'conflict', documentId: 'a', raw: /loser/ }])
})

t.test('a version that stood and lost lies in the journal too', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: task('base') }] })
  await push(rules, { changes: [{ documentId: 'a', document: task('beaten'), timestamp: START + 1, base: 1 }] })
  const won = await push(rules, { changes: [{ documentId: 'a', document: task('winner'), timestamp: START + 2, base: 1 }] })
  t.equal(won.results[0]?.status, 'applied')
  t.match(await rules.store.journal(), [{ status: 'conflict', documentId: 'a', raw: /beaten/ }])
})

t.test('promise 10 (Not ruled by client clocks): a clock far ahead is clamped and locks nobody out', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: task('from the year 3000'), timestamp: 32_503_680_000_000 }] })
  t.equal((await rules.store.heads([{ collection: 'todos', documentId: 'a' }]))[0]?.head?.effectiveTime, START + 60_000)
  const edit = await push(rules, { changes: [{ documentId: 'a', document: task('edit'), timestamp: START, base: 1 }] })
  t.equal(edit.results[0]?.status, 'applied', 'an edit of that version')
  rules.clock.advance(120_000)
  const blind = await push(rules, { changes: [{ documentId: 'a', document: task('blind'), timestamp: START + 119_000 }] })
  t.equal(blind.results[0]?.status, 'applied', 'a client that knows no version, two minutes later')
})

t.test('a client need not read back its own changes before it edits again', async t => {
  const rules = await opened(t)
  const me = { clientId: 'phone' }
  await push(rules, { changes: [{ documentId: 'a', document: task('1') }] }, me)
  await push(rules, { changes: [{ documentId: 'a', document: task('2'), timestamp: START + 90_000, base: 1 }] }, me)
  const third = await push(rules, { changes: [{ documentId: 'a', document: task('3'), timestamp: START + 90_001, base: 1 }] }, me)
  t.equal(third.results[0]?.status, 'applied')
  const stranger = await push(rules, { changes: [{ documentId: 'a', document: task('4'), timestamp: START, base: 1 }] }, { clientId: 'laptop' })
  t.equal(stranger.results[0]?.status, 'conflict')
})

t.test('promise 3 (Once): the same push again gets the same results and writes nothing', async t => {
  const rules = await opened(t)
  const message = {
    id: 'same',
    changes: [
      { documentId: 'a', document: task('x') },
      { documentId: 'b', document: { _id: 'other' } },
      { operation: 'delete', documentId: 'nothing there' }
    ]
  }
  const first = await push(rules, message)
  await push(rules, { changes: [{ documentId: 'a', document: task('y'), timestamp: START + 5, base: 1 }] })
  const again = await push(rules, message)
  t.equal(first.replayed, false)
  t.equal(again.replayed, true)
  t.same(again.results, first.results)
  t.equal(await rules.store.getCurrentSequence(), 2)
})

t.test('promise 3 (Once): the same push many times at once takes effect once', async t => {
  const rules = await opened(t)
  const message = { id: 'same', changes: [{ documentId: 'a', document: task('x') }] }
  const answers = await Promise.all(Array.from({ length: 20 }, () => push(rules, message)))
  for (const answer of answers) t.same(answer.results, answers[0]?.results)
  t.equal(answers.filter(({ replayed }) => !replayed).length, 1)
  t.equal(await rules.store.getCurrentSequence(), 1)
})

t.test('promise 3 (Once): a change repeated under a new message id is a duplicate of its first sequence, however much came after', async t => {
  const rules = await opened(t)
  const change = { documentId: 'a', document: { title: 'x', nested: { b: 1, a: 2 } } }
  await push(rules, { changes: [change] })
  await push(rules, { changes: [{ documentId: 'a', document: task('later'), timestamp: START + 1, base: 1 }] })
  const again = await push(rules, { changes: [{ ...change, document: { nested: { a: 2, b: 1 }, title: 'x' } }] })
  t.match(again, { success: true, results: [{ status: 'duplicate', sequence: 1 }] })
  const twice = await push(rules, { changes: [{ documentId: 'c', document: {} }, { documentId: 'c', document: {} }] })
  t.match(twice.results, [{ status: 'applied', sequence: 3 }, { status: 'duplicate', sequence: 3 }])
})

t.test('a message id of a known client is refused for other content; strangers do not share ids', async t => {
  const rules = await opened(t)
  await push(rules, { id: 'm', changes: [{ documentId: 'a', document: task('x') }] }, { clientId: 'phone' })
  await t.rejects(push(rules, { id: 'm', changes: [{ documentId: 'a', document: task('y') }] }, { clientId: 'phone' }), { code: 'id_reused' })
  t.equal((await push(rules, { id: 'm', changes: [{ documentId: 'b', document: { n: 1 } }] })).success, true)
  t.equal((await push(rules, { id: 'm', changes: [{ documentId: 'c', document: { n: 2 } }] })).success, true)
})

t.test('promise 7 (Isolated): one bad change never blocks the others', async t => {
  const rules = await opened(t, { documentBytes: 50 })
  const error = { code: 'too_deep', pointer: '/changes/1/document', detail: 'deep' } as const
  const answer = await push(rules, {
    changes: [
      { documentId: 'a', document: { _id: 'b' } },
      { documentId: 'b', document: null },
      { documentId: 'c', document: { text: 'ä'.repeat(40) } },
      { documentId: 'é'.repeat(300), document: {} },
      { documentId: 'd', document: {} }
    ],
    condemned: new Map([[1, { error, raw: '[[[[' }]])
  })
  t.match(answer.results, [
    { status: 'rejected', error: { code: 'document_id_mismatch', pointer: '/changes/0/document/_id' } },
    { status: 'rejected', error },
    { status: 'rejected', error: { code: 'document_too_large', pointer: '/changes/2/document' } },
    { status: 'rejected', error: { code: 'invalid_change', pointer: '/changes/3/documentId' } },
    { status: 'applied', sequence: 1 }
  ])
  t.equal((await rules.store.journal()).length, 4)
})

t.test('atomic: with one failure nothing is applied and the others are skipped', async t => {
  const rules = await opened(t)
  const bad = { documentId: 'b', document: { _id: 'x' } }
  const answer = await push(rules, { atomic: true, changes: [{ documentId: 'a', document: task('x') }, bad] })
  t.match(answer, { success: false, results: [{ status: 'skipped' }, { status: 'rejected' }] })
  t.equal(await rules.store.getCurrentSequence(), 0)
  const whole = await push(rules, { atomic: true, changes: [{ documentId: 'a', document: task('x') }] })
  t.equal(whole.success, true)
})

t.test('changes to one document follow each other in the order of the client\'s own counter', async t => {
  const rules = await opened(t)
  const answer = await push(rules, {
    changes: [
      { operation: 'delete', documentId: 'a', sequence: 3 },
      { operation: 'insert', documentId: 'a', document: task('1'), sequence: 1 },
      { operation: 'update', documentId: 'a', document: task('2'), sequence: 2, timestamp: 7 }
    ]
  })
  t.same(answer.results.map(({ sequence }) => sequence), [3, 1, 2])
  t.equal(answer.checkpoint.global, 3)
  t.match((await pull(rules)).changes['todos'], [{ operation: 'delete', document: null, sequence: 3 }])
})

t.test('a document that was deleted is born again by an insert; deleting what is gone writes nothing', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: task('1') }] })
  await push(rules, { changes: [{ operation: 'delete', documentId: 'a', base: 1, timestamp: START + 1 }] })
  const gone = await push(rules, { changes: [{ operation: 'delete', documentId: 'a', timestamp: START + 2 }], checkpoint: { global: 2 } })
  t.match(gone, { success: true, results: [{ status: 'applied' }] })
  t.equal(await rules.store.getCurrentSequence(), 2)
  const late = await push(rules, { changes: [{ documentId: 'a', document: task('1') }] })
  t.equal(late.results[0]?.status, 'duplicate', 'a retried old insert does not resurrect')
  await push(rules, { changes: [{ documentId: 'a', document: task('2'), base: 2, timestamp: START + 3 }] })
  t.match((await pull(rules)).changes['todos'], [{ operation: 'insert', sequence: 3 }])
})

t.test('of two deletions that did not know of each other the later one stands, so that an edit between them loses', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: task('1') }] })
  await push(rules, { changes: [{ operation: 'delete', documentId: 'a', base: 1, timestamp: START + 1 }] })
  await push(rules, { changes: [{ operation: 'delete', documentId: 'a', base: 1, timestamp: START + 3 }] })
  const edit = await push(rules, { changes: [{ documentId: 'a', document: task('2'), base: 1, timestamp: START + 2 }] })
  t.match(edit, { results: [{ status: 'conflict', sequence: 3 }], conflicts: [{ serverDocument: null }] })
})

t.test('an edit of a document that was purged is stale, an insert is not', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: task('1') }, { documentId: 'b', document: {} }] })
  await push(rules, { changes: [{ operation: 'delete', documentId: 'a', base: 1, timestamp: START + 1 }] })
  await push(rules, { changes: [{ documentId: 'b', document: { n: 1 }, base: 2 }] })
  rules.clock.advance(10)
  await rules.store.compact({ tombstonesBefore: rules.clock.now(), historyBefore: rules.clock.now() })
  const stale = await push(rules, { changes: [{ documentId: 'a', document: task('2'), base: 1 }] })
  t.match(stale.results, [{ status: 'conflict', error: { code: 'stale_base' } }])
  t.match(stale.conflicts, [{ documentId: 'a', serverDocument: null }])
  const born = await push(rules, { changes: [{ operation: 'insert', documentId: 'a', document: task('2'), base: 1 }] })
  t.equal(born.results[0]?.status, 'applied')
})

t.test('promise 4 (Safe checkpoints): a push moves the checkpoint only over its own entries', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'other', document: {} }] })
  const behind = await push(rules, { changes: [{ documentId: 'a', document: {} }], checkpoint: { global: 0 } })
  t.equal(behind.checkpoint.global, 0, 'somebody else wrote in between')
  const upToDate = await push(rules, { changes: [{ documentId: 'b', document: {} }, { documentId: 'c', document: {} }], checkpoint: { global: 2 } })
  t.equal(upToDate.checkpoint.global, 4)
  const replayed = await push(rules, { id: 'r', changes: [{ documentId: 'd', document: {} }], checkpoint: { global: 4 } })
  await push(rules, { changes: [{ documentId: 'e', document: {} }] })
  t.equal(replayed.checkpoint.global, 5)
  const [epoch] = await rules.store.epochs()
  const marks = { snapshot: 6, scope: '"x"', head: `6.${epoch!.id}` }
  const marked = await push(rules, { changes: [{ documentId: 'f', document: {} }], checkpoint: { ...marks, global: 6 } })
  t.equal(JSON.stringify(marked.checkpoint), JSON.stringify({ global: 7, ...marks }), 'and leaves its marks as they were')
})

t.test('promise 2 (Ordered): nobody is told of an entry before its commit has returned', async t => {
  const rules = await opened(t)
  const told: number[] = []
  t.teardown(rules.bell.listen(() => {
    // The log as whoever wakes now would read it.
    rules.store.getCurrentSequence().then(sequence => told.push(sequence), t.threw)
  }))
  await push(rules, { changes: [{ documentId: 'a', document: {} }] })
  await push(rules, { changes: [{ documentId: 'b', document: {} }] })
  await new Promise(resolve => setImmediate(resolve))
  t.ok(told.length >= 2)
  t.equal(told[0], 1, 'the first hint finds the first entry')
  t.notOk(told.includes(0))
})

t.test('a checkpoint that this log did not hand out is a resync before anything is written', async t => {
  const rules = await opened(t)
  const change = { documentId: 'a', document: {} }
  await t.rejects(push(rules, { changes: [change], checkpoint: { global: 0 }, epoch: 'unknown' }).then(() => push(rules, { changes: [change], checkpoint: { global: 1 }, epoch: 'unknown' })),
    { code: 'resync_required', facts: { reason: 'epoch-changed' } })
  t.equal(await rules.store.getCurrentSequence(), 1)
  const waiting = push(rules, { changes: [{ documentId: 'b', document: {} }], checkpoint: { global: 9 } })
  const refused = t.rejects(waiting, { code: 'resync_required', facts: { reason: 'checkpoint-ahead' } })
  for (let i = 0; i < 5; i++) {
    await new Promise(resolve => setImmediate(resolve))
    rules.clock.advance(1000)
  }
  await refused
})

t.test('clients with positions per collection get them back, and are told what stands against a refused change', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: { _rev: '1-a', n: 1 } }] })
  const checkpoint = { id: 'cp', sequences: { todos: 0 }, timestamp: START, nodeId: 'n' }
  const answer = await push(rules, { checkpoint, changes: [{ documentId: 'a', document: { _id: 'wrong' } }, { documentId: 'ghost', document: { _id: 'wrong' } }] })
  t.same(answer.checkpoint, checkpoint)
  t.match(answer.conflicts, [
    { documentId: 'a', serverDocument: { _rev: '1-a', n: 1 } },
    { documentId: 'ghost', serverDocument: { _id: 'ghost', _deleted: true } }
  ])
  const repeated = await push(rules, { checkpoint, changes: [{ documentId: 'a', document: { _rev: '1-a', n: 1 }, timestamp: START + 9 }] })
  t.match(repeated.results, [{ status: 'duplicate', sequence: 1 }], 'equal _rev with equal content')
})

t.test('too many changes are refused as a whole', async t => {
  const rules = await opened(t, { changesPerPush: 1 })
  await t.rejects(push(rules, { changes: [{ documentId: 'a', document: {} }, { documentId: 'b', document: {} }] }), { code: 'too_large', facts: { limit: { name: 'changesPerPush', max: 1 } } })
})

t.test('conflicts stop at their byte limit; the statuses are all there', async t => {
  const rules = await opened(t, { conflictBytes: 600 })
  const changes = ['a', 'b', 'c', 'd'].map(documentId => ({ documentId, document: { text: 'x'.repeat(200) }, timestamp: START + 9 }))
  await push(rules, { changes })
  const lost = await push(rules, { changes: changes.map(change => ({ ...change, timestamp: START })) })
  t.equal(lost.results.filter(({ status }) => status === 'conflict').length, 4)
  t.ok(lost.conflicts!.length >= 1 && lost.conflicts!.length < 4)
})

t.test('what is pushed is what a replica holds', async t => {
  const rules = await opened(t)
  const documents = Array.from({ length: 25 }, (_, i) => ({ documentId: `d${i}`, document: { _id: `d${i}`, n: null, list: [[1, [2]]], text: 'Ünïcode 🙂 \u0000', number: 1e-7 } }))
  await push(rules, { changes: documents })
  const replica = await replicate(rules, { limit: 7 })
  t.equal(replica.pages, 4)
  for (const { documentId, document } of documents) t.same(JSON.parse(replica.documents.get(`todos/${documentId}`)!), document)
})
