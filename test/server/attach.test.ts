import t from 'tap'
import express from 'express'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { PocketServer } from '../../src/server.ts'
import { exchangeRaw, parseRaw, post, pullOf, pushOf, request } from '../support/app.ts'

interface Test { teardown (action: () => unknown): void }

async function listening (t: Test, server: Server): Promise<{ url: string, port: number }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => new Promise(resolve => { server.close(resolve); server.closeAllConnections() }))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port }
}

function makePocket (t: Test): PocketServer {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  t.teardown(() => pocket.close())
  return pocket
}

t.test('attach on a bare server serves all routes', async (t) => {
  const server = createServer()
  const pocket = makePocket(t).attach(server)
  const { url, port } = await listening(t, server)
  t.match(await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }])), { status: 200, json: { success: true } })
  t.match(await request(`${url}/health`), { status: 200, json: { status: 'ok' } })
  t.equal((await request(`${url}/nothing`)).status, 404)
  t.match(parseRaw(await exchangeRaw(port, 'NOT HTTP\r\n\r\n')), { status: 400, json: { code: 'bad_request' } })
  t.strictSame([server.keepAliveTimeout, server.headersTimeout, server.requestTimeout], [75_000, 10_000, 30_000])
  t.equal((await request(`${url}/health`, { headers: { via: '1.1 proxy' } })).status, 403, 'the loopback rule holds here too')
  t.match(await pocket.healthCheck(), { healthy: true, clientCount: 0, pendingChanges: 0, lastSyncTime: Number, detail: null })
})

t.test('attach on a server with an Express app takes /sync/* alone, and leaves its timers for uploads', async (t) => {
  const app = express()
  app.use(express.json())
  app.get('/health', (_request, response) => { response.json({ mine: true }) })
  app.post('/upload', (request, response) => { response.json(request.body) })
  app.use((_request, response) => { response.status(404).send('the app says no') })
  const server = createServer(app)
  makePocket(t).attach(server)
  const { url, port } = await listening(t, server)
  t.strictSame((await request(`${url}/health`)).json, { mine: true })
  t.equal((await request(`${url}/openapi.yaml`)).text, 'the app says no')
  t.match(await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }])), { status: 200, json: { success: true } })
  t.match(await request(`${url}/sync/nothing`), { status: 404, json: { code: 'not_found' } })
  t.equal(server.requestTimeout, 300_000)
  const text = await exchangeRaw(port, 'POST /upload HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n', { then: '{}' })
  t.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/, 'who asks the app whether to go on is told so')
  t.match(await exchangeRaw(port, 'POST /sync/push HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n'), /^HTTP\/1\.1 413 /)
})

t.test('a listener that is added after attach answers the rest, and nothing is answered twice', async (t) => {
  const server = createServer()
  makePocket(t).attach(server)
  const { url } = await listening(t, server)
  t.match((await request(`${url}/health`)).json, { status: 'ok' })
  let asked = 0
  const app = express()
  app.use((_request, response) => { asked++; response.send('late') })
  server.on('request', app)
  t.equal((await request(`${url}/health`)).text, 'late')
  t.match(await post(`${url}/sync/pull`, pullOf()), { status: 200, json: { type: 'pull-response' } })
  t.equal(asked, 1)
})

t.test('close gives an attached server back, open', async (t) => {
  const server = createServer((_request, response) => { response.end('mine') })
  const pocket = makePocket(t).attach(server)
  const { url } = await listening(t, server)
  t.equal((await request(`${url}/sync/info`)).status, 200)
  await Promise.all([pocket.close(), pocket.close()])
  t.equal((await request(`${url}/sync/info`)).text, 'mine')
})

t.test('a server whose log cannot be opened answers 503, and tries again', async (t) => {
  class LateLog extends MemoryChangeLog {
    broken = true
    override async open (): Promise<void> {
      if (this.broken) throw new Error('no such disk')
    }
  }
  const changeLog = new LateLog()
  const pocket = new PocketServer({ changeLog })
  t.teardown(() => pocket.close())
  const server = createServer()
  pocket.attach(server)
  const { url } = await listening(t, server)
  t.match(await request(`${url}/health`), { status: 503, json: { code: 'storage_unavailable' } })
  t.match(await pocket.healthCheck(), { healthy: false, detail: 'no such disk' })
  changeLog.broken = false
  t.match(await request(`${url}/health`), { status: 200 })
})

t.test('Express: the handler serves /sync/* behind the middleware of the app, and passes on the rest', async (t) => {
  const pocket = makePocket(t)
  const app = express()
  app.use('/sync', (request, response, next) => {
    if (request.headers.authorization === 'Bearer good') next()
    else response.status(401).json({ error: 'Unauthorized' })
  })
  app.use(pocket.handler)
  app.get('/health', (_request, response) => { response.json({ mine: true }) })
  const { url } = await listening(t, createServer(app))
  t.strictSame((await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]))).json, { error: 'Unauthorized' })
  t.match(await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]), { authorization: 'Bearer good' }), { status: 200, json: { success: true } })
  t.match(await request(`${url}/sync/nothing`, { headers: { authorization: 'Bearer good' } }), { status: 404, json: { code: 'not_found' } })
  t.strictSame((await request(`${url}/health`)).json, { mine: true })
})

t.test('Express: the handler may be mounted at a path, at /sync itself too', async (t) => {
  const pocket = makePocket(t)
  const app = express()
  app.use('/api', pocket.handler)
  app.use('/sync', pocket.handler)
  app.use('/v1/sync', pocket.handler)
  const { url } = await listening(t, createServer(app))
  for (const path of ['/api/sync/push', '/sync/push', '/v1/sync/push?x=1']) {
    t.match(await post(`${url}${path}`, pushOf('c', [{ documentId: path }])), { status: 200, json: { success: true } }, path)
  }
  t.equal((await request(`${url}/api/other`)).status, 404)
})

t.test('Express: a body that a parser has read before is taken as it left it, through the same gate', async (t) => {
  for (const parser of [express.json(), express.text({ type: '*/*' }), express.raw({ type: '*/*' })]) {
    const pocket = makePocket(t)
    const app = express()
    app.use(parser)
    app.use(pocket.handler)
    const { url } = await listening(t, createServer(app))
    const { json } = await post(`${url}/sync/push`, `{"type":"push","id":"1","timestamp":1,"collection":"c","changes":[
      {"operation":"insert","documentId":"a","timestamp":1,"document":{"n":null,"list":[1]}},
      {"operation":"insert","documentId":"b","timestamp":1,"document":{"__proto__":{}}}]}`)
    t.strictSame(json.results.map(({ status, error }: any) => error?.code ?? status), ['applied', 'forbidden_name'])
    const pulled = await post(`${url}/sync/pull`, pullOf())
    t.strictSame(pulled.json.changes.c[0].document, { n: null, list: [1] })
    t.equal(pulled.headers.get('cache-control'), 'private, no-store')
  }
})
