import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { request as requestTls } from 'node:https'
import type { RequestOptions } from 'node:https'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import { PocketServer } from '../../src/server.ts'
import { pullOf, pushOf } from '../support/app.ts'
import { requireProgram } from '../support/programs.ts'
import { ask, connectTo, pemPath, startTls, tlsOf } from '../support/tls.ts'

const json = { ':method': 'POST', 'content-type': 'application/json' }
const ca = tlsOf('localhost').cert

t.test('promise 5 (Live is pull): 30 streams and a push share one connection of HTTP/2, and the server ends them in order', async (t) => {
  const { pocket, session, ask } = await startTls(t)
  const streams = Array.from({ length: 30 }, () => {
    const stream = session.request({ ':path': '/sync/stream?since=0&collections=c' })
    let text = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
    return { stream, ended: once(stream, 'end'), text: () => text }
  })
  const pushed = await ask({ ...json, ':path': '/sync/push' }, JSON.stringify(pushOf('c', [{ documentId: 'a' }])))
  t.match(pushed, { status: 200, json: { success: true } })
  t.equal(pushed.headers.connection, undefined)
  while (!streams.every(({ text }) => text().includes('"documentId":"a"'))) await new Promise(resolve => setTimeout(resolve, 5))
  t.equal(pocket.getClients().length, 30)
  const gone = once(session, 'close')
  await pocket.close()
  await Promise.all(streams.map(({ ended }) => ended))
  t.ok(streams.every(({ text }) => /event: bye\ndata: \{"type":"bye","reason":"shutdown"/.test(text())), 'each is told why')
  await gone
})

t.test('a stream of HTTP/2 that its client resets, or the operator ends, is gone', async (t) => {
  const { pocket, session } = await startTls(t)
  const streams = [1, 2].map(() => session.request({ ':path': '/sync/stream' }).resume())
  for (const stream of streams) stream.on('error', () => {})
  while (pocket.getClients().length < 2) await new Promise(resolve => setTimeout(resolve, 5))
  streams[0]!.close(8)
  while (pocket.getClients().length > 1) await new Promise(resolve => setTimeout(resolve, 5))
  const ended = once(streams[1]!, 'close')
  t.ok(pocket.disconnectClient(pocket.getClients()[0]!.id))
  await ended
  t.equal(pocket.getClients().length, 0)
})

t.test('promise 9 (Clear): what is refused over HTTP/2 is refused with the same problems, and the connection goes on', async (t) => {
  const { ask, session } = await startTls(t, { limits: { bodyBytes: 100_000, requestMs: 300, headersMs: 300 } })
  const push = { ...json, ':path': '/sync/push' }
  t.match(await ask(push, Buffer.alloc(3_000_000, 'x')), { status: 413, json: { code: 'too_large', limit: { name: 'bodyBytes' } } })
  t.match(await ask({ ...push, 'content-length': 3_000_000 }, Buffer.alloc(3_000_000, 'x')), { status: 413, json: { code: 'too_large' } })
  t.match(await ask({ ...push, 'content-type': 'text/plain' }, Buffer.alloc(3_000_000, 'x')), { status: 415 })
  t.match(await ask({ ...push, ':path': '/nothing' }, '{}'), { status: 404 })
  t.match(await ask(push, '{"a":1,"a":1}'), { status: 400, json: { code: 'invalid_json' } })
  const slow = session.request(push)
  slow.write('{"type":')
  const [headers] = await once(slow, 'response') as [Record<string, unknown>]
  t.equal(headers[':status'], 408, 'a body that does not come in time')
  slow.resume().on('error', () => {}).end('}')
  await once(slow, 'close')
  t.match(await ask(push, JSON.stringify(pushOf('c', [{ documentId: 'a' }]))), { status: 200 })
  t.match(await ask({ ...json, ':path': '/sync/pull' }, JSON.stringify(pullOf())), { status: 200, json: { changes: { c: [{ documentId: 'a' }] } } })
})

t.test('promise 6 (Private): without authentication :authority must be a name of this machine, as Host must', async (t) => {
  const { ask } = await startTls(t)
  t.match(await ask({ ':path': '/health', ':authority': 'evil.example' }), { status: 403, json: { code: 'not_loopback' } })
  t.match(await ask({ ':path': '/health', ':authority': 'localhost', host: 'evil.example' }), { status: 400, json: { code: 'bad_request' } })
  t.match(await ask({ ':path': '/health', ':authority': 'localhost:1' }), { status: 200 })
  t.match(await ask({ ':path': '/health', 'x-forwarded-for': '127.0.0.1' }), { status: 403, json: { code: 'not_loopback' } })
})

t.test('HTTP/1.1 goes on beside HTTP/2, with the same limits', async (t) => {
  const { port, pocket } = await startTls(t, { limits: { headersMs: 200, requestMs: 200 } })
  const asked = requestTls({ port, host: '127.0.0.1', path: '/health', ca, ALPNProtocols: ['http/1.1'] } as RequestOptions).end()
  const [answer] = await once(asked, 'response') as [import('node:http').IncomingMessage]
  t.match(answer, { statusCode: 200, httpVersion: '1.1' })
  answer.resume()
  const slow = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'] }).setEncoding('utf8')
  slow.write('GET /health HTTP/1.1\r\n')
  t.match(await once(slow, 'data'), [/^HTTP\/1\.1 408 /])
  const unused = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'] }).resume()
  await once(unused, 'secureConnect')
  const closed = once(unused, 'close')
  await pocket.close()
  await closed
})

t.test('a browser that came by TLS is told to come by TLS again, except to this machine', async (t) => {
  const { ask } = await startTls(t, { open: true })
  t.equal((await ask({ ':path': '/health', ':authority': 'sync.example' })).headers['strict-transport-security'], 'max-age=31536000')
  t.equal((await ask({ ':path': '/nothing', ':authority': 'sync.example' })).headers['strict-transport-security'], 'max-age=31536000', 'errors too')
  t.equal((await ask({ ':path': '/health', ':authority': 'localhost:3000' })).headers['strict-transport-security'], undefined)
})

t.test('TLS before 1.2 is not spoken', async (t) => {
  const { port } = await startTls(t)
  const old = connectTls({ port, host: '127.0.0.1', ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
  t.match(await once(old, 'secureConnect').catch((error: Error) => error), Error)
})

t.test('a certificate is renewed without a restart, and a pair that does not fit changes nothing', async (t) => {
  const { port, pocket, ask: askBefore } = await startTls(t)
  t.match(await askBefore({ ':path': '/health' }), { status: 200 })
  const subject = async (): Promise<string> => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return String(subject.CN)
  }
  t.equal(await subject(), 'localhost')
  t.throws(() => pocket.renewTls({ key: tlsOf('localhost').key, cert: tlsOf('renewed').cert }), /mismatch/)
  t.equal(await subject(), 'localhost')
  pocket.renewTls(tlsOf('renewed'))
  t.equal(await subject(), 'renewed')
  t.match(await askBefore({ ':path': '/health' }), { status: 200 }, 'connections go on')
  t.throws(() => new PocketServer().renewTls(tlsOf('renewed')), TypeError)
})

t.test('curl speaks both', async (t) => {
  if (!requireProgram(t, 'curl', 'apt-get install curl')) return
  const { url } = await startTls(t)
  for (const [option, version] of [['--http2', '2'], ['--http1.1', '1.1']] as const) {
    const { stdout } = await promisify(execFile)('curl', ['-s', option, '--cacert', pemPath('localhost', 'cert'), '-w', '%{http_version}', `${url}/health`])
    t.match(stdout, new RegExp(`"status":"ok".*${version.replace('.', '\\.')}$`))
  }
})

t.test('promise 7 (Isolated): a reader of a stream of HTTP/2 who takes nothing is dropped, and the others go on', async (t) => {
  const { url, pocket, session, ask: askOn } = await startTls(t, { clientTimeout: 1000, limits: { socketBytes: 1000 } })
  const other = connectTo(t, url)
  const stalled = session.request({ ':path': '/sync/stream?since=0' })
  stalled.on('error', () => {})
  while (pocket.getClients().length < 1) await new Promise(resolve => setTimeout(resolve, 5))
  const document = { text: 'x'.repeat(100_000) }
  for (let i = 0; i < 4; i++) t.match(await ask(other, { ...json, ':path': '/sync/push' }, JSON.stringify(pushOf('c', [{ documentId: String(i), document }]))), { status: 200 })
  while (pocket.getClients().length > 0) await new Promise(resolve => setTimeout(resolve, 5))
  t.match(await askOn({ ':path': '/health' }), { status: 200 }, 'on its connection too')
})
