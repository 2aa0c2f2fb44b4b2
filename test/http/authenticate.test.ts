import { once } from 'node:events'
import { createServer, request as rawRequest, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import type { Authenticate, User } from '../../src/access.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { SyncError } from '../../src/errors.ts'
import { PocketServer } from '../../src/server.ts'
import { exchangeRaw, parseRaw, post, pullOf, pushOf, request, startApp, type Answered } from '../support/app.ts'
import { CapturedLog } from '../support/captured-log.ts'

const routes: ReadonlyArray<readonly [string, string]> = [
  ['POST', '/sync/push'], ['POST', '/sync/pull'], ['GET', '/sync/stream'], ['GET', '/sync/history/c/d'], ['POST', '/sync/stream/ticket']
]

function bearer (token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

/** What an authorize rule is given as the user, for one pull. */
async function userFor (t: Test, answer: object): Promise<{ status: number, user: User | null, log: CapturedLog }> {
  const log = new CapturedLog()
  let seen: User | null = null
  const { url } = await startApp(t, { logger: log, authenticate: () => answer, authorize: user => { seen = user; return true } })
  const { status } = await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]), bearer('some-token'))
  return { status, user: seen, log }
}

async function listening (t: Test, server: Server, pocket: PocketServer): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => { await pocket.close(); server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('promise 6 (Private): every route but those that tell of the server itself asks who it is, and says so alike', async (t) => {
  const { url } = await startApp(t, { authenticate: token => token === 'good' ? { id: 'u' } : null })
  for (const [method, path] of routes) {
    const none = await request(url + path, { method })
    t.match(none, { status: 401, json: { code: 'not_authenticated' } }, path)
    t.equal(none.headers.get('www-authenticate'), 'Bearer realm="sync"')
    const bad = await request(url + path, { method, headers: bearer('bad') })
    t.match(bad, { status: 401, json: { code: 'invalid_token', retryable: false } }, path)
    t.equal(bad.headers.get('www-authenticate'), 'Bearer realm="sync", error="invalid_token"')
    t.equal(bad.headers.get('cache-control'), 'no-store')
    const aborted = new AbortController()
    const good = await fetch(url + path, { method, headers: bearer('good'), signal: aborted.signal })
    t.not(good.status, 401, path)
    aborted.abort()
  }
  for (const path of ['/health', '/sync/info', '/openapi.json', '/openapi.yaml', '/docs']) t.equal((await request(url + path)).status, 200, path)
  t.match(await request(`${url}/sync/push`, { method: 'OPTIONS' }), { status: 204 })
})

t.test('with authentication the loopback rule is off: another Host and a proxy are welcome', async (t) => {
  const { port } = await startApp(t, { authenticate: () => ({ id: 'u' }) })
  const answer = await exchangeRaw(port, 'GET /sync/info HTTP/1.1\r\nHost: sync.example.com\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n')
  t.equal(parseRaw(answer).status, 200)
})

t.test('the token is what follows Bearer; without that header it is empty, and one that cannot be a token is refused unasked', async (t) => {
  const asked: string[] = []
  const { url, port } = await startApp(t, { authenticate: token => { asked.push(token); return token === '' ? null : { id: 'u' } } })
  const pull = (authorization: string): Promise<Answered> => post(`${url}/sync/pull`, pullOf(), { authorization })
  t.equal((await pull('Bearer a.b-c~+/=')).status, 200)
  t.equal((await pull('bearer   spaced')).status, 200, 'a scheme has no case')
  t.strictSame(asked.splice(0), ['a.b-c~+/=', 'spaced'])
  for (const none of ['Basic dTpw', 'Bearer', 'Bearer ', 'BearerX', 'Token abc']) t.match(await pull(none), { status: 401, json: { code: 'not_authenticated' } }, none)
  t.strictSame(asked.splice(0), ['', '', '', '', ''])
  for (const wrong of ['Bearer a b', 'Bearer a\tb', `Bearer ${'x'.repeat(7 * 1024 + 1)}`, 'Bearer caf\u00e9']) t.match(await pull(wrong), { status: 401, json: { code: 'invalid_token' } }, wrong.slice(0, 12))
  t.strictSame(asked, [])
  t.equal((await pull(`Bearer ${'x'.repeat(7 * 1024)}`)).status, 200)
  const twice = await exchangeRaw(port, 'POST /sync/pull HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\nConnection: close\r\n\r\n')
  t.match(parseRaw(twice), { status: 400, json: { code: 'duplicate_header' } })
  for (const query of ['token=abc', 'access_token=abc', 'access%5Ftoken=abc']) t.match(await request(`${url}/sync/stream?${query}`), { status: 400, json: { code: 'token_in_query' } }, query)
})

t.test('a user has id and userId, from id, userId or sub, and keeps what else it had, its class too', async (t) => {
  class Member { name = 'Ann'; userId = 7; get shout (): string { return this.name.toUpperCase() } }
  t.match(await userFor(t, { userId: 'u1', role: 'admin' }), { status: 200, user: { id: 'u1', userId: 'u1', role: 'admin' } })
  t.match(await userFor(t, { id: 'u2' }), { user: { id: 'u2', userId: 'u2' } })
  t.match(await userFor(t, { sub: 'u3', scope: 'x' }), { user: { id: 'u3', userId: 'u3', sub: 'u3', scope: 'x' } })
  t.match(await userFor(t, Object.freeze({ id: 12 })), { user: { id: '12', userId: '12' } })
  t.match(await userFor(t, { id: 'u', userId: null }), { user: { id: 'u', userId: 'u' } })
  t.match(await userFor(t, { id: 2n ** 60n }), { user: { id: '1152921504606846976' } })
  t.match(await userFor(t, { id: 'é'.repeat(255) }), { status: 200 })
  const member = new Member()
  t.equal((await userFor(t, member)).user?.['shout'], 'ANN')
  t.strictSame(member.userId, 7, 'the application\'s object stays as it was')
})

t.test('promise 6 (Private): what is no user is nobody, and the operator is told why without its values', async (t) => {
  const wrong: unknown[] = [
    {}, [], 'u', 1, true, () => ({ id: 'u' }), { id: '' }, { id: 'x'.repeat(256) }, { id: 'a\nb' }, { id: '\u0000' }, { id: '\ud800' }, { id: NaN }, { id: 1.5 }, { id: {} },
    { id: true }, { sub: ['u'] }, { id: 'canary-a', userId: 'canary-b' }, { id: 'u', exp: 'soon' }, { id: 'u', exp: NaN }, { id: 'u', exp: 1 }, { get id () { throw new Error('no') } }
  ]
  for (const answer of wrong) {
    const { status, user, log } = await userFor(t, answer as object)
    t.strictSame({ status, user }, { status: 401, user: null }, String(typeof answer))
    t.match(log.text, /answered no user/)
    t.notMatch(log.text, /canary|some-token/)
  }
})

t.test('promise 6 (Private): whatever authenticate does wrong has one answer, and what it throws only the log sees, without the token', async (t) => {
  const token = 'canary.canary-payload.canary-signature'
  const raised = Object.assign(new Error(`Invalid token ${token}, of canary-payload`), { config: { headers: { authorization: `Bearer ${token}` } } })
  const behaviours: Authenticate[] = [
    () => null, () => undefined, async () => null, () => { throw raised }, async () => { throw raised },
    () => { throw token }, () => Promise.reject(Object.assign(raised, { statusCode: 200 })), () => { throw new SyncError('not_found', { detail: token }) }
  ]
  const bodies = new Set<string>()
  for (const authenticate of behaviours) {
    const logger = new CapturedLog()
    const { url } = await startApp(t, { authenticate, logger })
    const { status, text } = await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]), bearer(token))
    t.equal(status, 401)
    bodies.add(text)
    t.notMatch(logger.text, /canary/)
  }
  t.equal(bodies.size, 1)
  t.notMatch([...bodies][0], /canary/)
})

