import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Authorize, User } from '../../src/access.ts'
import { openRules, push, START, type RuleOptions, type Rules, type TestChange } from '../support/rules.ts'

const userOf = (id: string): User => ({ id, userId: id })
const ada = { user: userOf('ada') }
const bob = { user: userOf('bob') }

/** The guide's rule, in short. */
const owner: Authorize = (user, _collection, _operation, document) => document['owner'] === user.id

const doc = (by: string, more: object = {}): Record<string, unknown> => ({ owner: by, secret: `secret of ${by}`, ...more })
const of = (by: string, more: Partial<TestChange> = {}): TestChange => ({ documentId: 'a', document: doc(by), ...more })

async function opened (t: Test, options: RuleOptions = { authorize: owner }): Promise<Rules> {
  const rules = await openRules(options)
  t.teardown(() => rules.close())
  return rules
}

async function headOf (rules: Rules, documentId = 'a'): Promise<{ document: string | null, userId: string | null } | null> {
  const [answer] = await rules.store.heads([{ collection: 'todos', documentId }])
  return answer!.head === null ? null : (await rules.store.entries([answer!.head.sequence]))[0]!
}

t.test('promise 6 (Private): a rule is asked once about each version that exists, the stored and the new one, never about null', async t => {
  const asked: unknown[] = []
  const rules = await opened(t, {
    authorize (user, collection, operation, document) {
      asked.push([user.id, collection, operation, document['n']])
      return true
    }
  })
  const write = async (change: Partial<TestChange>): Promise<unknown[]> => {
    asked.length = 0
    t.match(await push(rules, { changes: [{ documentId: 'a', ...change }] }, ada), { success: true })
    return asked.filter(([, , operation]: any) => operation === 'write').map(([, , , n]: any) => n)
  }
  t.strictSame(await write({ document: { n: 1 } }), [1])
  t.strictSame(await write({ document: { n: 2 }, base: 1 }), [1, 2])
  t.strictSame(await write({ operation: 'delete', document: null, base: 2 }), [2])
  t.strictSame(await write({ operation: 'delete', document: null, base: 3, timestamp: START + 1 }), [], 'nothing stands')
  t.strictSame(await write({ operation: 'insert', document: { n: 4 }, base: 3, timestamp: START + 2 }), [4])
})

t.test('promise 6 (Private): nobody takes over, deletes or learns of a document that is not theirs', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [of('ada')] }, ada)
  const attempts: TestChange[] = [
    of('bob'), of('bob', { operation: 'insert' }), of('bob', { base: 1 }), of('bob', { timestamp: START + 50_000 }), of('ada'),
    { documentId: 'a', operation: 'delete', document: null }, { documentId: 'a', operation: 'delete', document: null, base: 1, timestamp: START + 50_000 }
  ]
  const unknown = await push(rules, { changes: [of('ada', { documentId: 'nowhere' })] }, bob)
  const { documentId: _, ...refusal } = unknown.results![0] as { documentId: string }
  for (const change of attempts) {
    const answer = await push(rules, { changes: [change] }, bob)
    const { documentId: _, ...result } = answer.results![0] as { documentId: string }
    t.strictSame(result, refusal, 'as of a document that nobody has')
    t.equal(answer.conflicts, undefined)
  }
  t.match(await headOf(rules), { userId: 'ada', document: JSON.stringify(doc('ada')) })
})

t.test('promise 6 (Private): who guesses a change that they may not see is not told that it was made', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [of('ada', { document: doc('ada', { vote: 'yes' }) })] }, ada)
  const guess = await push(rules, { changes: [of('ada', { document: doc('ada', { vote: 'yes' }) })] }, bob)
  t.match(guess.results, [{ status: 'rejected', error: { code: 'write_forbidden' } }])
})

t.test('promise 6 (Private): an insert onto an id that its sender does not see is refused, also where they may write it', async t => {
  const rules = await opened(t, { authorize: (user, _c, operation, document) => operation === 'write' || document['owner'] === user.id })
  await push(rules, { changes: [of('ada')] }, ada)
  t.match((await push(rules, { changes: [of('bob', { operation: 'insert', timestamp: START + 1 })] }, bob)).results, [{ status: 'rejected', error: { code: 'write_forbidden' } }])
  t.match((await push(rules, { changes: [of('bob', { timestamp: START + 2 })] }, bob)).results, [{ status: 'applied' }], 'an update is what the rule says')
})

