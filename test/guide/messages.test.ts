import t from 'tap'
import { MemoryChangeLog } from '../../src/index.ts'
import { post, pushOf, startApp } from '../support/app.ts'

/** A server whose log has entries up to a sequence, none of them in `todos` but those given as sequence → document. */
async function serverAt (t: Parameters<typeof startApp>[0], head: number, todos: Record<number, object> = {}): Promise<string> {
  const log = new MemoryChangeLog()
  const { url } = await startApp(t, { changeLog: log })
  for (let sequence = 1; sequence <= head; sequence++) {
    const document = todos[sequence]
    const collection = document === undefined ? 'others' : 'todos'
    const documentId = document === undefined ? `other-${sequence}` : 'todo-1'
    const text = JSON.stringify(document ?? {})
    await log.append({ id: '', sequence, collection, documentId, operation: sequence === 96 ? 'update' : 'insert', document: text, data: text, timestamp: 1704067200000 })
  }
  return url
}

t.test('Push Message and Push Response, to the letter', async t => {
  const url = await serverAt(t, 100)
  const answer = await post(`${url}/sync/push`, '{"type":"push","id":"msg-123","timestamp":1704067200000,"collection":"todos","changes":[{"operation":"insert","documentId":"todo-1","document":{"_id":"todo-1","title":"Task"},"timestamp":1704067200000,"sequence":1}],"checkpoint":{"global":100}}')
  t.equal(answer.status, 200)
  const { type, id, success, checkpoint } = answer.json
  t.same({ type, id, success, checkpoint }, { type: 'push-response', id: 'msg-123', success: true, checkpoint: { global: 101 } })
  t.ok(answer.text.startsWith('{"type":"push-response","id":"msg-123","success":true,"checkpoint":{"global":101}'))
})

t.test('Pull Message and Pull Response, to the letter', async t => {
  const url = await serverAt(t, 101, { 90: { _id: 'todo-1', title: 'Task' }, 96: { _id: 'todo-1', title: 'Updated' } })
  const answer = await post(`${url}/sync/pull`, '{"type":"pull","id":"msg-456","timestamp":1704067200000,"collections":["todos"],"checkpoint":{"global":95},"limit":100}')
  t.equal(answer.status, 200)
  const { type, id, changes, checkpoint, hasMore } = answer.json
  t.same({ type, id, changes, checkpoint, hasMore }, {
    type: 'pull-response',
    id: 'msg-456',
    changes: { todos: [{ operation: 'update', documentId: 'todo-1', document: { _id: 'todo-1', title: 'Updated' }, timestamp: 1704067200000, sequence: 96 }] },
    checkpoint: { global: 101 },
    hasMore: false
  })
})

t.test('a client that knows the guide alone pushes, pulls and reads members it does not know away', async t => {
  const url = await serverAt(t, 0)
  const message = pushOf('todos', [{ documentId: 'a', document: { _id: 'a', text: 'ü ☃ \u0000', list: [null, [1, { x: 1e-7 }]] }, isFromSync: false, sequence: 1 }], { extra: { ignored: true }, checkpoint: { global: 0, mine: 1 } })
  t.equal((await post(`${url}/sync/push`, message)).json.success, true)
  const pulled = await post(`${url}/sync/pull`, { type: 'pull', id: 'p', timestamp: 1, collections: ['todos'], checkpoint: { global: 0 }, limit: 100, extra: 1 })
  t.same(pulled.json.changes.todos[0].document, (message['changes'] as Array<{ document: unknown }>)[0]!.document)
})