t.test('promise 7 (Isolated): an authenticate that never answers is given up; its client hears 503, since its token was not found wrong', async (t) => {
  const logger = new CapturedLog()
  const { url } = await startApp(t, { authenticate: () => new Promise(() => {}), limits: { authenticateMs: 20 }, logger })
  const answer = await post(`${url}/sync/pull`, pullOf(), bearer('some-token'))
  t.match(answer, { status: 503, json: { code: 'authentication_unavailable', retryable: true } })
  t.match(answer.headers.get('retry-after'), /^\d+$/)
  t.match(logger.text, /did not answer in time/)
  const down = await startApp(t, { authenticate: () => { throw new SyncError('authentication_unavailable', { detail: 'canary' }) } })
  const said = await post(`${down.url}/sync/pull`, pullOf(), bearer('some-token'))
  t.match(said, { status: 503, json: { code: 'authentication_unavailable' } }, 'an application that knows better may say so')
  t.notMatch(said.text, /canary/)
})

t.test('promise 7 (Isolated): nobody\'s body is read, nor asked for', async (t) => {
  const { port, url } = await startApp(t, { authenticate: () => null })
  const head = 'POST /sync/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const waits = await exchangeRaw(port, `${head}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n`)
  t.match(waits, /^HTTP\/1\.1 401 /, 'no 100 Continue before')
  t.match(parseRaw(await exchangeRaw(port, `${head}Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n`)), { status: 401 }, 'before the size counts')
  t.match(await post(`${url}/sync/push`, '{', { 'content-type': 'text/plain' }), { status: 401 }, 'nor the type, nor what it says')
})

