/**
 * Tokens, secrets and documents in every place where somebody may put them, and none of them in anything that is
 * logged or refused. `.ci/run` looks for the same word in all that the tests print.
 */
import { Writable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { MemoryChangeLog, PocketServer } from '../../src/index.ts'
import { exchangeRaw, pullOf, pushOf } from '../support/app.ts'

/** Never in plain text of a source that a diff or a stack could show. */
const WORD = ['canary', 'of', 'secrets'].join('-')
const canary = (where: string): string => `${WORD}-${where}`
const token = canary('token')

const json = { 'content-type': 'application/json', authorization: `Bearer ${token}` }

t.test('promise 6 (Private): no token, secret or document is in any log line, and none in any refusal', async t => {
  const lines: string[] = []
  const logger = pino({ level: 'trace' }, new Writable({ write (chunk, _encoding, done) { lines.push(String(chunk)); done() } }))
  const failing = new Set<string>()
  const pocket = new PocketServer({
    changeLog: new MemoryChangeLog(),
    logger,
    authenticate: sent => {
      if (sent === canary('throws')) throw new Error(`no such session: ${sent}`)
      return sent === token ? { id: 'ada', secret: canary('user') } : null
    },
    authorize: (_user, _collection, operation, document) => {
      if (failing.has(operation)) throw new TypeError('the rule failed')
      return document['hidden'] !== true
    },
    collections: { todos: { validate: { type: 'object', properties: { n: { type: 'number' } } } } },
    limits: { documentBytes: 2000, bodyBytes: 100_000 }
  })
  t.teardown(() => pocket.close())
  const { url, port } = await pocket.listen(0)
  const document = { _id: 'a', text: canary('document') }
  const bodies: Array<{ status: number, text: string }> = []
  const send = async (path: string, body: unknown, headers: Record<string, string> = json, method = 'POST'): Promise<number> => {
    const response = await fetch(`${url}${path}`, { method, headers, ...body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) } })
    const { status } = response
    if (response.headers.get('content-type') === 'text/event-stream') await response.body!.cancel()
    else bodies.push({ status, text: `${await response.text()} ${JSON.stringify([...response.headers])}` })
    return status
  }
  const push = (changes: object[]) => send('/sync/push', pushOf('todos', changes as never))

  t.equal(await push([{ documentId: 'a', document }]), 200)
  t.equal(await send('/sync/pull', pullOf(), { ...json, authorization: `Bearer ${canary('wrong')}` }), 401)
  t.equal(await send('/sync/pull', pullOf(), { ...json, authorization: `Bearer ${canary('throws')}` }), 401)
  t.equal(await send('/sync/pull', pullOf(), { ...json, authorization: `Basic ${canary('basic')}` }), 401)
  t.equal(await send(`/sync/stream?access_token=${token}`, undefined, {}, 'GET'), 400)
  t.equal(await send(`/sync/stream?token=${token}`, undefined, json, 'GET'), 400)
  t.equal(await send(`/sync/stream?ticket=${canary('ticket')}`, undefined, {}, 'GET'), 401)
  t.equal(await send(`/sync/${canary('path')}`, undefined, json, 'GET'), 404)
  t.equal(await send(`/sync/history/todos/a?before=${canary('query')}`, undefined, json, 'GET'), 400)
  t.equal(await send(`/sync/stream?since=${canary('cursor')}`, undefined, json, 'GET'), 400)
  t.equal(await send('/sync/push', `{"type":"push","changes":"${canary('half')}`), 400)
  t.equal(await send('/sync/push', `{"twice":1,"twice":"${canary('value')}"}`), 400)
  t.equal(await send('/sync/push', canary('plain'), { ...json, 'content-type': `text/${WORD}` }), 415)
  t.equal(await send('/sync/push', JSON.stringify(pushOf('todos', [{ documentId: 'x', document: { text: canary('long').repeat(10_000) } }]))), 413)
  const raw = pushOf('todos', [
    { documentId: 'a', document: { text: canary('deny'), hidden: true } }, { documentId: 'b', document: { n: canary('schema') } },
    { documentId: 'c', document: { text: canary('size').repeat(200) } }, { documentId: 'd', document: { _id: canary('id') } }, { documentId: 'e', operation: canary('operation') }, { documentId: 'f', document: canary('no document') }
  ] as never)
  t.equal(await send('/sync/push', JSON.stringify(raw).replace('"changes":[', `"changes":[{"operation":"insert","documentId":"g","timestamp":1,"document":{"__proto__":"${canary('name')}"}},`)), 200)
  failing.add('read').add('write')
  t.equal(await push([{ documentId: 'b', document }]), 200)
  t.equal(await send('/sync/pull', pullOf()), 200)
  for (const start of [`GET /sync/${canary('raw')} HTTP/9\r\n`, `POST /sync/push HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\nContent-Length: 0\r\n\r\n`, `GET / HTTP/1.1\r\nHost: localhost\r\nX-${WORD}\x01: ${token}\r\n\r\n`]) {
    bodies.push({ status: 400, text: await exchangeRaw(port, start) })
  }
  await pocket.close()

  t.ok(lines.length > 20, 'something was logged')
  t.strictSame(lines.filter(line => line.includes(WORD)), [])
  t.ok(bodies.some(({ text }) => text.includes(canary('document'))) === false, 'what was denied is in no answer either')
  t.strictSame(bodies.filter(({ status, text }) => status >= 400 && text.includes(WORD)).map(({ status, text }) => [status, text]), [])
})
