import t from 'tap'
import { PocketServer } from '../../src/server.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { gzipSync } from 'node:zlib'
import { exchangeRaw, parseRaw, post, pushOf, request, startApp } from '../support/app.ts'

const body = JSON.stringify(pushOf('c', [{ documentId: 'a' }]))

function head (length: number, lines: string[] = [], host = 'localhost'): string {
  return ['POST /sync/push HTTP/1.1', `Host: ${host}`, 'Content-Type: application/json', `Content-Length: ${length}`, 'Connection: close', ...lines, '', ''].join('\r\n')
}

const small = { limits: { bodyBytes: 1000, decodedBytes: 2000 } }

t.test('promise 7 (Isolated): a body that does not come in time is answered 408', async (t) => {
  const { port } = await startApp(t, { limits: { headersMs: 200, requestMs: 200 } })
  const answer = parseRaw(await exchangeRaw(port, `${head(body.length)}${body.slice(0, 20)}`))
  t.match(answer, { status: 408, json: { code: 'request_timeout', retryable: true } })
})

t.test('promise 7 (Isolated): a bomb of compressed zeros is stopped by what it unpacks to', async (t) => {
  const { port } = await startApp(t, small)
  const bomb = gzipSync(Buffer.alloc(200_000))
  t.ok(bomb.length < 1000)
  const answer = parseRaw(await exchangeRaw(port, Buffer.concat([Buffer.from(head(bomb.length, ['Content-Encoding: gzip'])), bomb])))
  t.match(answer, { status: 413, json: { code: 'too_large', retryable: false, limit: { name: 'decodedBytes', max: 2000 } } })
})

t.test('a body that is refused before it is read does not cut off the answer of a sender that sends all of it first', async (t) => {
  const { port, url } = await startApp(t, small)
  const answer = parseRaw(await exchangeRaw(port, `${head(4_000_000)}${'x'.repeat(4_000_000)}`))
  t.match(answer, { status: 413, json: { limit: { name: 'bodyBytes' } } })
  t.equal(answer.headers.get('connection'), 'close')
  t.equal(answer.headers.get('content-length'), String(Buffer.byteLength(JSON.stringify(answer.json))))
  t.equal((await post(`${url}/nothing`, 'x'.repeat(3_000_000))).status, 404)
  const chunked = parseRaw(await exchangeRaw(port, `POST /sync/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${`400\r\n${'x'.repeat(1024)}\r\n`.repeat(3)}0\r\n\r\n`))
  t.match(chunked, { status: 413, json: { limit: { name: 'bodyBytes' } } }, 'also one that does not say its length')
})