t.test('who leaves while authenticate thinks is not served, and the server goes on', async (t) => {
  let release = (): void => {}
  const asked = new Promise<void>(resolve => { release = resolve })
  let began = (): void => {}
  const begun = new Promise<void>(resolve => { began = resolve })
  const { url, pocket } = await startApp(t, { authenticate: async () => { began(); await asked; return { id: 'u' } } })
  const leaving = new AbortController()
  const left = fetch(`${url}/sync/stream`, { signal: leaving.signal }).catch(() => {})
  await begun
  leaving.abort()
  await left
  release()
  t.equal((await post(`${url}/sync/pull`, pullOf())).status, 200)
  t.strictSame(pocket.getClients(), [])
})

t.test('attach: a user that the application\'s own middleware sets comes too late, and the 401 names .handler', async (t) => {
  const app = express()
  app.use((req, _res, next) => { Object.assign(req, { user: { id: 'u' } }); next() })
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), authenticate: (_token, req) => req['user'] })
  const server = createServer(app)
  pocket.attach(server)
  const url = await listening(t, server, pocket)
  t.match(await post(`${url}/sync/pull`, pullOf()), { status: 401, json: { code: 'not_authenticated', detail: /attach\(\).*app\.use\(pocket\.handler\)/ } })
  const alone = new PocketServer({ changeLog: new MemoryChangeLog(), authenticate: () => null })
  const plain = createServer()
  alone.attach(plain)
  t.notMatch((await post(`${await listening(t, plain, alone)}/sync/pull`, pullOf())).json.detail, /handler/)
})

t.test('Fastify: the user that a hook of the application sets is authenticate\'s to see, and its hooks come first', async (t) => {
  const order: string[] = []
  const authenticate = (_token: string, req: IncomingMessage & { user?: object, tenant?: string }): object | null => {
    order.push('authenticate')
    return req.user === undefined || req.tenant !== 'acme' ? null : req.user
  }
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), authenticate })
  const app = Fastify()
  t.teardown(async () => { await app.close(); await pocket.close() })
  app.decorateRequest('user' as string, null)
  app.decorateRequest('tenant', '')
  app.addHook('preHandler', async (request, reply) => {
    order.push('hook')
    if (request.headers.authorization === 'Bearer mine') Object.assign(request, { user: { sub: 'ann' }, tenant: 'acme' })
    else await reply.code(418).send({ mine: true })
  })
  await app.register(pocket.plugin)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.equal((await post(`${url}/sync/pull`, pullOf(), bearer('mine'))).status, 200)
  t.match(await post(`${url}/sync/pull`, pullOf(), bearer('other')), { status: 418, json: { mine: true } })
  t.strictSame(order, ['hook', 'authenticate', 'hook'])
})

t.test('Express: behind .handler the request is the one that middleware has seen', async (t) => {
  const app = express()
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), authenticate: async (_token, req) => req['user'] })
  app.use('/sync', (req, _res, next) => {
    if (req.headers.cookie === 'session=ann') Object.assign(req, { user: { id: 'ann' } })
    next()
  })
  app.use('/sync', pocket.handler)
  const url = await listening(t, createServer(app), pocket)
  t.equal((await post(`${url}/sync/pull`, pullOf(), { cookie: 'session=ann' })).status, 200)
  t.match(await post(`${url}/sync/pull`, pullOf()), { status: 401, json: { code: 'not_authenticated' } })
})

t.test('HEAD of a stream without a user is refused like GET', async (t) => {
  const { url } = await startApp(t, { authenticate: () => null })
  const head = rawRequest(`${url}/sync/stream`, { method: 'HEAD' }).end()
  const [answer] = await once(head, 'response') as [IncomingMessage]
  t.equal(answer.statusCode, 401)
  answer.resume()
})

t.test('the server says at start what of its rules the operator may not have meant', async (t) => {
  const said = async (options: PocketServerOptions): Promise<string> => {
    const logger = new CapturedLog()
    const { pocket } = await startApp(t, { ...options, logger })
    await pocket.close()
    return logger.text
  }
  const authenticate = (): object => ({ id: 'u' })
  const authorize = (): boolean => true
  const channels = { channels: () => [], channelsOf: () => [] }
  t.match(await said({ authenticate }), /authentication without authorize: whoever is known may read and write everything/)
  t.match(await said({ authenticate, ...channels }), /may write everything, and reads by channels alone/)
  t.match(await said({ authorize }), /without authentication: nobody is known, so everything is denied/)
  t.match(await said(channels), /without authentication/)
  t.equal(await said({ authenticate, authorize }), '')
  t.equal(await said({}), '')
})
