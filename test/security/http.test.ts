import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { exchangeRaw, parseRaw, post, pullOf, pushOf, request, startApp, type Started } from '../support/app.ts'
import { ask, connectTo, startTls, tlsOf } from '../support/tls.ts'

const head = (lines: readonly string[], path = '/sync/push'): string => [`POST ${path} HTTP/1.1`, 'Host: localhost', 'Content-Type: application/json', ...lines, '', ''].join('\r\n')
const sized = (body: string | Buffer, lines: readonly string[] = []): string => head([`Content-Length: ${Buffer.byteLength(body)}`, 'Connection: close', ...lines])

/** The first answer, for senders that then hang up: the server reads on for a while, so that it arrives. */
async function send (port: number, text: string | Buffer): Promise<ReturnType<typeof parseRaw>> {
  const socket = connect(port, '127.0.0.1', () => { socket.write(text) })
  let got = ''
  socket.on('error', () => {}).setEncoding('latin1')
  for await (const chunk of socket) {
    got += chunk as string
    const length = /content-length: (\d+)\r\n/i.exec(got)?.[1]
    if (got.includes('\r\n\r\n') && got.split('\r\n\r\n')[1]!.length >= Number(length)) break
  }
  return parseRaw(got)
}

/** Whatever was done to it, it answers the next one. */
async function goesOn (t: Test, { url }: Pick<Started, 'url'>): Promise<void> {
  t.match(await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'next' }])), { status: 200 }, 'and the next one is served')
}

/** What became of the one change with this document. */
async function resultOf (url: string, document: string): Promise<{ status: number, code?: string, result?: string }> {
  const { status, json } = await post(`${url}/sync/push`, JSON.stringify(pushOf('c', [{ documentId: 'a', document: 'HERE' }])).replace('"HERE"', document))
  return { status, code: json.results?.[0]?.error?.code ?? json.code, result: json.results?.[0]?.status }
}

t.test('promise 7 (Isolated): bodies beyond limits.bodyBytes and limits.decodedBytes: declared, chunked, compressed', async (t) => {
  const app = await startApp(t, { limits: { bodyBytes: 10_000, decodedBytes: 20_000 } })
  const bomb = gzipSync(Buffer.alloc(2_000_000))
  const attacks: Array<[string, string | Buffer, string]> = [
    ['declared', head(['Content-Length: 99999999999']), 'bodyBytes'],
    ['chunked', head(['Transfer-Encoding: chunked']) + `4000\r\n${'x'.repeat(0x4000)}\r\n0\r\n\r\n`, 'bodyBytes'],
    ['a bomb', Buffer.concat([Buffer.from(sized(bomb, ['Content-Encoding: gzip'])), bomb]), 'decodedBytes']
  ]
  for (const [what, text, name] of attacks) t.match(await send(app.port, text), { status: 413, json: { code: 'too_large', limit: { name } } }, what)
  t.match(await send(app.port, sized(bomb, ['Content-Encoding: gzip, gzip']) + 'x'), { status: 415 }, 'a bomb within a bomb')
  await goesOn(t, app)
})