t.test('100 Continue is sent only where the body is wanted', async (t) => {
  const { port } = await startApp(t, small)
  const wanted = await exchangeRaw(port, head(body.length, ['Expect: 100-continue']), { then: body })
  t.match(wanted, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  for (const refused of [head(5000, ['Expect: 100-continue']), head(10, ['Expect: 100-continue']).replace('application/json', 'text/plain'), head(10, ['Expect: 100-continue'], 'evil.example')]) {
    t.match(await exchangeRaw(port, refused), /^HTTP\/1\.1 4(13|15|03) /)
  }
})

t.test('requests follow each other on one connection, also after an error', async (t) => {
  const { port } = await startApp(t)
  const one = head(body.length).replace('Connection: close\r\n', '') + body
  const wrong = head(2).replace('Connection: close\r\n', '') + '{}'
  const text = await exchangeRaw(port, one + wrong + head(body.length) + body)
  t.strictSame([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status), ['200', '400', '200'])
})

t.test('what two parties could read in two ways is refused', async (t) => {
  const { port } = await startApp(t)
  const lines: Array<[string, number, string]> = [
    ['Authorization: Bearer a\r\nAuthorization: Bearer b', 400, 'duplicate_header'],
    ['Last-Event-ID: 1\r\nLast-Event-ID: 2', 400, 'duplicate_header'],
    ['Transfer-Encoding: chunked', 400, 'bad_request'],
    ['Content-Length: 7', 400, 'bad_request'],
    ['X: a\u0000b', 400, 'bad_request']
  ]
  for (const [line, status, code] of lines) t.match(parseRaw(await exchangeRaw(port, head(2, [line]) + '{}')), { status, json: { code } }, JSON.stringify(line))
  t.match(parseRaw(await exchangeRaw(port, 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n')), { status: 400, json: { code: 'bad_request' } }, 'no Host')
  t.match(parseRaw(await exchangeRaw(port, 'GET /%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')), { status: 400, json: { code: 'bad_request' } }, 'no URL')
  t.match(parseRaw(await exchangeRaw(port, `GET /${'x'.repeat(30_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`)), { status: 414, json: { code: 'uri_too_long' } }, 'a URL beyond all headers')
  t.match(parseRaw(await exchangeRaw(port, head(2).replace('application/json', 'not a type') + '{}')), { status: 415 }, 'no media type')
  t.match(parseRaw(await exchangeRaw(port, 'PROPFIND /sync/push HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')), { status: 405 }, 'a method of elsewhere')
})

t.test('application/json is taken with and without charset, in any case', async (t) => {
  const { port } = await startApp(t)
  for (const type of ['application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']) t.equal(parseRaw(await exchangeRaw(port, head(body.length).replace('application/json', type) + body)).status, 200, type)
  for (const type of ['application/json; charset=latin1', 'application/merge-patch+json']) t.equal(parseRaw(await exchangeRaw(port, head(body.length).replace('application/json', type) + body)).status, 415, type)
})

t.test('promise 6 (Private): without authentication only this machine is answered, at every path', async (t) => {
  const { port, url } = await startApp(t)
  const refused = { status: 403, json: { code: 'not_loopback' } }
  for (const name of ['Forwarded: for=1.1.1.1', 'X-Forwarded-For: 127.0.0.1', 'x-forwarded-host: localhost', 'X-Real-IP: 127.0.0.1', 'Via: 1.1 proxy', 'CF-Connecting-IP: 127.0.0.1']) {
    t.match(parseRaw(await exchangeRaw(port, head(body.length, [name]) + body)), refused, name)
  }
  for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', '1270.0.0.1', '']) t.match(parseRaw(await exchangeRaw(port, head(body.length, [], host) + body)), refused, `Host ${host}`)
  for (const host of ['localhost', `LOCALHOST:${port}`, 'app.localhost:80', '127.0.0.1', '127.8.9.1:1', '[::1]:3000']) t.match(parseRaw(await exchangeRaw(port, head(body.length, [], host) + body)).status, 200, `Host ${host}`)
  for (const path of ['/health', '/docs', '/sync/info', '/nothing']) t.match(await request(`${url}${path}`, { headers: { via: '1.1 proxy' } }), refused, path)
})

t.test('promise 6 (Private): a web page of elsewhere cannot push through the browser of this machine', async (t) => {
  const { port } = await startApp(t)
  for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example']) {
    t.match(parseRaw(await exchangeRaw(port, head(body.length, [`Origin: ${origin}`]) + body)), { status: 403, json: { code: 'not_loopback' } }, origin)
  }
  for (const origin of ['http://localhost:5173', `http://127.0.0.1:${port}`]) t.equal(parseRaw(await exchangeRaw(port, head(body.length, [`Origin: ${origin}`]) + body)).status, 200, origin)
})

t.test('configured hosts are as good as loopback ones, and "open" answers all', async (t) => {
  const named = await startApp(t, { hosts: ['Box.lan', 'proxy.lan:8080'] })
  for (const [host, status] of [['box.lan', 200], ['BOX.LAN:3000', 200], ['proxy.lan:8080', 200], ['proxy.lan', 403], ['other.lan', 403]] as const) {
    t.equal(parseRaw(await exchangeRaw(named.port, head(body.length, [], host) + body)).status, status, host)
  }
  const open = await startApp(t, { open: true })
  t.equal(parseRaw(await exchangeRaw(open.port, head(body.length, ['X-Forwarded-For: 8.8.8.8', 'Origin: https://app.example'], 'any.example') + body)).status, 200)
})

t.test('promise 6 (Private): another address of this machine is not loopback', async (t) => {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  for (const host of ['0.0.0.0', '::', '', 'example.com', '192.0.2.1']) await t.rejects(pocket.listen(0, host), { name: 'TypeError', message: /other machines may reach.*authenticate or jwt.*open/ }, host)
  const server = createServer()
  pocket.attach(server)
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  t.teardown(async () => { await pocket.close(); server.closeAllConnections(); server.close() })
  const { port } = server.address() as AddressInfo
  const address = Object.values(networkInterfaces()).flat().find(found => found !== undefined && !found.internal && found.family === 'IPv4')?.address
  if (address !== undefined) t.match(await request(`http://${address}:${port}/health`, { headers: { host: 'localhost' } }), { status: 403, json: { code: 'not_loopback' } })
  t.equal((await request(`http://127.0.0.1:${port}/health`)).status, 200)
})
