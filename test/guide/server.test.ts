import { mkdtempSync, existsSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import t, { type Test } from 'tap'
import { MemoryChangeLog, PocketServer, type ChangeLog, type PubSub, type ServerConfig } from '../../src/index.ts'
import { post, pullOf, pushOf, request, startApp } from '../support/app.ts'
import { ArrayLog, PostgresChangeLog, TestPool } from '../support/own-logs.ts'

async function listening (t: Test, server: Server, pocket: PocketServer): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    await pocket.close()
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What every one of the guide's servers must be able to do. */
async function syncs (t: Test, url: string): Promise<void> {
  const pushed = await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'todo-1', document: { _id: 'todo-1', title: 'Task' } }]))
  t.match(pushed, { status: 200, json: { success: true, checkpoint: { global: 1 } } })
  const pulled = await post(`${url}/sync/pull`, pullOf({ collections: ['todos'] }))
  t.match(pulled, { status: 200, json: { changes: { todos: [{ documentId: 'todo-1', document: { title: 'Task' } }] }, hasMore: false } })
}

t.test('Basic Server: an http.Server without a listener serves sync and health, its log SQLite in the working directory', async t => {
  const home = mkdtempSync(join(tmpdir(), 'pocket-guide-'))
  const before = process.cwd()
  process.chdir(home)
  const pocket = new PocketServer({
    // Optional: custom storage for server-side data
  })
  const server = createServer()
  pocket.attach(server)
  const url = await listening(t, server, pocket)
  await syncs(t, url)
  t.match(await request(`${url}/health`), { status: 200, json: { status: 'ok' } })
  t.ok(existsSync(join(home, 'pocket.db')))
  process.chdir(before)
  t.teardown(() => rmSync(home, { recursive: true }))
})

t.test('With Express: /sync/* is served, every other route stays the application\'s', async t => {
  const app = express()
  const server = createServer(app)
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  pocket.attach(server)
  app.get('/api/health', (_req, res) => { res.json({ status: 'ok' }) })
  const url = await listening(t, server, pocket)
  await syncs(t, url)
  t.match(await request(`${url}/api/health`), { status: 200, json: { status: 'ok' } })
  t.match(await request(`${url}/health`), { status: 404, text: /Cannot GET/ })
})

t.test('With Express Middleware: the application\'s own check stands before .handler', async t => {
  const app = express()
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  app.use('/sync', (req, res, next) => {
    const token = req.headers.authorization?.replace('Bearer ', '')
    if (token === 'good') next()
    else res.status(401).json({ error: 'Unauthorized' })
  })
  app.use(pocket.handler)
  const url = await listening(t, createServer(app), pocket)
  t.match(await post(`${url}/sync/pull`, pullOf()), { status: 401, json: { error: 'Unauthorized' } })
  t.equal((await post(`${url}/sync/pull`, pullOf(), { authorization: 'Bearer good' })).status, 200)
})

t.test('With WebSocket: attachWebSocket throws and names what to use instead', async t => {
  const pocket = new PocketServer()
  t.throws(() => pocket.attachWebSocket({}), { message: /Server-Sent Events.*attach\(.*\/sync\/stream/ })
})

t.test('Server Configuration: the options of the guide are taken, wrong values are named', async t => {
  const pubsub: PubSub = { subscribe: async () => async () => {}, publish () {}, close: async () => {} }
  const config: ServerConfig = {
    authenticate: async () => ({ userId: 'ada' }),
    authorize: async () => true,
    changeLog: new MemoryChangeLog(),
    pubsub,
    maxConnectionsPerUser: 5,
    heartbeatInterval: 20_000,
    clientTimeout: 45_000
  }
  await syncs(t, (await startApp(t, config)).url)
  t.throws(() => new PocketServer({ heartbeatInterval: 1 }), { name: 'TypeError', message: /heartbeatInterval must be a number from 5000 to 25000/ })
  t.throws(() => new PocketServer({ clientTimeout: NaN }), { name: 'TypeError', message: /clientTimeout/ })
  t.throws(() => new PocketServer({ maxConnectionsPerUser: -1 }), { name: 'TypeError', message: /streamsPerUser/ })
})

t.test('Memory Change Log: what it holds ends with it', async t => {
  const { url } = await startApp(t)
  await syncs(t, url)
  const other = await startApp(t)
  t.match((await post(`${other.url}/sync/pull`, pullOf())).json, { changes: {}, checkpoint: { global: 0 } })
})

t.test('Custom Change Log: a class with the seven methods works unchanged, and what it holds outlives the server', async t => {
  for (const log of [new ArrayLog(), new PostgresChangeLog(new TestPool())] satisfies ChangeLog[]) {
    const first = await startApp(t, { changeLog: log })
    await syncs(t, first.url)
    await first.pocket.close()
    const { url } = await startApp(t, { changeLog: log })
    t.match((await post(`${url}/sync/pull`, pullOf())).json, { changes: { todos: [{ documentId: 'todo-1' }] }, checkpoint: { global: 1 } })
  }
  const incomplete = { append: async () => {}, getSince: async () => [] } as unknown as ChangeLog
  t.throws(() => new PocketServer({ changeLog: incomplete }), { name: 'TypeError', message: /^changeLog has no getForCollection, get, getCurrentSequence, compact, clear:/ })
})

t.test('Client Management: open streams are listed and can be ended', async t => {
  const { pocket, url } = await startApp(t)
  t.same(pocket.getClients(), [])
  const stream = await fetch(`${url}/sync/stream?collections=todos`)
  const clients = pocket.getClients()
  t.equal(clients.length, 1)
  t.equal(pocket.disconnectClient(clients[0]!.id), true)
  await stream.text().catch(() => {})
  t.same(pocket.getClients(), [])
  t.equal(pocket.disconnectClient('nobody'), false)
})

t.test('Health Check Endpoint: healthCheck() has the members of the example', async t => {
  const app = express()
  const server = createServer(app)
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  pocket.attach(server)
  app.get('/health', async (_req, res) => {
    const health = await pocket.healthCheck()
    res.json({
      status: health.healthy ? 'ok' : 'degraded',
      clients: health.clientCount,
      pendingChanges: health.pendingChanges,
      lastSync: health.lastSyncTime
    })
  })
  const url = await listening(t, server, pocket)
  t.same((await request(`${url}/health`)).json, { status: 'ok', clients: 0, pendingChanges: 0, lastSync: null })
  await syncs(t, url)
  const { lastSync } = (await request(`${url}/health`)).json
  t.type(lastSync, 'number')
  await pocket.close()
  t.match((await request(`${url}/health`)).json, { status: 'degraded' })
})
