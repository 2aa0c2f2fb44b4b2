import t from 'tap'
import { gzipSync } from 'node:zlib'
import { post, pullOf, pushOf, startApp } from '../support/app.ts'

const task = { _id: 'todo-1', title: 'Task' }
const known = {
  push: { type: 'push', id: 'msg-123', timestamp: 1704067200000, collection: 'todos', changes: [{ operation: 'insert', documentId: 'todo-1', document: task, timestamp: 1704067200000, sequence: 1 }], checkpoint: { global: 100 } },
  pushed: { type: 'push-response', id: 'msg-123', success: true, checkpoint: { global: 101 } },
  pull: { type: 'pull', id: 'msg-456', timestamp: 1704067200000, collections: ['todos'], checkpoint: { global: 95 }, limit: 100 }
}

function many (from: number, to: number) {
  return Array.from({ length: to - from + 1 }, (_, i) => ({ documentId: `d-${from + i}` }))
}

t.test('the messages that users know are answered to the letter', async (t) => {
  const { url } = await startApp(t)
  await post(`${url}/sync/push`, pushOf('others', many(1, 95)))
  await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'todo-0', document: { _id: 'todo-0', title: 'Old' }, timestamp: 1 }]))
  await post(`${url}/sync/push`, pushOf('others', many(97, 100)))

  const pushed = await post(`${url}/sync/push`, known.push)
  t.equal(pushed.status, 200)
  t.equal(pushed.headers.get('content-type'), 'application/json')
  t.equal(pushed.headers.get('cache-control'), 'no-store')
  t.equal(pushed.headers.get('x-content-type-options'), 'nosniff')
  t.equal(pushed.headers.get('x-powered-by'), null)
  for (const [name, value] of Object.entries(known.pushed)) t.strictSame(pushed.json[name], value, name)

  const update = { operation: 'update', documentId: 'todo-0', document: { _id: 'todo-0', title: 'Updated' }, timestamp: 1704067200000 }
  await post(`${url}/sync/push`, pushOf('todos', [update]))
  const pulled = await post(`${url}/sync/pull`, { ...known.pull, checkpoint: { global: 101 } })
  t.equal(pulled.headers.get('cache-control'), 'private, no-store')
  t.match(pulled.json, { type: 'pull-response', id: 'msg-456', checkpoint: { global: 102 }, hasMore: false })
  t.strictSame(pulled.json.changes, { todos: [{ ...update, sequence: 102 }] })
})

t.test('unknown members are tolerated, and a document comes back equal in value', async (t) => {
  const { url } = await startApp(t)
  const document = { _id: 'd', nothing: null, list: [[], [null, [1.5, -0.25, 1e300]]], text: 'é\u0000\u2028𝄞"\\', deep: { constructor: { prototype: 1 } }, big: 9007199254740991 }
  const change = { documentId: 'd', document, isFromSync: true, previousDocument: null }
  const pushed = await post(`${url}/sync/push`, pushOf('c', [change], { checkpoint: { global: 0, later: { x: 1 } }, unknown: [1] }))
  t.match(pushed.json, { success: true })
  const pulled = await post(`${url}/sync/pull`, pullOf({ collections: ['c'], unknown: true }))
  t.equal(JSON.stringify(pulled.json.changes.c[0].document), JSON.stringify(document))
})

t.test('promise 3 (Once): a push sent again gets the same results, and says that it is a repeat', async (t) => {
  const { url } = await startApp(t)
  const message = pushOf('c', [{ documentId: 'a' }, { documentId: 'b' }])
  const [first, second] = [await post(`${url}/sync/push`, message), await post(`${url}/sync/push`, message)]
  t.equal(first.headers.get('idempotency-replayed'), null)
  t.equal(second.headers.get('idempotency-replayed'), 'true')
  t.strictSame(second.json.results, first.json.results)
  const other = await post(`${url}/sync/push`, { ...message, changes: [] })
  t.match(other.json, { success: true }, 'without user and client id others may have the same message id')
})

t.test('promise 3 (Once): a message id that was used for other changes is refused', async (t) => {
  const { url } = await startApp(t)
  const message = pushOf('c', [{ documentId: 'a' }], { clientId: 'phone' })
  await post(`${url}/sync/push`, message)
  t.match(await post(`${url}/sync/push`, { ...message, changes: [] }), { status: 422, json: { code: 'id_reused', id: message['id'], retryable: false } })
})

t.test('the client id of the message beats the one of the header, and both count as the same client', async (t) => {
  const { url } = await startApp(t)
  const message = pushOf('c', [{ documentId: 'a' }])
  await post(`${url}/sync/push`, message, { 'sync-client-id': 'phone' })
  const again = await post(`${url}/sync/push`, { ...message, clientId: 'phone' }, { 'sync-client-id': 'tablet' })
  t.equal(again.headers.get('idempotency-replayed'), 'true')
  const other = await post(`${url}/sync/push`, message, { 'sync-client-id': 'tablet' })
  t.equal(other.headers.get('idempotency-replayed'), null)
  t.match(await post(`${url}/sync/push`, message, { 'sync-client-id': 'x'.repeat(129) }), { status: 400, json: { code: 'invalid_message', id: message['id'] } })
})

