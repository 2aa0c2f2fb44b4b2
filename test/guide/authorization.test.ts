import t from 'tap'
import { MemoryChangeLog, PocketServer } from '../../src/index.ts'
import { post, pullOf, pushOf, type ChangeLike } from '../support/app.ts'

const users = new Map([['token-of-ada', { id: 'ada', role: 'user' }], ['token-of-bob', { id: 'bob', role: 'user' }], ['token-of-root', { id: 'root', role: 'admin' }]])

t.test('Authorization: users have their own todos, nobody has other collections, an admin has everything', async t => {
  const pocket = new PocketServer({
    changeLog: new MemoryChangeLog(),
    authenticate: async (token) => {
      const user = users.get(token)
      if (!user) {
        throw new Error('Invalid token')
      }
      return { userId: user.id, role: user.role }
    },
    authorize: async (user, collection, operation, document) => {
      // Admin can do anything
      if (user.role === 'admin') return true

      // Users can only access their own data
      if (collection === 'todos') {
        if (operation === 'read') {
          return document?.userId === user.id
        }
        if (operation === 'write') {
          return document?.userId === user.id
        }
      }

      return false
    }
  })
  t.teardown(() => pocket.close())
  const { url } = await pocket.listen(0)
  const as = (name: string) => ({ authorization: `Bearer token-of-${name}` })
  const push = async (name: string, change: ChangeLike, collection = 'todos') => (await post(`${url}/sync/push`, pushOf(collection, [change]), as(name))).json.results[0]
  const pull = async (name: string) => {
    const { changes } = (await post(`${url}/sync/pull`, pullOf(), as(name))).json as { changes: Record<string, Array<{ operation: string, documentId: string }>> }
    return Object.entries(changes).flatMap(([collection, list]) => list.map(({ operation, documentId }) => `${operation} ${collection}/${documentId}`)).sort()
  }
  const todo = (documentId: string, userId: string, more: object = {}): ChangeLike => ({ documentId, document: { _id: documentId, userId }, ...more })
  const denied = { status: 'rejected', error: { code: 'write_forbidden' } }

  t.match(await post(`${url}/sync/pull`, pullOf()), { status: 401 })
  t.match(await post(`${url}/sync/pull`, pullOf(), { authorization: 'Bearer nonsense' }), { status: 401, json: { code: 'invalid_token' } })
  t.match(await push('ada', todo('a', 'ada')), { status: 'applied', sequence: 1 })
  t.match(await push('bob', todo('b', 'bob')), { status: 'applied', sequence: 2 })
  t.match(await push('bob', todo('a', 'bob', { operation: 'update' })), denied, 'nobody takes a document over')
  t.match(await push('bob', todo('c', 'ada')), denied, 'nor writes in another\'s name')
  t.match(await push('bob', { documentId: 'a', operation: 'delete', document: null, base: 1 }), denied)
  t.match(await push('bob', todo('x', 'bob'), 'secrets'), denied)
  t.match(await push('root', todo('x', 'nobody'), 'secrets'), { status: 'applied' })
  t.strictSame(await pull('ada'), ['insert todos/a'])
  t.strictSame(await pull('bob'), ['insert todos/b'])
  t.strictSame(await pull('root'), ['insert secrets/x', 'insert todos/a', 'insert todos/b'])

  t.match(await push('root', todo('a', 'bob', { operation: 'update', base: 1, timestamp: Date.now() + 1 })), { status: 'applied' }, 'an admin gives it to another')
  t.strictSame(await pull('ada'), ['delete todos/a'], 'it leaves the view of whom it was')
  t.strictSame(await pull('bob'), ['insert todos/b', 'update todos/a'])
  t.match(await push('bob', { documentId: 'b', operation: 'delete', document: null, base: 2 }), { status: 'applied' }, 'a deletion asks about what stands')
  t.strictSame(await pull('ada'), ['delete todos/a'])
})
