import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventSource } from 'eventsource'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t from 'tap'
import type { Test } from 'tap'
import type { Limits } from '../../src/config.ts'
import { pushOf, post, pullOf, request, startApp, type Started } from '../support/app.ts'
import { TestReplica } from '../support/feed.ts'
import { apply, type TestPage } from '../support/rules.ts'
import { SseClient, type SseOptions } from '../support/sse-client.ts'

const headers = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  incremental: '?1',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  connection: 'close'
}

interface Streaming extends Started {
  open (query?: string, options?: SseOptions): Promise<SseClient>
  write (documentId: string, document?: object): Promise<void>
}

async function started (t: Test, limits: Partial<Limits> = {}): Promise<Streaming> {
  const app = await startApp(t, { limits: { drainMs: 0, ...limits } })
  return {
    ...app,
    async open (query = '', options = {}) {
      const client = await SseClient.connect(`${app.url}/sync/stream?${query}`, options)
      t.teardown(() => client.close())
      return client
    },
    async write (documentId, document = { at: documentId }) {
      const { json } = await post(`${app.url}/sync/push`, pushOf('todos', [{ documentId, document, operation: 'update' }]))
      if (json.success !== true) throw new Error(JSON.stringify(json))
    }
  }
}

const data = (frame: { data: string } | undefined): any => JSON.parse(frame!.data)

t.test('header and hello go out at once, close-delimited, with what proxies leave alone', async t => {
  const { port, open } = await started(t)
  await (await open()).next()
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /sync/stream HTTP/1.1\r\nHost: localhost\r\n\r\n'))
  t.teardown(() => socket.destroy())
  const [first] = await once(socket.setEncoding('utf8'), 'data') as [string]
  const [head = '', body = ''] = first.split('\r\n\r\n')
  const [line, ...fields] = head.toLowerCase().split('\r\n')
  t.equal(line, 'http/1.1 200 ok')
  const { date, ...rest } = Object.fromEntries(fields.map(field => field.split(': ')))
  t.strictSame(rest, headers)
  t.match(body, /^retry: \d{4}\nevent: hello\ndata: \{.*\}\nid: 0~e[a-z0-9]+\n\ndata: /)
})

t.test('a change that is pushed arrives on every stream of its collection', async t => {
  const { open, write } = await started(t)
  const clients = await Promise.all([open('collections=todos'), open(), open('collections=lists,todos&c=4711&whatever=x')])
  const other = await open('collections=lists')
  for (const client of [...clients, other]) await client.next('message')
  await write('a')
  for (const client of clients) t.match(data(await client.next()), { changes: { todos: [{ documentId: 'a', document: { at: 'a' } }] }, hasMore: false })
  other.close()
  t.equal((await other.next())?.event, undefined)
})

t.test('the start is Last-Event-ID, which always wins, else since, else now', async t => {
  const { open, write, url } = await started(t)
  for (const id of ['a', 'b', 'c']) await write(id)
  const { epoch } = (await post(`${url}/sync/pull`, pullOf())).json
  const starts = async (query: string, lastEventId?: string): Promise<number> => {
    const client = await open(query, { lastEventId })
    const hello = data(await client.next('hello'))
    client.close()
    return hello.checkpoint.global
  }
  t.equal(await starts(''), 3)
  t.equal(await starts('since=now'), 3)
  t.equal(await starts('since=1'), 1)
  t.equal(await starts(`since=2&epoch=${epoch}`), 2)
  t.equal(await starts('since=1', '2'), 2)
  t.equal(await starts('since=2', `1~e${epoch}`), 1)
  t.equal(await starts('since=1', ''), 1, 'an empty one counts as none')
  t.equal(await starts('since=3&epoch=lost', `2~e${epoch}`), 2, 'the epoch of the cursor beats that of the URL')
  t.equal(await starts('since=3&epoch=lost'), 0, 'after a resync')
})

t.test('promise 9 (Clear): what is wrong with the request is said before the stream begins', async t => {
  const { url, open } = await started(t)
  const refused = async (query: string, init?: RequestInit): Promise<[number, string]> => {
    const { status, json } = await request(`${url}/sync/stream?${query}`, init)
    return [status, json.code]
  }
  for (const since of ['-1', '01', 'x', '1~x', '99999999999999999', '9007199254740992', '1~eA']) t.strictSame(await refused(`since=${since}`), [400, 'invalid_cursor'], since)
  t.strictSame(await refused('since=1&epoch=..'), [400, 'invalid_cursor'])
  t.strictSame(await refused('', { headers: { 'last-event-id': 'x' } }), [400, 'invalid_cursor'])
  t.strictSame(await refused('collections=todos,a%20b'), [400, 'invalid_message'])
  t.strictSame(await refused(`collections=${Array.from({ length: 101 }, (_, i) => `c${i}`).join()}`), [413, 'too_large'])
  t.strictSame(await refused('access_token=x'), [400, 'token_in_query'])
  for (const accept of ['application/json', 'text/html, */*;q=0', 'text/event-stream;q=0, */*']) t.strictSame(await refused('', { headers: { accept } }), [406, 'not_acceptable'], accept)
  for (const accept of ['*/*', 'text/*;q=0.1', 'application/json, text/event-stream']) (await open('', { headers: { accept } })).close()
  const post = await request(`${url}/sync/stream`, { method: 'POST' })
  t.strictSame([post.status, post.headers.get('allow')?.includes('GET')], [405, true])
})

t.test('HEAD answers the same header and ends', async t => {
  const { url } = await started(t)
  const head = await request(`${url}/sync/stream`, { method: 'HEAD' })
  const { date, ...rest } = Object.fromEntries(head.headers)
  t.strictSame([head.status, head.text, rest], [200, '', headers])
})

