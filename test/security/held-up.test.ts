/** What one user does so that others wait, on a real server. */
import t, { type Test } from 'tap'
import { MemoryChangeLog, PocketServer, type PocketServerOptions } from '../../src/index.ts'
import { post, pullOf, pushOf, type Answered, type ChangeLike } from '../support/app.ts'
import { SseClient } from '../support/sse-client.ts'

async function started (t: Test, options: PocketServerOptions): Promise<{ url: string, push: (name: string, changes: ChangeLike[]) => Promise<Answered>, headers: (name: string) => Record<string, string> }> {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), authenticate: token => ({ id: token }), ...options })
  t.teardown(() => pocket.close())
  const { url } = await pocket.listen(0)
  const headers = (name: string): Record<string, string> => ({ authorization: `Bearer ${name}` })
  return { url, headers, push: (name, changes) => post(`${url}/sync/push`, pushOf('todos', changes), headers(name)) }
}

/** Answers when it is told to. */
function gate (): { open: () => void, opened: Promise<void> } {
  let open = (): void => {}
  const opened = new Promise<void>(resolve => { open = resolve })
  return { open, opened }
}

t.test('threat: to stop the server by a push of many small changes to a large document', async t => {
  const order: string[] = []
  const authorize = (user: { id: string }, _collection: string, _operation: string, document: Record<string, unknown>): boolean => {
    if (order.push('asked') === 1) setImmediate(() => order.push('others'))
    return document['owner'] === user.id
  }
  const { push } = await started(t, { authorize })
  await push('mallory', [{ documentId: 'large', document: { owner: 'mallory', rows: Array.from({ length: 40_000 }, (_, i) => [i]) } }])
  order.length = 0
  const { json } = await push('mallory', Array.from({ length: 100 }, () => ({ documentId: 'large', operation: 'update', document: { owner: 'ada' } })))
  t.equal(json.results.length, 100)
  const turn = order.indexOf('others')
  t.ok(turn > 0 && turn < 100, `others had their turn after ${turn} of ${order.length} questions`)
})

t.test('threat: to keep somebody from writing a document by naming it in a push that takes long', async t => {
  const slow = gate()
  t.teardown(slow.open)
  const authorize = async (user: { id: string }, _collection: string, _operation: string, document: Record<string, unknown>): Promise<boolean> => {
    if (document['slow'] === true) await slow.opened
    return document['owner'] === user.id
  }
  const { push } = await started(t, { authorize, limits: { authorizeMs: 20_000 } })
  await push('ada', [{ documentId: 'a', document: { owner: 'ada' } }])
  let done = false
  const mallory = push('mallory', [{ documentId: 'a', document: { owner: 'mallory' } }, { documentId: 'b', document: { slow: true } }]).then(answer => {
    done = true
    return answer
  })
  const { json } = await push('ada', [{ documentId: 'a', operation: 'update', base: 1, document: { owner: 'ada', n: 2 } }])
  t.match(json.results, [{ status: 'applied' }])
  t.notOk(done)
  slow.open()
  t.match((await mallory).json.results, [{ status: 'rejected' }, { status: 'rejected' }])
})

t.test('threat: to keep others from catching up by streams whose rule never answers', async t => {
  const slow = gate()
  t.teardown(slow.open)
  const asked = gate()
  const authorize = async (user: { id: string }, _collection: string, operation: string, document: Record<string, unknown>): Promise<boolean> => {
    if (operation === 'read' && user.id === 'mallory') {
      asked.open()
      await slow.opened
    }
    return document['owner'] === user.id
  }
  const { url, push, headers } = await started(t, { authorize, limits: { authorizeMs: 60_000 } })
  await push('ada', [{ documentId: 'a', document: { owner: 'ada' } }])
  for (let i = 0; i < 12; i++) {
    const stream = await SseClient.connect(`${url}/sync/stream?since=0`, { headers: headers('mallory') })
    t.teardown(() => stream.close())
  }
  await asked.opened
  const ada = await SseClient.connect(`${url}/sync/stream?since=0`, { headers: headers('ada') })
  t.teardown(() => ada.close())
  await ada.next()
  t.match(JSON.parse((await ada.next())!.data).changes, { todos: [{ documentId: 'a' }] })
})

t.test('threat: to wait beyond the end of one\'s credential for what comes next', async t => {
  const exp = Date.now() / 1000 + 1
  const { url, push, headers } = await started(t, { authenticate: token => ({ id: token, ...token === 'bob' && { exp } }) })
  const waiting = post(`${url}/sync/pull`, pullOf({ waitMs: 20_000 }), headers('bob'))
  while (Date.now() < exp * 1000 + 500) await new Promise(resolve => { setTimeout(resolve, 50) })
  await push('ada', [{ documentId: 'a' }])
  const { status, json } = await waiting
  t.strictSame([status, json.changes], [200, {}])
})