t.test('promise 7 (Isolated): a bad change is refused with its place, and the others go on', async (t) => {
  const { url } = await startApp(t)
  const changes: any[] = [
    { documentId: 'good' },
    { documentId: 'b', operation: 'upsert' },
    { documentId: 'c', document: undefined },
    { documentId: 'd', document: null, operation: 'update' },
    { documentId: 'e', document: [1] },
    { documentId: '' },
    { documentId: 'g', timestamp: 'now' },
    { documentId: 'h', document: { _id: 'other' } },
    { documentId: 'i', base: -1 },
    { documentId: 'last' }
  ]
  const message = pushOf('c', changes)
  delete (message['changes'] as any)[6].documentId
  const { status, json } = await post(`${url}/sync/push`, message)
  t.equal(status, 200)
  t.equal(json.success, false)
  t.strictSame(json.results.map((result: any) => [result.index, result.status, result.error?.code, result.error?.pointer]), [
    [0, 'applied', undefined, undefined],
    [1, 'rejected', 'invalid_operation', '/changes/1/operation'],
    [2, 'rejected', 'invalid_document', '/changes/2/document'],
    [3, 'rejected', 'invalid_document', '/changes/3/document'],
    [4, 'rejected', 'invalid_document', '/changes/4/document'],
    [5, 'rejected', 'invalid_change', '/changes/5/documentId'],
    [6, 'rejected', 'invalid_change', '/changes/6/documentId'],
    [7, 'rejected', 'document_id_mismatch', '/changes/7/document/_id'],
    [8, 'rejected', 'invalid_change', '/changes/8/base'],
    [9, 'applied', undefined, undefined]
  ])
})

t.test('promise 7 (Isolated): a hostile document condemns its own change alone', async (t) => {
  const { url } = await startApp(t)
  const documents = ['{"_id":"0"}', '{"__proto__":{"admin":true}}', `{"x":${'['.repeat(70)}${']'.repeat(70)}}`, '{"a":1,"a":2}', '{"n":12345678901234567890}', '{"s":"\\ud800"}', '{"_id":"6"}']
  const text = `{"type":"push","id":"hostile","timestamp":1,"collection":"c","changes":[${documents.map((document, i) => `{"operation":"insert","documentId":"${i}","timestamp":1,"document":${document}}`).join(',')}]}`
  const { status, json } = await post(`${url}/sync/push`, text)
  t.equal(status, 200)
  t.strictSame(json.results.map((result: any) => result.error?.code ?? result.status), ['applied', 'forbidden_name', 'too_deep', 'duplicate_name', 'number_out_of_range', 'lone_surrogate', 'applied'])
})

t.test('a body may be coded, and a large answer is coded for who takes that', async (t) => {
  const { url } = await startApp(t)
  const coded = await post(`${url}/sync/push`, gzipSync(JSON.stringify(pushOf('c', many(1, 50)))), { 'content-encoding': 'gzip', 'accept-encoding': 'identity' })
  t.match(coded.json, { success: true })
  t.equal(coded.headers.get('content-encoding'), null)
  t.equal(coded.headers.get('vary'), 'accept-encoding')
  for (const coding of ['gzip', 'br']) {
    const pulled = await post(`${url}/sync/pull`, pullOf(), { 'accept-encoding': `${coding};q=0.5, *;q=0` })
    t.equal(pulled.headers.get('content-encoding'), coding)
    t.equal(pulled.json.changes.c.length, 50)
  }
})

t.test('conflicts are settled as the options say: merged by path, or by the application\'s own rule', async (t) => {
  const { url } = await startApp(t, {
    conflictStrategy: 'merge',
    collections: {
      counters: {
        resolveConflict: ({ base, stored, incoming }) => {
          if (stored === null || incoming === null) return stored ?? incoming
          return { ...stored, count: stored['count'] + incoming['count'] - (base?.['count'] ?? 0) }
        }
      },
      broken: { resolveConflict: () => { throw new Error('secret') } }
    }
  })
  let n = 0
  const edit = async (collection: string, document: object, base: number): Promise<any> =>
    (await post(`${url}/sync/push`, pushOf(collection, [{ documentId: 'a', document, base, timestamp: 1000 + n++ }]))).json
  const contest = async (collection: string, [first, second, third]: [object, object, object]): Promise<any> => {
    const { results: [born] } = await edit(collection, first, 0)
    await edit(collection, second, born.sequence)
    return await edit(collection, third, born.sequence)
  }
  const merged = await contest('todos', [{ title: 'Task', done: false }, { title: 'Task!', done: false }, { title: 'Task', done: true }])
  t.match(merged, { success: true, results: [{ status: 'merged', sequence: 3, document: { title: 'Task!', done: true } }] })
  const counted = await contest('counters', [{ count: 1 }, { count: 3 }, { count: 6 }])
  t.match(counted, { success: true, results: [{ status: 'merged', sequence: 6, document: { count: 8 } }] })
  const failed = await contest('broken', [{ n: 1 }, { n: 2 }, { n: 3 }])
  t.match(failed, { success: false, results: [{ status: 'rejected', error: { code: 'resolution_failed', pointer: '/changes/0' } }] })
  t.notMatch(JSON.stringify(failed), /secret/)
})
