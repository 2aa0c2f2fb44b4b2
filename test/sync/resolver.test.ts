import t from 'tap'
import type { Test } from 'tap'
import { openRules, pull, push, START, type RuleOptions, type Rules, type TestChange } from '../support/rules.ts'
import { resolveCollections, type Conflict, type ResolveConflict } from '../../src/collections.ts'
import { resolveConfig } from '../../src/config.ts'

const base = { title: 'base' }

/** Two edits of the same version: one that stands, and one that asks the rule. */
async function opened (t: Test, resolveConflict: ResolveConflict, options: RuleOptions = {}): Promise<Rules> {
  const rules = await openRules({ resolveConflict, ...options })
  t.teardown(() => rules.close())
  await push(rules, { changes: [{ documentId: 'a', document: base }, { documentId: 'b', document: base }] })
  await push(rules, { changes: ['a', 'b'].map((documentId, i) => ({ documentId, document: { title: 'stored' }, base: i + 1, timestamp: START + 5 })) })
  return rules
}

const mine = (rest: Partial<TestChange> = {}): TestChange => ({ documentId: 'a', document: { title: 'mine' }, base: 1, timestamp: START + 6, ...rest })

const standing = async (rules: Rules): Promise<unknown> => (await pull(rules)).changes['todos']?.find(({ documentId }) => documentId === 'a')?.document

t.test('the rule is asked with all that is known, and what it makes stands', async t => {
  const asked: Conflict[] = []
  const rules = await opened(t, async conflict => {
    asked.push(structuredClone(conflict))
    return { ...conflict.stored, also: conflict.incoming?.['title'] }
  })
  const user = { id: 'u', userId: 'u', role: 'admin' }
  const { success, results } = await push(rules, { changes: [mine()] }, { user })
  t.strictSame(asked, [{ collection: 'todos', documentId: 'a', base, stored: { title: 'stored' }, incoming: { title: 'mine' }, user }])
  t.match([success, ...results], [true, { status: 'merged', sequence: 5, document: { title: 'stored', also: 'mine' } }])
  t.strictSame(await standing(rules), { title: 'stored', also: 'mine' })
  t.strictSame((await rules.store.journal()).map(({ code, raw }) => [code, /"title":"(\w+)"/.exec(raw)?.[1]]).sort(), [['resolveConflict', 'mine'], ['resolveConflict', 'stored']])
})

t.test('what is deleted or unknown is null, and null deletes', async t => {
  const asked: Conflict[] = []
  const rules = await opened(t, conflict => {
    asked.push(structuredClone(conflict))
    return null
  })
  t.match(await push(rules, { changes: [mine()] }), { success: true, results: [{ status: 'merged', sequence: 5, document: null }] })
  const { base, ...blind } = mine({ document: { title: 'late' } })
  t.match((await push(rules, { changes: [blind] })).results, [{ status: 'conflict', sequence: 5 }])
  t.match((await push(rules, { changes: [{ ...mine({ operation: 'delete', document: null, base: 2 }), documentId: 'b' }] })).results, [{ status: 'applied', sequence: 6 }])
  t.match(asked, [{ incoming: { title: 'mine' } }, { base: null, stored: null }, { incoming: null, stored: { title: 'stored' } }])
})

t.test('the rule may choose one of the two, also by changing what it was given', async t => {
  const rules = await opened(t, ({ documentId, stored, incoming }) => documentId === 'a' ? Object.assign(stored as object, { title: 'stored' }) : incoming)
  const { results } = await push(rules, { changes: [mine(), { ...mine({ base: 2 }), documentId: 'b' }] })
  t.match(results, [{ status: 'conflict', sequence: 3 }, { status: 'applied', sequence: 5 }])
  const meddler = await opened(t, ({ stored, incoming }) => Object.assign(stored as object, incoming))
  t.match((await push(meddler, { changes: [mine()] })).results, [{ status: 'applied', sequence: 5 }])
  t.strictSame(await standing(meddler), { title: 'mine' })
})

t.test('it is not asked where nothing contradicts', async t => {
  const rules = await opened(t, () => {
    t.fail('asked')
    return null
  })
  const { results } = await push(rules, { changes: [mine({ base: 3 }), { ...mine({ document: { title: 'stored' }, base: 2 }), documentId: 'b' }] })
  t.match(results, [{ status: 'applied' }, { status: 'applied' }])
})

