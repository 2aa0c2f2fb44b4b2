import cors from '@fastify/cors'
import Fastify from 'fastify'
import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { PocketServer } from '../../src/server.ts'
import { exchangeRaw, parseRaw, post, pullOf, pushOf, request, startApp } from '../support/app.ts'

const authenticate = (token: string): object | null => token === 'good' ? { id: 'alice' } : null
const ours = 'https://app.example'
const theirs = 'https://evil.example'

/** By a raw socket: fetch sets some of these headers by itself. */
async function asked (port: number, line: string, headers: Record<string, string>): Promise<{ status: number, headers: Map<string, string>, cors: Record<string, string> }> {
  const lines = Object.entries({ Host: 'localhost', Connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}`)
  const { status, headers: answered } = parseRaw(await exchangeRaw(port, [`${line} HTTP/1.1`, ...lines, '', ''].join('\r\n')))
  return { status, headers: answered, cors: Object.fromEntries([...answered].filter(([name]) => name.startsWith('access-control-'))) }
}

const preflight = (origin: string): Record<string, string> => ({ Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' })

t.test('promise 6 (Private): pages of other origins may nothing unless their origin is named, and a preflight is answered without a token', async (t) => {
  const off = await startApp(t, { authenticate })
  t.strictSame((await asked(off.port, 'OPTIONS /sync/push', preflight(ours))).cors, {})
  t.strictSame((await asked(off.port, 'GET /sync/info', { Origin: ours })).cors, {})
  const { port } = await startApp(t, { authenticate, cors: { origins: [ours, 'capacitor://localhost'] } })
  const allowed = await asked(port, 'OPTIONS /sync/push', preflight(ours))
  t.equal(allowed.status, 204)
  t.strictSame(allowed.cors, {
    'access-control-allow-origin': ours,
    'access-control-allow-methods': 'GET, HEAD, POST, OPTIONS',
    'access-control-allow-headers': 'Authorization, Content-Type, Content-Encoding, Last-Event-ID, Idempotency-Key, If-None-Match, Sync-Client-Id, Sync-Protocol',
    'access-control-max-age': '7200'
  })
  t.equal(allowed.headers.get('vary'), 'Origin')
  t.equal((await asked(port, 'OPTIONS /sync/push', preflight('capacitor://localhost'))).cors['access-control-allow-origin'], 'capacitor://localhost')
  for (const origin of [theirs, 'null', `${ours}.evil.example`, 'https://APP.example', 'http://app.example', `${ours}:8443`, `${ours}, ${theirs}`, '']) {
    const refused = await asked(port, 'OPTIONS /sync/push', preflight(origin))
    t.strictSame(refused.cors, {}, `Origin ${origin}`)
    t.equal(refused.headers.get('vary'), 'Origin')
  }
})

t.test('every answer to a named origin can be read by its page: pages, errors and streams; and caches tell origins apart', async (t) => {
  const { url, port } = await startApp(t, { authenticate, cors: { origins: [ours] } })
  const headers = { origin: ours, authorization: 'Bearer good' }
  t.equal((await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a', document: { text: 'x'.repeat(5000) } }]), headers)).headers.get('access-control-allow-origin'), ours)
  const large = await post(`${url}/sync/pull`, pullOf(), headers)
  t.match(large, { status: 200 })
  t.equal(large.headers.get('vary'), 'Origin, accept-encoding')
  t.equal(large.headers.get('access-control-expose-headers'), 'ETag, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed, WWW-Authenticate')
  for (const [line, status] of [['GET /nothing', 404], ['GET /sync/push', 405], ['GET /sync/stream?access_token=x', 400], ['GET /sync/stream', 401], ['GET /%zz', 400]] as const) {
    const answer = await asked(port, line, { Origin: ours })
    t.equal(answer.status, status, line)
    t.equal(answer.cors['access-control-allow-origin'], ours, line)
  }
  const stream = await fetch(`${url}/sync/stream`, { headers })
  t.equal(stream.headers.get('access-control-allow-origin'), ours)
  await stream.body!.cancel()
  t.equal((await request(`${url}/sync/info`)).headers.get('vary'), 'Origin', 'without an origin too')
})

t.test('promise 6 (Private): all origins never with cookies, and cookies only for named ones', async (t) => {
  const all = await startApp(t, { authenticate, cors: { origins: '*', maxAge: 60 } })
  t.match(await asked(all.port, 'OPTIONS /sync/push', preflight(theirs)), { status: 204, cors: { 'access-control-allow-origin': '*', 'access-control-max-age': '60' } })
  t.equal((await asked(all.port, 'GET /sync/info', { Origin: theirs })).cors['access-control-allow-credentials'], undefined)
  const named = await startApp(t, { authenticate, cors: { origins: [ours], credentials: true } })
  t.match((await asked(named.port, 'GET /sync/info', { Origin: ours })).cors, { 'access-control-allow-origin': ours, 'access-control-allow-credentials': 'true' })
  t.strictSame((await asked(named.port, 'GET /sync/info', { Origin: theirs })).cors, {})
  for (const wrong of [{ origins: '*', credentials: true }, { origins: ['*', ours], credentials: true }, { origins: [`${ours}/`] }, { origins: ['app.example'] }, { origins: ['https://app.example:443'] }, { origins: ['null'] }, { origins: ours }, { origins: [], maxAge: -1 }, { origins: [], methods: [] }]) {
    t.throws(() => new PocketServer({ cors: wrong } as unknown as PocketServerOptions), /^cors/, JSON.stringify(wrong))
  }
})

t.test('without authentication a named origin may push to this machine, and no other one', async (t) => {
  const { url } = await startApp(t, { cors: { origins: [ours] } })
  t.equal((await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]), { origin: ours })).status, 200)
  t.match(await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]), { origin: theirs }), { status: 403, json: { code: 'not_loopback' } })
})

t.test('Fastify: the CORS of the host wins, on refusals too; ours serves where the host has none', async (t) => {
  for (const hostHasIt of [true, false]) {
    const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), authenticate, cors: { origins: [ours] } })
    const app = Fastify()
    t.teardown(async () => { await app.close(); await pocket.close() })
    if (hostHasIt) await app.register(cors, { origin: ['https://host.example'] })
    await app.register(pocket.plugin)
    const url = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
    const origin = hostHasIt ? 'https://host.example' : ours
    for (const line of ['OPTIONS /sync/push', 'GET /sync/stream', 'GET /sync/info?access_token=x']) {
      const { cors } = await asked(Number(url.port), line, preflight(origin))
      t.equal(cors['access-control-allow-origin'], origin, `${line} of ${origin}`)
    }
  }
})
