import t from 'tap'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { catalogue } from '../../src/errors.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { exchangeRaw, parseRaw, pullOf, pushOf, startApp } from '../support/app.ts'

class MovingLog extends MemoryChangeLog {
  override async commit () {
    return { status: 'moved' as const, heads: [] }
  }
}

class FailingLog extends MemoryChangeLog {
  override async commit (): Promise<never> {
    throw new Error('unexpected')
  }
}

class ClosedLog extends MemoryChangeLog {
  override async open (): Promise<void> {
    await this.close()
  }
}

interface Case {
  /** A raw request, or the path of a GET. */
  readonly send: string
  readonly options?: () => PocketServerOptions
  /** A request before. */
  readonly first?: string
  readonly headers?: Record<string, RegExp>
  readonly body?: object
}

function posted (path: string, message: object | string, headers = ''): string {
  const body = typeof message === 'string' ? message : JSON.stringify(message)
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`
}

function got (path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`
}

const message = pushOf('c', [{ documentId: 'a' }], { id: 'm1', clientId: 'k' })
const push = posted('/sync/push', message)
const later = { 'retry-after': /^\d+$/ }

const cases: Partial<Record<ErrorCode, Case>> = {
  invalid_json: { send: posted('/sync/push', '{"type":"push","type":"push"}'), body: { errors: [{ pointer: /./ }] } },
  invalid_message: { send: posted('/sync/push', { ...message, changes: {} }), body: { id: 'm1', detail: /\/changes/, errors: [{ pointer: '/changes', code: 'invalid_message' }] } },
  invalid_cursor: { send: got('/sync/stream?since=x') },
  duplicate_header: { send: got('/health', 'Host: elsewhere\r\n'), body: { detail: /Host/ } },
  token_in_query: { send: got('/sync/stream?access_%74oken=x') },
  bad_request: { send: 'NOT HTTP\r\n\r\n' },
  not_loopback: { send: got('/health', 'X-Forwarded-For: 10.0.0.1\r\n') },
  no_tenant: { send: posted('/sync/push', message, 'Authorization: Bearer x\r\n'), options: () => ({ authenticate: () => ({ id: 'ann' }), tenant: () => '' }), body: { detail: /./ } },
  not_found: { send: got('/sync/nothing') },
  method_not_allowed: { send: got('/sync/push'), headers: { allow: /^POST, OPTIONS$/ } },
  not_acceptable: { send: got('/sync/stream', 'Accept: text/html\r\n') },
  request_timeout: { send: 'GET /health HTTP/1.1\r\nHost: local', options: () => ({ limits: { headersMs: 100, requestMs: 100 } }) },
  resync_required: { send: posted('/sync/pull', pullOf({ id: 'p1', checkpoint: { global: 9 } })), options: () => ({ limits: { aheadMs: 1 } }), body: { id: 'p1', reason: 'checkpoint-ahead', checkpoint: { global: 0 }, epoch: /^[a-z0-9]+$/ } },
  too_large: { send: posted('/sync/push', message), options: () => ({ limits: { bodyBytes: 20 } }), body: { limit: { name: 'bodyBytes', max: 20 } } },
  uri_too_long: { send: got(`/sync/stream?c=${'x'.repeat(9000)}`), body: { limit: { name: 'urlBytes', max: 8192 } } },
  unsupported_media_type: { send: push.replace('application/json', 'text/plain'), headers: { 'accept-post': /^application\/json$/, 'accept-encoding': /^gzip, br/ } },
  id_reused: { first: push, send: posted('/sync/push', { ...message, collection: 'd' }), body: { id: 'm1' } },
  protocol_unsupported: { send: posted('/sync/push', message, 'Sync-Protocol: 2\r\n'), headers: { 'sync-protocol': /^1$/ }, body: { detail: /version 1/ } },
  headers_too_large: { send: got('/health', `X-Large: ${'x'.repeat(20_000)}\r\n`), body: { limit: { name: 'headerBytes', max: 16384 } } },
  internal_error: { send: push, options: () => ({ changeLog: new FailingLog() }), body: { id: 'm1' } },
  unsupported_transfer_coding: { send: 'POST /sync/push HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n' },
  busy: { send: push, options: () => ({ changeLog: new MovingLog() }), headers: later, body: { id: 'm1' } },
  overloaded: { send: push, options: () => ({ limits: { inFlightBytes: 20 } }), headers: later },
  storage_unavailable: { send: push, options: () => ({ changeLog: new ClosedLog() }), headers: later }
}

