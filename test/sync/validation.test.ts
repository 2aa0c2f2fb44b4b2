import { Type } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import { resolveCollections, type CollectionOptions } from '../../src/collections.ts'
import { openRules, push, START, type RuleOptions, type Rules, type TestChange } from '../support/rules.ts'

const Todo = Type.Object({
  title: Type.String({ minLength: 1, maxLength: 20 }),
  done: Type.Optional(Type.Boolean()),
  due: Type.Optional(Type.String({ format: 'date' })),
  state: Type.Optional(Type.Union([Type.Literal('open'), Type.Literal('closed')])),
  tags: Type.Optional(Type.Array(Type.Object({ name: Type.String() })))
}, { additionalProperties: false })

async function opened (t: Test, validate: NonNullable<CollectionOptions['validate']>, options: RuleOptions = {}): Promise<Rules> {
  const rules = await openRules({ collections: { todos: { validate } }, ...options })
  t.teardown(() => rules.close())
  return rules
}

const put = (document: Record<string, unknown>, more: Partial<TestChange> = {}): TestChange => ({ documentId: 'a', document, ...more })

async function errorOf (rules: Rules, change: TestChange): Promise<unknown> {
  const [result] = (await push(rules, { changes: [change] })).results!
  return result!.status === 'rejected' ? [result!.error!.code, result!.error!.pointer, result!.error!.detail] : result!.status
}

t.test('promise 9 (Clear): a document that its collection does not take is refused with the place and the reason, the others go on', async t => {
  const rules = await opened(t, Todo)
  const answer = await push(rules, { changes: [put({ title: 'fine' }), put({ title: '' }, { documentId: 'b' }), put({ title: 'fine too' }, { documentId: 'c' })] })
  t.match(answer.results, [{ status: 'applied' }, { status: 'rejected', error: { code: 'validation_failed', pointer: '/changes/1/document/title' } }, { status: 'applied' }])
  t.match(await rules.store.journal(), [{ code: 'validation_failed', documentId: 'b' }])
  t.strictSame(await errorOf(rules, put({ title: 'x', color: 'red' })), ['validation_failed', '/changes/0/document', 'has a member that the schema does not know: color'])
  t.match(await errorOf(rules, put({})), ['validation_failed', '/changes/0/document', /title/])
  t.match(await errorOf(rules, put({ title: 'x', tags: [{ name: 'a' }, { name: 1 }] })), ['validation_failed', '/changes/0/document/tags/1/name', /string/])
  t.match(await errorOf(rules, put({ title: 'x', due: 'tomorrow' })), ['validation_failed', '/changes/0/document/due', /date/])
  t.match(await errorOf(rules, put({ title: 7 as never })), ['validation_failed', '/changes/0/document/title', /string/], 'nothing is coerced')
  t.equal(await errorOf(rules, { documentId: 'a', operation: 'delete', document: null, base: 1, timestamp: START + 1 }), 'applied', 'a deletion has no document')
  t.match((await push(rules, { collection: 'other', changes: [put({ any: 'thing' })] })).results, [{ status: 'applied' }])
})

t.test('a function is asked with the version that stands, sync or async, and says what is wrong in its own words', async t => {
  const asked: unknown[] = []
  const rules = await opened(t, async (document, previous) => {
    asked.push([document['n'], previous?.['n'] ?? null])
    if (previous !== null && document['n'] < previous['n']) return { pointer: '/n', detail: 'only ever grows' }
    if (document['n'] > 100) return ['is too much', 'by far']
    Object.assign(document as object, { n: 0 })
  })
  t.equal(await errorOf(rules, put({ n: 5 })), 'applied')
  t.strictSame(await errorOf(rules, put({ n: 4 }, { base: 1 })), ['validation_failed', '/changes/0/document/n', 'only ever grows'])
  t.strictSame(await errorOf(rules, put({ n: 101 }, { base: 1 })), ['validation_failed', '/changes/0/document', 'is too much'])
  await push(rules, { changes: [put({ n: 6 }, { base: 1 }), put({ n: 7 })] })
  t.strictSame(asked, [[5, null], [4, 5], [101, 5], [6, 5], [7, 6]])
  t.match(await rules.store.getSince(0), [{ document: '{"n":5}' }, { document: '{"n":6}' }, { document: '{"n":7}' }], 'it alters nothing')
})

t.test('promise 7 (Isolated): a rule that throws, answers nonsense or never condemns one change, and tells the client nothing of why', async t => {
  const rules = await opened(t, document => {
    if (document['n'] === 1) throw new Error('secret of the rule')
    if (document['n'] === 2) return 42 as never
    return document['n'] === 3 ? new Promise<void>(() => {}) : undefined
  })
  const answering = push(rules, { changes: [1, 2, 3, 4].map(n => put({ n }, { documentId: `d${n}` })) })
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
  rules.clock.advance(10_000)
  const answer = await answering
  t.match(answer.results!.map(({ status }) => status), ['rejected', 'rejected', 'rejected', 'applied'])
  t.notMatch(JSON.stringify(answer), /secret of the rule/)
  t.equal(rules.errors.length, 3)
})

t.test('what a merge makes is held to the same schema', async t => {
  const rules = await opened(t, (document) => document['from'] > document['to'] ? 'ends before it begins' : undefined, { conflictStrategy: 'merge' })
  await push(rules, { changes: [put({ from: 1, to: 9 })] })
  await push(rules, { changes: [put({ from: 8, to: 9 }, { base: 1 })] })
  t.strictSame(await errorOf(rules, put({ from: 1, to: 2 }, { base: 1 })), ['validation_failed', '/changes/0/document', 'ends before it begins'])
})

t.test('channels that cannot be kept condemn the change', async t => {
  const wrong = [() => { throw new Error('no') }, () => 'todos', () => [''], () => [1], () => ['x'.repeat(257)], () => Array.from({ length: 101 }, (_, i) => String(i))]
  for (const channels of wrong) {
    const rules = await openRules({ channels: channels as never, channelsOf: () => [] })
    t.teardown(() => rules.close())
    const user = { id: 'ada', userId: 'ada' }
    t.match((await push(rules, { changes: [put({})] }, { user })).results, [{ status: 'rejected', error: { code: 'validation_failed' } }], String(channels))
    t.equal(rules.errors.length, 1)
  }
})

t.test('a schema that would guard nothing is refused when the server is made', t => {
  for (const validate of [{ type: 'objekt' }, { propertys: {} }, { type: 'object', properties: { a: { type: 'string', format: 'no such' } } }, 7, null, []]) {
    t.throws(() => resolveCollections({ collections: { todos: { validate: validate as object } } }), { name: 'TypeError', message: /collections\.todos\.validate/ }, JSON.stringify(validate))
  }
  const strict = resolveCollections({ collections: { todos: { validate: { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', unevaluatedProperties: false, properties: { a: {} } } } } })
  t.match(strict.validatorOf('todos')!({ b: 1 }, null), { detail: /unevaluated/ })
  t.equal(strict.validatorOf('__proto__'), null)
  t.end()
})