t.test('promise 6 (Private): conflict answers hold only what their reader may see', async t => {
  const rules = await opened(t, { authorize: (user, _c, operation, document) => operation === 'write' || document['owner'] === user.id })
  await push(rules, { changes: [of('ada', { timestamp: START + 9 }), of('bob', { documentId: 'b', timestamp: START + 9 }), of('ada', { documentId: 'c', timestamp: START + 9 })] }, ada)
  await push(rules, { changes: [{ documentId: 'c', operation: 'delete', document: null, base: 3, timestamp: START + 9 }] }, ada)
  const changes = ['a', 'b', 'c'].map(documentId => of('bob', { documentId, timestamp: START + 1 }))
  const answer = await push(rules, { changes }, bob)
  t.match(answer.results!.map(({ status }) => status), ['conflict', 'conflict', 'applied'], 'of a deletion that he never saw nothing is told')
  t.strictSame(answer.conflicts!.map(({ documentId }) => documentId), ['b'])
  const legacy = await push(rules, { id: 'other', changes, checkpoint: { sequences: {} } as never }, bob)
  t.strictSame(legacy.conflicts!.map(({ serverDocument }) => (serverDocument as { _deleted?: true })._deleted ?? false), [true, false])
  t.strictSame([legacy.conflicts![0]!.serverChange, (legacy.conflicts![0]!.serverDocument as { _rev: string })._rev], [undefined, '1-0'])
  t.notMatch(JSON.stringify([answer, legacy]), /secret of ada/)
})

t.test('promise 6 (Private): what a merge or a rule for conflicts makes is asked about like any other version', async t => {
  const rules = await opened(t, { resolveConflict: ({ stored }) => ({ ...stored, united: true }), authorize: (user, _c, operation, document) => document['owner'] === user.id || (operation === 'write' && document['shared'] === true) })
  await push(rules, { changes: [of('ada', { document: doc('ada', { shared: true }) })] }, ada)
  await push(rules, { changes: [of('ada', { document: doc('ada', { shared: true, n: 1 }), base: 1 })] }, ada)
  const hidden = await push(rules, { changes: [of('bob', { document: doc('bob'), base: 1 })] }, bob)
  t.strictSame([hidden.results![0]!.status, 'document' in hidden.results![0]!], ['merged', false], 'made, and not theirs to see')
  const strict = await opened(t, { authorize: owner, resolveConflict: () => ({ owner: 'carl' }) })
  await push(strict, { changes: [of('bob'), of('bob', { document: doc('bob', { n: 1 }) })] }, bob)
  t.match((await push(strict, { changes: [of('bob', { document: doc('bob', { n: 2 }), base: 1 })] }, bob)).results, [{ status: 'rejected', error: { code: 'write_forbidden' } }])
})

t.test('promise 4 (Safe checkpoints): a push moves the checkpoint over nothing that its sender may not see', async t => {
  const rules = await opened(t, { authorize: (user, _c, operation, document) => operation === 'write' || document['owner'] === user.id })
  const answer = await push(rules, { changes: [of('bob'), of('ada', { documentId: 'b' }), of('bob', { documentId: 'c' })] }, bob)
  t.strictSame(answer.checkpoint, { global: 1 })
  const deletion = await push(rules, { changes: [{ documentId: 'a', operation: 'delete', document: null, base: 1 }], checkpoint: { global: 3, scope: 'x' } }, bob)
  t.strictSame(deletion.checkpoint, { global: 3, scope: 'x' })
})

