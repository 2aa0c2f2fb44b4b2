/** What users try against each other, on a real server, and what stops it. */
import t, { type Test } from 'tap'
import { MemoryChangeLog, PocketServer, type PocketServerOptions } from '../../src/index.ts'
import { post, pullOf, pushOf, request, type Answered, type ChangeLike } from '../support/app.ts'

interface Someone {
  push (changes: ChangeLike[], members?: object): Promise<Answered>
  pull (members?: object): Promise<Answered>
  get (path: string): Promise<Answered>
}

async function started (t: Test, options: PocketServerOptions = {}): Promise<(name: string) => Someone> {
  const pocket = new PocketServer({
    changeLog: new MemoryChangeLog(),
    authenticate: token => token.startsWith('token-') ? { id: token.slice(6) } : null,
    authorize: (user, _collection, _operation, document) => document['owner'] === user.id,
    ...options
  })
  t.teardown(() => pocket.close())
  const { url } = await pocket.listen(0)
  return name => {
    const headers = { authorization: `Bearer token-${name}` }
    return {
      push: (changes, members) => post(`${url}/sync/push`, pushOf('todos', changes, members), headers),
      pull: members => post(`${url}/sync/pull`, pullOf(members), headers),
      get: path => request(`${url}${path}`, { headers })
    }
  }
}

const of = (owner: string, more: Partial<ChangeLike> = {}): ChangeLike => ({ documentId: 'a', document: { owner, text: `secret of ${owner}` }, ...more })
const denied = { status: 'rejected', error: { code: 'write_forbidden' } }

/** Of an answer what is no echo of the question. */
function told ({ status, json: { id: _, timestamp: __, epoch: ___, ...rest } }: Answered, documentId = 'a'): unknown {
  return [status, JSON.parse(JSON.stringify(rest).replaceAll(`"${documentId}"`, '"it"'))]
}

t.test('threat: to take a document over by sending one that names its sender as owner', async t => {
  const as = await started(t)
  await as('ada').push([of('ada')])
  for (const more of [{}, { operation: 'update' }, { operation: 'update', base: 1 }, { timestamp: Date.now() + 1e9, operation: 'update' }, { operation: 'delete', document: null, base: 1 }]) {
    t.match((await as('bob').push([of('bob', more)])).json.results, [denied], JSON.stringify(more))
  }
  t.match((await as('ada').pull()).json.changes.todos, [{ documentId: 'a', document: { owner: 'ada' }, sequence: 1 }])
})

t.test('threat: to learn which documents exist by pushing, pulling or asking for a history', async t => {
  const as = await started(t)
  await as('ada').push([of('ada'), of('ada', { documentId: 'gone' })])
  await as('ada').push([{ documentId: 'gone', operation: 'delete', document: null, base: 2 }])
  const bob = as('bob')
  for (const operation of ['insert', 'update']) {
    t.strictSame(told(await bob.push([of('ada', { operation })])), told(await bob.push([of('ada', { documentId: 'no', operation })]), 'no'), operation)
  }
  for (const id of ['a', 'gone']) t.strictSame(told(await bob.get(`/sync/history/todos/${id}`), id), told(await bob.get('/sync/history/todos/no'), 'no'), `history of ${id}`)
  const page = (await bob.pull()).json
  t.strictSame([page.changes, page.hasMore], [{}, false])
})

t.test('threat: to get the answer of another user\'s push by sending its message id and client id', async t => {
  const as = await started(t)
  const members = { id: 'the-same', clientId: 'phone' }
  await as('ada').push([of('ada')], members)
  const answer = await as('bob').push([of('bob', { documentId: 'b' })], members)
  t.match(answer.json.results, [{ documentId: 'b', status: 'applied', sequence: 2 }])
  t.equal(answer.headers.get('idempotency-replayed'), null)
})

t.test('threat: to have a guess confirmed by repeating somebody\'s change', async t => {
  const as = await started(t)
  const vote = of('ada', { document: { owner: 'ada', vote: 'yes' }, timestamp: 1_700_000_000_000 })
  await as('ada').push([vote])
  t.match((await as('bob').push([vote])).json.results, [denied])
})

t.test('threat: to go on with the checkpoint, scope or epoch of another user', async t => {
  const as = await started(t, { channels: (_collection, document) => [document['owner'] as string], channelsOf: user => [user.id] })
  await as('ada').push([of('ada'), of('ada', { documentId: 'b' })])
  const { checkpoint, epoch } = (await as('ada').pull()).json
  t.match(await as('bob').pull({ checkpoint, epoch }), { status: 410, json: { code: 'resync_required', reason: 'scope-changed' } })
  t.match(await as('bob').pull({ checkpoint: { global: 1 }, epoch }), { status: 410 })
  t.match((await as('bob').pull()).json.changes, {})
})

t.test('threat: to keep what was lost by asking with an old checkpoint', async t => {
  const as = await started(t, { authorize: (user, _c, operation, document) => operation === 'write' || document['owner'] === user.id })
  await as('ada').push([of('ada')])
  await as('ada').push([of('bob', { operation: 'update', base: 1, timestamp: Date.now() + 5 })])
  for (const global of [0, 1]) {
    const { json } = await as('ada').pull({ checkpoint: { global } })
    t.match(json.changes.todos, [{ documentId: 'a', operation: 'delete', document: null }], `from ${global}`)
    t.notMatch(JSON.stringify(json), /secret of bob/)
  }
})