t.test('promise 7 (Isolated): a rule that fails or makes no document rejects that change alone, and the operator is told', async t => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const deep = (levels: number): unknown => levels === 0 ? 1 : { d: deep(levels - 1) }
  const wrong: Array<[unknown, RegExp]> = [
    [undefined, /undefined/], ['text', /string/], [[1], /array/], [{ _id: 'other' }, /another _id/], [{ f: () => {} }, /function/],
    [{ n: NaN }, /NaN/], [{ n: 1n }, /bigint/], [{ at: new Date(0) }, /class/], [{ list: [undefined] }, /undefined/], [cyclic, /too deep/], [deep(65), /too deep/],
    [{ text: 'x'.repeat(2000) }, /2011 bytes/], [{ s: '\ud800' }, /surrogate/], [JSON.parse('{"__proto__":{}}'), /__proto__/]
  ]
  for (const [returned, detail] of wrong) {
    const rules = await opened(t, () => returned as object, { limits: { documentBytes: 1500 } })
    const { success, results } = await push(rules, { changes: [mine(), { documentId: 'c', document: {} }] })
    t.match([success, ...results], [false, { status: 'rejected', error: { code: 'resolution_failed', pointer: '/changes/0', detail } }, { status: 'applied' }])
    t.strictSame(await standing(rules), { title: 'stored' })
    t.match(await rules.store.journal(), [{ status: 'rejected', code: 'resolution_failed', raw: /mine/ }])
    t.match(rules.errors, [{ message: detail }])
  }
  for (const failing of [() => { throw new Error('secret') }, async () => await Promise.reject(new Error('secret'))]) {
    const rules = await opened(t, failing)
    const { results } = await push(rules, { changes: [mine(), { documentId: 'c', document: {} }] })
    t.match(results, [{ status: 'rejected', error: { code: 'resolution_failed' } }, { status: 'applied' }])
    t.notMatch(JSON.stringify(results), /secret/)
    t.match(rules.errors, [{ message: 'secret' }])
  }
})

t.test('a document may have its id, 64 levels, and members that are undefined', async t => {
  const deep = (levels: number): object => levels === 1 ? {} : { d: deep(levels - 1) }
  const rules = await opened(t, () => ({ ...deep(64), _id: 'a', gone: undefined }))
  const { results } = await push(rules, { changes: [mine()] })
  t.match(results, [{ status: 'merged', document: { _id: 'a' } }])
  t.notOk('gone' in results[0]!.document!)
})

/** What waits for ever fails its test rather than to hang. */
async function inTime<T> (answer: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => { timer = setTimeout(resolve, 5_000, undefined) })
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer))
}

t.test('promise 7 (Isolated): a rule that never answers is given up, and until then holds up pushes of its document alone', async t => {
  const rules = await opened(t, () => new Promise(() => {}))
  const stuck = push(rules, { changes: [mine()] })
  const behind = push(rules, { changes: [mine({ document: { title: 'next' }, base: 3 })] })
  t.match((await push(rules, { changes: [{ documentId: 'b', document: { n: 1 }, base: 4 }] })).results, [{ status: 'applied', sequence: 5 }], 'another document goes on')
  rules.clock.advance(10_000)
  t.match((await inTime(stuck))?.results, [{ status: 'rejected', error: { code: 'resolution_failed' } }])
  t.match((await inTime(behind))?.results, [{ status: 'applied', sequence: 6 }])
  t.match(rules.errors, [{ message: /10000 ms/ }])
})

t.test('a rule decides again when the head moved meanwhile, so that it never overwrites what it has not seen', async t => {
  const seen: unknown[] = []
  const rules: Rules = await opened(t, async ({ documentId, stored, incoming }) => {
    seen.push(stored?.['title'])
    // Another node, which does not queue with this one.
    if (seen.length === 1) await rules.store.append({ id: '', sequence: 0, collection: 'todos', documentId, operation: 'update', document: '{"title":"moved"}', data: null, timestamp: START + 7 })
    return { title: `${String(stored?.['title'])}+${String(incoming?.['title'])}` }
  })
  t.match((await push(rules, { changes: [mine()] })).results, [{ status: 'merged', document: { title: 'moved+mine' } }])
  t.strictSame(seen, ['stored', 'moved'])
})

t.test('promise 9 (Clear): a wrong option for conflicts is named', async t => {
  const wrong: Array<[object, RegExp]> = [
    [{ conflictStrategy: 'newest' }, /^conflictStrategy must be one of last-write-wins, server-wins, client-wins, merge, not newest/],
    [{ resolveConflict: 'merge' }, /^resolveConflict must be a function/],
    [{ conflictStrategy: 'merge', resolveConflict: () => null }, /exclude each other/],
    [{ collections: { todos: { strategy: 'merge' } } }, /^collections\.todos\.strategy is no option; there are conflictStrategy, resolveConflict/],
    [{ collections: { todos: { conflictStrategy: 'x' } } }, /^collections\.todos\.conflictStrategy must be/],
    [{ collections: { todos: null } }, /^collections\.todos must be an object/],
    [{ collections: { 'my todos': {} } }, /"my todos" cannot be the name of a collection/]
  ]
  for (const [options, message] of wrong) t.throws(() => resolveConfig(options), { name: 'TypeError', message })
  const rule = (): null => null
  const { strategyOf } = resolveCollections({ resolveConflict: rule, collections: { todos: { conflictStrategy: 'merge' }, notes: {} } })
  t.strictSame(['todos', 'notes', 'toString'].map(strategyOf), ['merge', rule, rule])
  t.equal(resolveCollections({}).strategyOf('todos'), 'last-write-wins')
})