/** Of the access rules, which come later; `draining` needs an open connection and has its own test. */
const elsewhere: ErrorCode[] = ['not_authenticated', 'invalid_token', 'forbidden', 'rate_limited', 'authentication_unavailable', 'access_unavailable', 'draining']

t.test('promise 9 (Clear): every error with a status is one problem that says what, where and what next', async (t) => {
  const coded = (Object.keys(catalogue) as ErrorCode[]).filter(code => catalogue[code].status !== 0)
  t.strictSame(coded.filter(code => cases[code] === undefined), coded.filter(code => elsewhere.includes(code)), 'none is forgotten')
  for (const [code, { send, options, first, headers, body }] of Object.entries(cases) as Array<[ErrorCode, Case]>) {
    const { port } = await startApp(t, options?.())
    if (first !== undefined) await exchangeRaw(port, first)
    const answer = parseRaw(await exchangeRaw(port, send))
    const { status, retry, next } = catalogue[code]
    t.equal(answer.status, status, code)
    t.match(answer.json, { type: `urn:sync:problem:${code}`, title: /^[A-Z]/, status, code, retryable: retry === 'same' || retry === 'login', ...body }, `${code}: members`)
    t.ok(answer.json.detail.endsWith(next), `${code}: what to do next`)
    t.equal(answer.headers.get('content-type'), 'application/problem+json', `${code}: media type`)
    t.equal(answer.headers.get('cache-control'), 'no-store', `${code}: not stored`)
    for (const [name, value] of Object.entries(headers ?? {})) t.match(answer.headers.get(name), value, `${code}: ${name}`)
  }
})

function connected (port: number): Promise<Socket> {
  return new Promise(resolve => { const socket: Socket = connect(port, '127.0.0.1', () => resolve(socket)) })
}

t.test('a server that drains says so on connections that are still open, and ends them', async (t) => {
  const log = new MemoryChangeLog()
  let go = (): void => {}
  const held = new Promise<void>(resolve => { go = resolve })
  const commit = log.commit.bind(log)
  log.commit = async (push) => { await held; return await commit(push) }
  const { port, pocket } = await startApp(t, { changeLog: log })
  const [one, two, three] = [await connected(port), await connected(port), await connected(port)]
  const texts = [one, two, three].map(socket => new Promise<string>(resolve => {
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('close', () => resolve(text))
  }))
  one.write(push.replace('Connection: close\r\n', ''))
  two.write('POST /sync/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n')
  three.write('GET /health HTTP/1.1\r\n')
  await new Promise(resolve => setTimeout(resolve, 100))
  const closed = pocket.close()
  two.write('Content-Length: 2\r\n\r\n{}')
  three.write('Host: localhost\r\n\r\n')
  const refused = parseRaw(await texts[1]!)
  t.match(refused, { status: 503, json: { code: 'draining', retryable: true } })
  t.match([refused.headers.get('connection'), refused.headers.get('retry-after')], ['close', /^\d+$/])
  t.match(parseRaw(await texts[2]!), { status: 503, json: { status: 'degraded', detail: 'The server is shutting down.' } }, 'also to who asks for its health')
  go()
  const finished = parseRaw(await texts[0]!)
  t.match(finished, { status: 200, json: { success: true } }, 'promise 1 (Durable): the push in flight was finished')
  t.equal(finished.headers.get('connection'), 'close')
  await closed
  t.equal(await log.getCurrentSequence(), 1, 'and the log that was passed in is still open')
})