t.test('promise 7 (Isolated): what is wrong within a document condemns its change alone: limits.depth, limits.documentBytes, names, numbers, surrogates', async (t) => {
  const { url } = await startApp(t)
  const attacks: Array<[string, string]> = [
    [`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'too_deep'],
    [`{"a":"${'x'.repeat(1_100_000)}"}`, 'document_too_large'],
    ['{"__proto__":{"admin":true}}', 'forbidden_name'],
    ['{"\\u005f_proto__":{"admin":true}}', 'forbidden_name'],
    ['{"a":1,"a":2}', 'duplicate_name'],
    ['{"a":"\\ud800"}', 'lone_surrogate'],
    ['{"a":1e400}', 'number_out_of_range']
  ]
  for (const [document, code] of attacks) t.strictSame(await resultOf(url, document), { status: 200, code, result: 'rejected' }, document.slice(0, 40))
  t.match(await resultOf(url, '{"constructor":1,"toString":2,"prototype":3}'), { status: 200, result: 'applied' }, 'and ordinary data stays so')
  t.equal(({} as { admin?: unknown }).admin, undefined)
})

t.test('promise 9 (Clear): what is no JSON of this protocol is refused whole, and nothing is written', async (t) => {
  const app = await startApp(t)
  const attacks: Array<[string | Buffer, number]> = [
    ['{', 400], ['', 400], ['null', 400], ['[]', 400], ['"'.repeat(99_999), 400], ['['.repeat(99_999), 400],
    ['{"type":"push","type":"pull"}', 400], ['{"__proto__":{}}', 400], [Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 400], ['\ufeff{}', 400],
    [JSON.stringify(pushOf('c', [{ documentId: 'a' }], { timestamp: 1e308 })), 400], ['{"a":1e999}', 400]
  ]
  for (const [body, status] of attacks) t.equal((await post(`${app.url}/sync/push`, body as string)).status, status, String(body).slice(0, 40))
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json; charset=utf-16', '']) {
    t.equal((await post(`${app.url}/sync/push`, '{}', { 'content-type': type })).status, 415, `Content-Type ${type}`)
  }
  t.match(await post(`${app.url}/sync/pull`, pullOf()), { json: { changes: {} } })
})

t.test('promise 7 (Isolated): slow headers and slow bodies end after limits.headersMs and limits.requestMs, whatever drips in', async (t) => {
  const app = await startApp(t, { limits: { headersMs: 300, requestMs: 400 } })
  const drip = (begin: string, drop: string): Promise<string> => new Promise((resolve) => {
    let text = ''
    const socket = connect(app.port, '127.0.0.1', () => { socket.write(begin) })
    const timer = setInterval(() => socket.write(drop), 50)
    socket.on('error', () => {}).setEncoding('latin1').on('data', (chunk: string) => { text += chunk }).on('close', () => { clearInterval(timer); resolve(text) })
  })
  const found = await Promise.all([drip('GET /health HTTP/1.1\r\n', 'X: y\r\n'), drip(head(['Content-Length: 5000']), 'x'), drip(head(['Transfer-Encoding: chunked']), '1\r\nx\r\n')])
  for (const text of found) t.match(text, /^HTTP\/1\.1 408 /)
  await goesOn(t, app)
})

t.test('promise 7 (Isolated): a reader who takes no answer is cut off after limits.stallMs', async (t) => {
  const app = await startApp(t, { limits: { stallMs: 300 } })
  const document = { text: 'x'.repeat(900_000) }
  for (let i = 0; i < 10; i++) await post(`${app.url}/sync/push`, pushOf('c', [{ documentId: `d${i}`, document }]))
  const body = JSON.stringify(pullOf())
  const asked = (head([`Content-Length: ${body.length}`], '/sync/pull') + body).repeat(40)
  const all = 40 * (await post(`${app.url}/sync/pull`, body)).text.length
  // Of which for a while nothing is read: what is left then was not sent to the end.
  const taken = async (afterMs: number): Promise<number> => {
    const socket = connect(app.port, '127.0.0.1').on('error', () => {})
    socket.pause().write(asked)
    await new Promise(resolve => setTimeout(resolve, afterMs))
    let bytes = 0
    socket.on('data', ({ length }: Buffer) => { if ((bytes += length) >= all) socket.destroy() }).resume()
    await once(socket, 'close')
    return bytes
  }
  for (let wait = 1000; await taken(wait) >= all; wait *= 2);
  t.pass('it is cut off')
  await goesOn(t, app)
})

t.test('promise 7 (Isolated): header floods and long URLs end at limits.headerBytes and limits.urlBytes', async (t) => {
  const app = await startApp(t)
  const flood = Array.from({ length: 5000 }, (_, i) => `X-${i}: y`)
  t.match(await send(app.port, head(flood)), { status: 431, json: { code: 'headers_too_large' } })
  t.match(await send(app.port, head([`X: ${'y'.repeat(100_000)}`])), { status: 431 })
  t.match(await send(app.port, head([], `/sync/push?${'x'.repeat(9000)}`)), { status: 414, json: { code: 'uri_too_long' } })
  await goesOn(t, app)
})

t.test('promise 9 (Clear): two readings of one request are one refusal: no smuggling behind a proxy', async (t) => {
  const app = await startApp(t)
  const hidden = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const attacks: Array<[string, string, number]> = [
    ['length and chunked', head(['Content-Length: 4', 'Transfer-Encoding: chunked']) + `0\r\n\r\n${hidden}`, 400],
    ['two lengths', head(['Content-Length: 0', `Content-Length: ${hidden.length}`]) + hidden, 400],
    ['a length of signs', head(['Content-Length: +4']) + hidden, 400],
    ['two codings', head(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity']) + `0\r\n\r\n${hidden}`, 400],
    ['a coding in disguise', head(['Transfer-Encoding: xchunked']) + `0\r\n\r\n${hidden}`, 400],
    ['a space before the colon', head(['Content-Length : 4']) + hidden, 400],
    ['a folded line', head(['X: a\r\n b', `Content-Length: ${hidden.length}`]) + hidden, 400],
    ['bare line feeds', 'POST /sync/push HTTP/1.1\nHost: localhost\nContent-Length: 4\n\n' + hidden, 400],
    ['a chunk size beyond all', head(['Transfer-Encoding: chunked']) + `fffffffffffffffff\r\n${hidden}`, 400],
    ['a chunk that does not end', head(['Transfer-Encoding: chunked']) + `1\r\nxGET /health\r\n0\r\n\r\n${hidden}`, 400]
  ]
  for (const [what, text, status] of attacks) {
    const answer = await exchangeRaw(app.port, text)
    t.match(answer, new RegExp(`^HTTP/1\\.1 (${status}|501) `), what)
    t.notMatch(answer, /"status":"ok"/, `${what}: nothing hides behind it`)
  }
  await goesOn(t, app)
})

t.test('promise 7 (Isolated): a flood of pipelined requests and games with Expect hold nobody else up', async (t) => {
  const app = await startApp(t)
  const text = await exchangeRaw(app.port, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(2000) + 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  t.equal([...text.matchAll(/HTTP\/1\.1 200 /g)].length, 2001)
  t.match(await exchangeRaw(app.port, head(['Expect: 100-continue', 'Content-Length: 99999999999'])), /^HTTP\/1\.1 413 /, 'no 100 for what is too large')
  t.match(await exchangeRaw(app.port, head(['Expect: 200-ok', 'Content-Length: 2', 'Connection: close']) + '{}'), /^HTTP\/1\.1 4\d\d /)
  await goesOn(t, app)
})

t.test('promise 7 (Isolated): a thousand streams end at limits.streams, in band', async (t) => {
  const app = await startApp(t, { limits: { streams: 50 } })
  const answers = await Promise.all(Array.from({ length: 300 }, () => exchangeRaw(app.port, 'HEAD /sync/stream HTTP/1.1\r\nHost: localhost\r\n\r\n')))
  t.equal(answers.length, 300, 'what only looks opens none')
  const sockets = Array.from({ length: 300 }, () => connect(app.port, '127.0.0.1'))
  let [open, over] = [0, 0]
  for (const socket of sockets) {
    let text = ''
    socket.on('error', () => {}).setEncoding('utf8').on('data', (chunk: string) => {
      if (!text.includes('event:') && (text + chunk).includes('event: hello')) open++
      if (!text.includes('event: bye') && (text + chunk).includes('event: bye')) over++
      text += chunk
    }).write('GET /sync/stream HTTP/1.1\r\nHost: localhost\r\n\r\n')
  }
  while ([open, over].reduce((sum, n) => sum + n) < 300) await new Promise(resolve => setTimeout(resolve, 5))
  t.strictSame([open, over, app.pocket.getClients().length], [50, 250, 50])
  for (const socket of sockets) socket.destroy()
  await goesOn(t, app)
})

/** A frame of HTTP/2 (RFC 9113, section 4.1). */
function frame (type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const literal = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])
const get = Buffer.concat([Buffer.from([0x82, 0x87]), literal(':path', '/sync/stream'), literal(':authority', 'localhost')])
const [HEADERS, RST_STREAM, SETTINGS, CONTINUATION] = [1, 3, 4, 9] as const

/** A connection of HTTP/2 that is spoken by hand, until the server ends it. */
async function speak (t: Test, port: number, frames: () => Iterable<Buffer>): Promise<boolean> {
  const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', ca: tlsOf('localhost').cert, ALPNProtocols: ['h2'] }).on('error', () => {}).resume()
  t.teardown(() => socket.destroy())
  let wake = (): void => {}
  for (const event of ['drain', 'close']) socket.on(event, () => wake())
  await once(socket, 'secureConnect')
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0, Buffer.alloc(0))]))
  for (const bytes of frames()) {
    if (socket.closed || socket.destroyed) return true
    if (!socket.write(bytes)) await new Promise<void>(resolve => { wake = resolve })
  }
  if (!socket.closed) await once(socket, 'close')
  return true
}

t.test('promise 7 (Isolated): HTTP/2: rapid reset, floods of CONTINUATION and of SETTINGS end their connection, and the others go on', async (t) => {
  const app = await startTls(t)
  const attacks: Record<string, () => Iterable<Buffer>> = {
    'rapid reset': function * () {
      for (let id = 1; id < 100_000; id += 2) yield Buffer.concat([frame(HEADERS, 5, id, get), frame(RST_STREAM, 0, id, Buffer.from([0, 0, 0, 8]))])
    },
    CONTINUATION: function * () {
      yield frame(HEADERS, 1, 1, get)
      for (let i = 0; i < 10_000; i++) yield frame(CONTINUATION, 0, 1, literal(`x-${i}`, 'y'.repeat(100)))
    },
    SETTINGS: function * () { for (let i = 0; i < 200_000; i++) yield frame(SETTINGS, 0, 0, Buffer.alloc(0)) }
  }
  for (const [what, frames] of Object.entries(attacks)) {
    t.ok(await speak(t, app.port, frames), what)
    t.match(await app.ask({ ':path': '/health' }), { status: 200 }, `after ${what}`)
  }
})

t.test('promise 7 (Isolated): HTTP/2: large headers and more requests at once than limits.connectionRequests are refused one by one', async (t) => {
  const { url, ask: askOn } = await startTls(t, { limits: { connectionRequests: 10 } })
  const bombed = connectTo(t, url)
  const many = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`x-${i}`, 'y'.repeat(100)]))
  await t.rejects(ask(bombed, { ':path': '/health', ...many }))
  const session = connectTo(t, url)
  t.match(await ask(session, { ':path': '/health' }), { status: 200 }, 'the limit is known')
  const wait = JSON.stringify(pullOf({ waitMs: 300 }))
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(session, { ':path': '/sync/pull', ':method': 'POST', 'content-type': 'application/json' }, wait)))
  t.ok(answers.every(({ status }) => status === 200), 'a client that knows the limit waits')
  t.match(await askOn({ ':path': '/health' }), { status: 200 })
})

t.test('promise 6 (Private): answers do not say what they are made of, and no other origin can load them', async (t) => {
  const { url } = await startApp(t)
  for (const path of ['/health', '/docs', '/openapi.json', '/nothing', '/sync/info']) {
    const { headers } = await request(`${url}${path}`)
    for (const name of ['server', 'x-powered-by', 'access-control-allow-origin', 'strict-transport-security']) t.equal(headers.get(name), null, `${path}: ${name}`)
    t.match({ ...Object.fromEntries(headers) }, { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'cross-origin-resource-policy': 'same-origin' }, path)
  }
})