t.test('promise 5 (Live is pull): cut at any byte and resumed with the last whole id, a stream ends with what a pull gives', async t => {
  const { url, open, write } = await started(t)
  const pulled = new Map<string, string>()
  await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 1500 }), { minLength: 1, maxLength: 6 }), async cuts => {
    const replica = new TestReplica()
    const writing = (async () => { for (let n = 0; n < 8; n++) await write(`d${n % 5}`, { n, text: 'é'.repeat(n * 9) }) })()
    for (const cutAfter of cuts) {
      const client = await open('collections=todos', { lastEventId: replica.lastId, cutAfter })
      for await (const frame of client) {
        replica.take([frame])
        if (replica.live) client.close()
      }
    }
    await writing
    const page = (await post(`${url}/sync/pull`, pullOf())).json as TestPage
    const last = await open('collections=todos', { lastEventId: replica.lastId })
    while (replica.reached < page.checkpoint.global!) replica.take([(await last.next())!])
    last.close()
    apply(pulled, page.changes)
    t.strictSame([replica.faults, [...replica.documents].sort()], [[], [...pulled].sort()])
  }), { numRuns: 25 })
})

/** Bytes in buffers beyond `before`, once they are no more than `most`: what nobody holds goes when the collector is through. */
async function heldBytes (before: number, most: number): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let held = Infinity
  for (let i = 0; i < 50 && held > most; i++) {
    collect()
    await sleep(20)
    held = process.memoryUsage().arrayBuffers - before
  }
  return held
}

t.test('promise 7 (Isolated): a reader that does not read costs nobody else anything, and misses nothing', async t => {
  const { open, write, pocket } = await started(t)
  const [idle, brisk] = [await open(), await open()]
  await idle.next('message')
  await brisk.next('message')
  idle.response.socket.pause()
  const before = process.memoryUsage().arrayBuffers
  const count = 60
  for (let n = 0; n < count; n++) await write(`d${n}`, { text: 'x'.repeat(500_000) })
  for (let seen = 0; seen < count;) seen += data(await brisk.next('message')).changes.todos.length
  t.equal((await pocket.healthCheck()).clientCount, 2)
  t.ok(await heldBytes(before, 60_000_000) <= 60_000_000, 'what waits for it is not copied')
  idle.response.socket.resume()
  t.strictSame(await sequencesOf(idle, count), Array.from({ length: count }, (_, i) => i + 1))
})

t.test('promise 7 (Isolated): with room for one byte in a socket, what does not fit it waits in the log', async t => {
  // Frames below Node's own high-water mark, so that Node announces no drain.
  const { open, url } = await started(t, { socketBytes: 1, frameEntries: 1 })
  const client = await open()
  await client.next('message')
  client.response.socket.pause()
  const count = 800
  for (let n = 0; n < count; n += 100) {
    await post(`${url}/sync/push`, pushOf('todos', Array.from({ length: 100 }, (_, i) => ({ documentId: `d${n + i}`, document: { text: 'x'.repeat(12_000) } }))))
  }
  client.response.socket.resume()
  t.strictSame(await sequencesOf(client, count), Array.from({ length: count }, (_, i) => i + 1))
})

async function sequencesOf (client: SseClient, count: number): Promise<number[]> {
  const seen: number[] = []
  while (seen.length < count) seen.push(...data(await client.next('message')).changes.todos.map((change: { sequence: number }) => change.sequence))
  return seen
}

t.test('a client that leaves is forgotten', async t => {
  const { open, pocket } = await started(t)
  const clients = await Promise.all([open(), open(), open()])
  for (const client of clients) await client.next()
  t.equal((await pocket.healthCheck()).clientCount, 3)
  for (const client of clients) client.close()
  while ((await pocket.healthCheck()).clientCount > 0) await sleep(5)
})

t.test('a stream that was asked for behind another answer on the same connection waits for it', async t => {
  const { port, write } = await started(t)
  await write('a')
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const body = JSON.stringify(pullOf({ checkpoint: { global: 1 }, waitMs: 200 }))
  socket.write(`POST /sync/pull HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  socket.write('GET /sync/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n')
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) {
    text += chunk as string
    if (text.includes('"documentId":"a"')) break
  }
  const [pull, stream, ...rest] = text.split('HTTP/1.1 200 OK\r\n').slice(1)
  t.match(pull, /"type":"pull-response"/)
  t.match(stream, /^content-type: text\/event-stream/i)
  t.strictSame(rest, [])
})

t.test('the server ends streams with a goodbye when it shuts down', async t => {
  const { open, pocket } = await started(t)
  const client = await open()
  await client.next('message')
  await pocket.close()
  t.match(data(await client.next('bye')), { type: 'bye', reason: 'shutdown' })
  t.equal(await client.next(), undefined)
})

t.test('an EventSource follows, and comes back by itself to where it was when its stream has ended', async t => {
  const { url } = await startApp(t, { limits: { drainMs: 0, streamMs: 400 } })
  const push = (documentId: string) => post(`${url}/sync/push`, pushOf('todos', [{ documentId }]))
  await push('a')
  const source = new EventSource(`${url}/sync/stream?since=0`)
  t.teardown(() => source.close())
  const seen: string[] = []
  source.addEventListener('message', ({ data }) => {
    for (const change of (JSON.parse(data as string) as TestPage).changes['todos'] ?? []) seen.push(change.documentId)
  })
  await once(source, 'message')
  await once(source, 'bye')
  await push('b')
  await once(source, 'hello')
  await once(source, 'message')
  t.strictSame(seen, ['a', 'b'])
})
