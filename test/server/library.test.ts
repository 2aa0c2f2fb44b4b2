import t from 'tap'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { openBackend } from '../../src/backends.ts'
import { MemoryChangeLog, PocketServer, PostgresChangeLog, RedisChangeLog, SqliteChangeLog } from '../../src/index.ts'
import type { ChangeLog, ServerConfig } from '../../src/index.ts'
import { post, pullOf, pushOf, request } from '../support/app.ts'
import { SseClient } from '../support/sse-client.ts'

t.test('listen opens the log, says where it listens, and close ends all of it', async (t) => {
  const path = join(t.testdir(), 'pocket.db')
  const log = new SqliteChangeLog(path)
  const pocket = new PocketServer({ changeLog: log })
  const { address, port, url } = await pocket.listen(0)
  t.strictSame([address, url], ['127.0.0.1', `http://127.0.0.1:${port}`])
  t.match(await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }])), { json: { success: true } })
  await pocket.close()
  await t.rejects(request(`${url}/health`))
  t.equal(await log.getCurrentSequence(), 1, 'a log that was passed in stays open')
  await t.rejects(pocket.listen(0), { code: 'draining' })
  await log.close()

  const again = new SqliteChangeLog(path)
  const next = new PocketServer({ changeLog: again })
  t.teardown(async () => { await next.close(); await again.close() })
  const { url: elsewhere } = await next.listen(0, '::1')
  t.match(elsewhere, /^http:\/\/\[::1\]:\d+$/)
  t.match((await post(`${elsewhere}/sync/pull`, pullOf())).json, { changes: { c: [{ documentId: 'a' }] } })
})

t.test('a crowd that waits leaves no warning of a leak', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', note)
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  t.teardown(async () => { process.off('warning', note); await pocket.close() })
  const { url } = await pocket.listen(0)
  const crowd = Array.from({ length: 20 }, () => post(`${url}/sync/pull`, { ...pullOf(), checkpoint: { global: 0 }, waitMs: 300 }))
  t.strictSame((await Promise.all(crowd)).map(({ status }) => status), crowd.map(() => 200))
  t.strictSame(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning'), [])
})

t.test('the default log is SQLite at ./pocket.db, opened when the server is used and closed with it', async (t) => {
  const before = process.cwd()
  process.chdir(t.testdir())
  t.teardown(() => process.chdir(before))
  const pocket = new PocketServer()
  t.notOk(existsSync('pocket.db'))
  t.match(await pocket.healthCheck(), { healthy: true, detail: null })
  t.ok(existsSync('pocket.db'))
  await pocket.close()
  const log = new SqliteChangeLog('pocket.db')
  await log.open()
  await log.close()
})

t.test('an address that cannot be used is an error with its code', async (t) => {
  const [one, two] = [new PocketServer({ changeLog: new MemoryChangeLog() }), new PocketServer({ changeLog: new MemoryChangeLog() })]
  t.teardown(() => Promise.all([one.close(), two.close()]))
  const { port } = await one.listen(0)
  await t.rejects(two.listen(port), { code: 'EADDRINUSE' })
  t.match(await two.listen(0), { port: Number })
})

t.test('a server that was never used closes at once', async () => {
  await new PocketServer().close()
})

t.test('the examples of users compile and say what they cannot do', async (t) => {
  const config: ServerConfig = { changeLog: new MemoryChangeLog(), maxConnectionsPerUser: 5, heartbeatInterval: 15_000, clientTimeout: 60_000 }
  t.throws(() => new PocketServer(config).attachWebSocket({}), { message: /attach\(httpServer\).*\/sync\/stream/ })
  const seven = { append () {}, getSince () {} } as unknown as ChangeLog
  t.throws(() => new PocketServer({ changeLog: seven }), TypeError)
  t.throws(() => new PocketServer({ authenticate: 'x' } as object), { name: 'TypeError', message: /authenticate must be a function/ })
  t.strictSame(new PocketServer().getClients(), [])
  t.equal(new PocketServer().disconnectClient('nobody'), false)
})

t.test('a change log is named by a path, sqlite:<path>, :memory:, or the URL of a server, which is not asked yet', async (t) => {
  const folder = t.testdir()
  for (const name of [':memory:', 'memory:']) t.ok(await openBackend(name) instanceof MemoryChangeLog, name)
  for (const name of [join(folder, 'a.db'), `sqlite:${join(folder, 'b.db')}`]) t.ok(await openBackend(name) instanceof SqliteChangeLog, name)
  for (const name of ['postgres://127.0.0.1:1/x', 'postgresql://127.0.0.1:1/x']) t.ok(await openBackend(name) instanceof PostgresChangeLog, name)
  for (const name of ['redis://127.0.0.1:1', 'rediss://127.0.0.1:1/3']) t.ok(await openBackend(name) instanceof RedisChangeLog, name)
  for (const name of ['mysql://localhost/x', 'sqlite:']) await t.rejects(openBackend(name), TypeError, name)
})

t.test('an option that is not offered is refused by name', (t) => {
  t.throws(() => new PocketServer({ onMetric () {} } as object), { message: /onMetric is not supported.*changeLog/ })
  t.end()
})

t.test('streams are told of as they open and end; what the application throws there harms none', async (t) => {
  const seen: string[] = []
  const pocket = new PocketServer({
    changeLog: new MemoryChangeLog(),
    onClientConnect ({ id }) {
      seen.push(`+${id}`)
      throw new Error('of the application')
    },
    onClientDisconnect ({ id }) { seen.push(`-${id}`) }
  })
  const { url } = await pocket.listen(0)
  t.teardown(() => pocket.close())
  const stream = await SseClient.connect(`${url}/sync/stream?collections=todos`)
  const [client] = pocket.getClients()
  t.match(client, { collections: ['todos'], since: 'now' })
  t.equal(pocket.disconnectClient(client!.id), true)
  t.same(seen, [`+${client!.id}`, `-${client!.id}`])
  stream.close()
})

t.test('a connection on which nothing was asked does not hold up the end', async (t) => {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), limits: { graceMs: 600_000 } })
  const { port } = await pocket.listen(0)
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const ended = once(socket, 'close')
  await pocket.close()
  await ended
  t.equal(socket.destroyed, true)
})