t.test('promise 6 (Private): what a rule throws, answers too late or answers otherwise than true denies', async t => {
  const wrong: Record<string, Authorize> = {
    throws () { throw new Error('secret of the rule') },
    rejects: async () => { throw new Error('secret of the rule') },
    'a text': () => 'yes' as never,
    nothing: () => undefined as never,
    'an object': async () => ({}) as never,
    never: () => new Promise(() => {})
  }
  for (const [name, authorize] of Object.entries(wrong)) {
    const rules = await opened(t, { authorize })
    const answering = push(rules, { changes: [of('ada')] }, ada)
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
    rules.clock.advance(10_000)
    const answer = await answering
    t.match(answer.results, [{ status: 'rejected', error: { code: 'write_forbidden' } }], name)
    t.notMatch(JSON.stringify(answer), /secret of the rule/)
    t.equal(rules.errors.length, /throws|rejects|never/.test(name) ? 1 : 0, `${name}: told to the operator`)
  }
})

t.test('a rule can alter nothing, and binds neither the operator nor anybody where there is none', async t => {
  const rules = await opened(t, { authorize: (user, _c, _o, document) => Object.assign(document as object, { owner: user.id }) !== undefined })
  await push(rules, { changes: [of('ada')] }, bob)
  t.match(await headOf(rules), { document: JSON.stringify(doc('ada')) })
  const strict = await opened(t, { authorize: () => false })
  t.match((await push(strict, { changes: [of('ada')] }, { operator: true })).results, [{ status: 'applied' }])
  t.match((await push(strict, { changes: [of('ada', { documentId: 'b' })] })).results, [{ status: 'rejected' }], 'nobody is no user')
})

t.test('promise 6 (Private): where channels alone say who sees what, what is not seen is not written', async t => {
  const rules = await opened(t, { channels: (_c, document) => [document['owner'] as string], channelsOf: user => [user.id] })
  await push(rules, { changes: [of('ada')] }, ada)
  for (const change of [of('bob', { timestamp: START + 5 }), of('bob', { operation: 'insert', timestamp: START + 5 }), { documentId: 'a', operation: 'delete', document: null, base: 1 }]) {
    t.match((await push(rules, { changes: [change] }, bob)).results, [{ status: 'rejected', error: { code: 'write_forbidden' } }])
  }
  t.match((await push(rules, { changes: [of('ada', { documentId: 'b' })] }, bob)).results, [{ status: 'applied' }], 'to send somebody something is')
})

t.test('promise 6 (Private): whatever is pushed, documents change by their owners alone, and no answer holds what is another\'s', async t => {
  const ids = fc.constantFrom('a', 'b', 'c')
  const who = fc.constantFrom('ada', 'bob', 'carl')
  const step = fc.record({ by: who, names: who, documentId: ids, operation: fc.constantFrom('insert', 'update', 'delete'), base: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }), at: fc.integer({ min: 0, max: 5 }), legacy: fc.boolean(), atomic: fc.boolean() })
  await fc.assert(fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), fc.constantFrom('merge', 'last-write-wins', 'client-wins') as fc.Arbitrary<'merge'>, async (pushes, conflictStrategy) => {
    const rules = await openRules({ authorize: owner, conflictStrategy })
    try {
      for (const steps of pushes) {
        const { by, legacy, atomic } = steps[0]!
        const before = new Map(await Promise.all(['a', 'b', 'c'].map(async id => [id, (await headOf(rules, id))?.document ?? null] as const)))
        const changes = steps.map(({ names, documentId, operation, base, at }) => ({ documentId, operation, document: operation === 'delete' ? null : doc(names), timestamp: START + at, ...base !== undefined && { base } }))
        const answer = await push(rules, { changes, atomic, ...legacy && { checkpoint: { sequences: {} } as never } }, { user: userOf(by), clientId: by })
        for (const [id, text] of before) {
          const now = (await headOf(rules, id))?.document ?? null
          if (now === text) continue
          t.ok(text === null || (JSON.parse(text) as { owner: string }).owner === by, `${by} changed what was of another`)
          t.ok(now === null || (JSON.parse(now) as { owner: string }).owner === by, `${by} wrote in the name of another`)
        }
        for (const other of ['ada', 'bob', 'carl']) if (other !== by) t.notMatch(JSON.stringify(answer), new RegExp(`secret of ${other}`))
      }
    } finally {
      await rules.close()
    }
  }), { numRuns: 60, endOnFailure: true })
})
