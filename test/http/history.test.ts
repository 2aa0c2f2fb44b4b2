import t from 'tap'
import Fastify from 'fastify'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { PocketServer } from '../../src/server.ts'
import { exchangeRaw, parseRaw, post, pushOf, request, startApp, type ChangeLike } from '../support/app.ts'

/** Ids that a URL does not carry as they are. */
const ids = ['a/b', '..', '../x', 'ü ☃ 😀', '%2F', '%', 'a?b#c', '__proto__', ' ', '"', "'", '+', ';x=1', 'x'.repeat(512), '€'.repeat(170)]

const path = (documentId: string, query = '', collection = 'todos'): string => `/sync/history/${collection}/${encodeURIComponent(documentId)}${query}`

async function write (url: string, changes: ChangeLike[], members: object = {}): Promise<void> {
  const { json } = await post(`${url}/sync/push`, pushOf('todos', changes, members))
  t.equal(json.success, true)
}

t.test('versions newest first, with who and when, deletions too; beside them what was not taken over, as text', async t => {
  const { url } = await startApp(t)
  await write(url, [{ documentId: 'a', document: { n: 1 } }], { clientId: 'phone' })
  await write(url, [{ documentId: 'a', operation: 'delete', base: 1 }, { documentId: 'b' }])
  const raw = '{"operation":"update","documentId":"a","document":{"__proto__":{"x":1}},"timestamp":5}'
  const message = JSON.stringify(pushOf('todos', [], { id: 'refused', clientId: 'tablet' })).replace('"changes":[]', `"changes":[${raw}]`)
  t.match((await post(`${url}/sync/push`, message)).json.results, [{ status: 'rejected' }])

  const { status, headers, json } = await request(`${url}${path('a')}`)
  t.equal(status, 200)
  t.equal(headers.get('cache-control'), 'no-store')
  const [deletion, insert] = json.versions
  t.strictSame(Object.keys(insert), ['sequence', 'operation', 'document', 'timestamp', 'serverTimestamp', 'userId', 'clientId', 'address'])
  t.match(insert, { sequence: 1, operation: 'insert', document: { n: 1 }, userId: null, clientId: 'phone', address: '127.0.0.1', serverTimestamp: Number })
  t.match(deletion, { sequence: 2, operation: 'delete', document: null, clientId: null })
  const [row] = json.journal
  t.match(row, { id: Number, status: 'rejected', code: 'forbidden_name', raw, messageId: 'refused', clientId: 'tablet', serverTimestamp: Number })
  t.strictSame([json.type, json.collection, json.documentId, json.hasMore, json.journalHasMore, json.versions.length, json.journal.length], ['history', 'todos', 'a', false, false, 2, 1])
})

t.test('any id is found again by its percent-encoding; slashes may come as they are', async t => {
  const { url, port } = await startApp(t)
  await write(url, ids.map(documentId => ({ documentId, document: { is: documentId } })))
  for (const id of ids) {
    const answer = parseRaw(await exchangeRaw(port, `GET ${path(id)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`))
    t.match(answer.json.versions, [{ document: { is: id } }], id.slice(0, 20))
    t.equal(answer.json.documentId, id)
  }
  const raw = parseRaw(await exchangeRaw(port, 'GET /sync/history/todos/a/b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'))
  t.equal(raw.json.versions.length, 1, 'as a proxy that decodes passes it on')
})

t.test('promise 9 (Clear): a path that is no name, no UTF-8 or no percent-encoding is refused', async t => {
  const { port } = await startApp(t)
  const get = async (target: string, method = 'GET') => parseRaw(await exchangeRaw(port, `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`))
  for (const wrong of ['todos/%', 'todos/%zz', 'todos/%ff', 'todos/%ed%a0%80', 'to%dos/a', 'todos/%c0%af']) {
    t.match(await get(`/sync/history/${wrong}`), { status: 400, json: { code: 'bad_request' } }, wrong)
  }
  for (const wrong of ['todos/%00', 'todos/a%0Ab', `todos/${'x'.repeat(513)}`, `todos/${'%E2%82%AC'.repeat(171)}`, '__proto__/a', 'to%20dos/a', 'to%2Fdos/a',
    'todos/a?limit=0', 'todos/a?limit=-1', 'todos/a?limit=x', 'todos/a?limit=', 'todos/a?before=1.5', 'todos/a?before=99999999999999999', 'todos/a?journalBefore=0']) {
    t.match(await get(`/sync/history/${wrong}`), { status: 400, json: { code: 'invalid_message', detail: /whole number|bytes of UTF-8|no name/ } }, wrong.slice(0, 40))
  }
  for (const missing of ['', 'todos', 'todos/', '/a']) {
    t.match(await get(`/sync/history/${missing}`), { status: 404, json: { code: 'not_found', detail: /\/sync\/history\/\{collection\}\/\{documentId\}/ } }, missing)
  }
  const other = await get('/sync/history/todos/a', 'DELETE')
  t.match(other, { status: 405, json: { code: 'method_not_allowed' } })
  t.match(other.headers.get('allow'), /GET/)
  t.match(await get('/sync/history/todos/a', 'OPTIONS'), { status: 204 })
})

