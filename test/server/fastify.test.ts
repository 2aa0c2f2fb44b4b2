import t from 'tap'
import Fastify from 'fastify'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { PocketServer } from '../../src/server.ts'
import { post, pullOf, pushOf, request } from '../support/app.ts'

t.test('Fastify: the plugin serves /sync/*, and the parsers, validator and handlers of the app stay its own', async (t) => {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  const app = Fastify()
  t.teardown(async () => { await app.close(); await pocket.close() })
  app.addHook('onRequest', async (_request, reply) => { reply.header('x-app', 'yes') })
  app.post('/mine', { schema: { body: { type: 'object', properties: { n: { type: 'integer' } } } } }, async request => request.body)
  app.get('/fails', async () => { throw new Error('as the app says') })
  await app.register(pocket.plugin)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })

  const pushed = await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a', document: { s: null, n: '1' } }]))
  t.match(pushed, { status: 200, json: { success: true } })
  t.equal(pushed.headers.get('x-app'), 'yes', 'what a hook of the app has set goes out')
  t.strictSame((await post(`${url}/sync/pull`, pullOf())).json.changes.c[0].document, { s: null, n: '1' }, 'nothing is coerced')
  t.match(await request(`${url}/sync/push`), { status: 405, json: { code: 'method_not_allowed' } })
  t.match(await request(`${url}/sync/nothing`), { status: 404, json: { code: 'not_found' } })
  t.match(await request(`${url}/sync/push`, { method: 'OPTIONS' }), { status: 204 })
  t.match(await post(`${url}/sync/push`, '{'), { status: 400, json: { code: 'invalid_json' } })
  t.match(await request(`${url}/sync/info`, { headers: { via: '1.1 proxy' } }), { status: 403, json: { code: 'not_loopback' } })

  t.strictSame((await post(`${url}/mine`, { n: '1' })).json, { n: 1 }, 'the app coerces as before')
  t.match((await request(`${url}/fails`)).json, { statusCode: 500, message: 'as the app says' })
  t.match((await request(`${url}/health`)).json, { statusCode: 404, message: /not found/i })
  t.equal((await request(`${url}/mine`, { headers: { via: '1.1 proxy' } })).status, 404, 'the loopback rule is not the app\'s')
})

t.test('Fastify: the plugin takes a prefix', async (t) => {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  const app = Fastify()
  t.teardown(async () => { await app.close(); await pocket.close() })
  await app.register(pocket.plugin, { prefix: '/api' })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.match(await post(`${url}/api/sync/push`, pushOf('c', [{ documentId: 'a' }])), { status: 200 })
  t.match(await request(`${url}/api/sync/push`), { status: 405 })
  t.equal((await request(`${url}/sync/info`)).status, 404)
})

t.test('Fastify: a log that cannot be opened fails the start of the app', async (t) => {
  const changeLog = new MemoryChangeLog()
  changeLog.open = async () => { throw new Error('no such disk') }
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(new PocketServer({ changeLog }).plugin)
  await t.rejects(Promise.resolve(app.ready()), { message: 'no such disk' })
})