t.test('threat: to read what a conflict, a merge or a refusal says of somebody else\'s document', async t => {
  const as = await started(t, { conflictStrategy: 'merge', authorize: (user, _c, operation, document) => operation === 'write' || document['owner'] === user.id })
  await as('ada').push([of('ada')])
  await as('ada').push([of('ada', { operation: 'update', base: 1, timestamp: Date.now() + 10, document: { owner: 'ada', text: 'secret of ada, too' } })])
  for (const more of [{ timestamp: 1 }, { base: 1 }, { base: 0 }, { base: 2, timestamp: 1 }]) {
    const answer = await as('bob').push([{ documentId: 'a', operation: 'update', document: { title: 'of bob' }, ...more }])
    t.notMatch(answer.text, /secret of ada/, JSON.stringify(more))
  }
})

t.test('threat: to be somebody else by a name that objects already have', async t => {
  const as = await started(t)
  for (const name of ['__proto__', 'constructor', 'toString', 'null', 'undefined']) {
    t.match((await as(name).push([of(name, { documentId: `d-${name}` })])).json.results, [{ status: 'applied' }], name)
    t.strictSame((await as(name).pull()).json.changes.todos.map(({ documentId }: { documentId: string }) => documentId), [`d-${name}`])
  }
})

t.test('threat: to change the rule\'s mind by what a document calls its members', async t => {
  const as = await started(t, { authorize: (user, _c, _o, document) => (document as { isAdmin?: boolean }).isAdmin === undefined && ({} as { isAdmin?: boolean }).isAdmin === undefined && document['owner'] === user.id })
  const hostile = { owner: 'bob', constructor: { prototype: { isAdmin: true } }, toJSON: 'x', hasOwnProperty: 1, then: 2 }
  t.match((await as('bob').push([of('bob', { document: hostile })])).json.results, [{ status: 'applied' }])
  t.equal(JSON.stringify((await as('bob').pull()).json.changes.todos[0].document), JSON.stringify(hostile))
  t.match((await as('ada').pull()).json.changes, {})
})

t.test('threat: to learn that there was a document by writing over its deletion', async t => {
  const as = await started(t)
  const at = 1_700_000_000_000
  await as('ada').push([of('ada', { documentId: 'gone', timestamp: at })])
  await as('ada').push([{ documentId: 'gone', operation: 'delete', document: null, base: 1, timestamp: at + 10 }])
  t.match((await as('bob').push([{ documentId: 'gone', operation: 'delete', document: null, timestamp: at + 10 }])).json.results, [{ status: 'applied', sequence: undefined }], 'guessed to the millisecond')
  for (const [n, operation] of ['insert', 'update'].entries()) {
    const push = (documentId: string) => as('bob').push([of('bob', { documentId, operation, timestamp: 1 + n })])
    const [known, unknown] = [await push(n === 0 ? 'gone' : 'gone-too'), await push(`no-${n}`)]
    t.match([known.json.results[0].status, unknown.json.results[0].status], ['applied', 'applied'], operation)
    if (n === 0) await as('ada').push([of('ada', { documentId: 'gone-too', timestamp: at })])
    if (n === 0) await as('ada').push([{ documentId: 'gone-too', operation: 'delete', document: null, timestamp: at + 10 }])
  }
  t.strictSame((await as('ada').pull()).json.changes.todos.filter(({ operation }: { operation: string }) => operation !== 'delete'), [], 'what he wrote is his alone')
})

t.test('threat: to read the names of collections from the positions of a client that keeps one for each', async t => {
  const as = await started(t)
  const ada = as('ada')
  await ada.push([of('ada')], { collection: 'divorce-of-ada' })
  await as('bob').push([of('bob', { documentId: 'b' })])
  let checkpoint: { sequences: Record<string, number> } = { sequences: {} }
  const seen: string[] = []
  for (let more = true; more;) {
    const { json } = await as('bob').pull({ checkpoint, limit: 1 })
    for (const [collection, list] of Object.entries(json.changes) as Array<[string, Array<{ documentId: string }>]>) seen.push(...list.map(({ documentId }) => `${collection}/${documentId}`))
    t.notMatch(JSON.stringify(json), /divorce/)
    checkpoint = json.checkpoint
    more = json.hasMore
  }
  t.strictSame([seen, checkpoint.sequences], [['todos/b'], { todos: 2, '*': 2 }])
  await as('bob').push([of('bob', { documentId: 'n' })], { collection: 'notes' })
  const next = (await as('bob').pull({ checkpoint })).json
  t.match([next.changes.notes.length, next.changes.todos, next.checkpoint.sequences], [1, undefined, { todos: 3, notes: 3, '*': 3 }])
  await ada.push([of('bob', { documentId: 'theirs', owner: 'bob' })], { collection: 'divorce-of-ada' })
  t.match((await as('bob').pull({ checkpoint: next.checkpoint })).json.changes, {})
})

t.test('threat: to have a guess of a hidden value confirmed by what a merge comes to', async t => {
  const as = await started(t, { conflictStrategy: 'merge', authorize: (user, _c, operation, document) => operation === 'write' || document['owner'] === user.id })
  const at = 1_700_000_000_000
  const results = async (documentId: string, text: string, base: number): Promise<unknown> => {
    const { json } = await as('bob').push([{ documentId, operation: 'update', document: { owner: 'ada', text }, base, timestamp: at + 9 }])
    return json.results[0].status
  }
  for (const documentId of ['a', 'b']) {
    await as('ada').push([of('ada', { documentId, document: { owner: 'ada', text: 'one' }, timestamp: at })])
  }
  for (const [i, documentId] of ['a', 'b'].entries()) {
    await as('ada').push([{ documentId, operation: 'update', document: { owner: 'ada', text: 'two' }, base: i + 1, timestamp: at + 1 }])
  }
  t.equal(await results('a', 'one', 1), await results('b', 'wrong', 2))
})