t.test('promise 6 (Private): the history of an unknown document looks like that of one without versions', async t => {
  const { url } = await startApp(t)
  const { status, text } = await request(`${url}${path('nobody')}`)
  t.equal(status, 200)
  t.equal(text, '{"type":"history","collection":"todos","documentId":"nobody","versions":[],"hasMore":false,"journal":[],"journalHasMore":false}')
})

t.test('promise 6 (Private): the history stands behind the same guard as every route', async t => {
  const { port } = await startApp(t)
  const answer = parseRaw(await exchangeRaw(port, `GET ${path('a')} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 10.0.0.1\r\nConnection: close\r\n\r\n`))
  t.match(answer, { status: 403, json: { code: 'not_loopback' } })
})

t.test('pages of any size add up to the same whole; a place that is no version of the document has nothing below it', async t => {
  const { url } = await startApp(t, { limits: { pullMax: 20 } })
  // Times of their own: two of the same millisecond would be a repeat or a tie, which writes no entry.
  for (let n = 1; n <= 30; n++) await write(url, [{ documentId: 'a', document: { n }, timestamp: n }, { documentId: 'b', timestamp: n }])
  for (const limit of [1, 7, 8, 9, 20, 500]) {
    const seen: number[] = []
    for (let before = '', more = true; more;) {
      const { json } = await request(`${url}${path('a', `?limit=${limit}${before}`)}`)
      t.ok(json.versions.length > 0 && json.versions.length <= Math.min(limit, 20))
      seen.push(...json.versions.map(({ document }: { document: { n: number } }) => document.n))
      before = `&before=${json.versions.at(-1).sequence}`
      more = json.hasMore
    }
    t.strictSame(seen, Array.from({ length: 30 }, (_, i) => 30 - i), `limit ${limit}`)
  }
  t.equal((await request(`${url}${path('a', '?before=1000')}`)).json.versions.length, 20, 'above the head')
  for (const before of [2, 58]) t.equal((await request(`${url}${path('a', `?before=${before}`)}`)).json.versions.length, 0, 'another document\'s')
})

t.test('promise 7 (Isolated): a page is bounded by bytes, versions and journal each, and at least one of either fits', async t => {
  const { url, pocket } = await startApp(t, { limits: { pageBytes: 1000, documentBytes: 5000 } })
  for (let n = 1; n <= 5; n++) await write(url, [{ documentId: 'a', document: { n, text: 'x'.repeat(700) } }])
  await post(`${url}/sync/push`, pushOf('todos', [1, 2, 3].map(n => ({ documentId: 'a', document: { n, text: 'x'.repeat(6000) } }))))
  const page = (await request(`${url}${path('a')}`)).json
  t.strictSame([page.versions.length, page.hasMore, page.journal.length, page.journalHasMore], [2, true, 1, true])
  const next = await pocket.history('todos', 'a', { journalBefore: page.journal[0].id, limit: 1 })
  t.strictSame([next.versions.length, next.journal.length], [1, 1])
  t.not(next.journal[0]!.id, page.journal[0].id)
})

t.test('behind an application\'s own Fastify long ids are found too', async t => {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  const app = Fastify()
  t.teardown(async () => { await app.close(); await pocket.close() })
  await app.register(pocket.plugin)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  await write(url, ids.map(documentId => ({ documentId })))
  for (const id of ids.filter(id => !id.includes('..'))) t.equal((await request(`${url}${path(id)}`)).json.versions.length, 1, id.slice(0, 20))
  t.match((await request(`${url}${path('a')}`, { method: 'POST' })).json, { code: 'method_not_allowed' })
})
