import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createClient, ResyncRequired, SyncProblem, type Client, type ClientOptions, type PullResponse } from '../../src/client/client.ts'
import { files } from '../repo/sources.ts'
import { startApp } from '../support/app.ts'
import { badGateway, startGateway } from '../support/gateway.ts'
import { startProxy } from '../support/proxy.ts'

const quick = { timing: { backoffMs: 1, backoffMaxMs: 5 } }

function clientAt (baseUrl: string, options: Partial<ClientOptions> = {}): Client {
  return createClient({ baseUrl, ...quick, ...options })
}

function inserts (count: number, size = 10): Array<{ operation: 'insert', documentId: string, document: Record<string, unknown>, timestamp: number }> {
  const timestamp = Date.now()
  return Array.from({ length: count }, (_, i) => ({ operation: 'insert', timestamp, documentId: `d${i}`, document: { _id: `d${i}`, text: 'x'.repeat(size) } }))
}

async function documentsOf (client: Client): Promise<Map<string, unknown>> {
  const documents = new Map<string, unknown>()
  for await (const page of client.pullAll({ collections: ['todos'], limit: 1000 })) {
    for (const change of page.changes['todos'] ?? []) documents.set(change.documentId, change.document)
  }
  return documents
}

async function failure (promise: Promise<unknown>): Promise<SyncProblem> {
  try {
    await promise
  } catch (error) {
    if (error instanceof SyncProblem) return error
    throw error
  }
  throw new Error('it did not fail')
}

t.test('promise 3 (Once): a push whose answer is lost is sent again under its id and takes effect once', async t => {
  const { pocket, port } = await startApp(t)
  const proxy = await startProxy({ target: port })
  t.teardown(() => proxy.close())
  const gateway = await startGateway(t, `http://127.0.0.1:${proxy.port}`)
  const client = clientAt(gateway.url)
  for (const bytes of [1, 40, 200, 400]) {
    proxy.cutAfter(bytes)
    const { results, success } = await client.push({ collection: 'todos', changes: [{ operation: 'insert', documentId: `d${bytes}`, document: { bytes } }] })
    t.strictSame(results.map(({ status }) => status), ['applied'])
    t.ok(success)
  }
  const ids = gateway.seen.map(({ body }) => (JSON.parse(body) as { id: string }).id)
  t.ok(ids.length > 4, 'answers were lost')
  t.equal(new Set(ids).size, 4)
  t.equal((await client.pull({ collections: ['todos'] })).checkpoint.global, 4, 'each was stored once')
  t.ok((await pocket.healthCheck()).healthy)
})

t.test('message ids grow with time, over all clients, and no two are equal', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  const clients = [clientAt(gateway.url), clientAt(gateway.url)]
  const begun = Date.now()
  for (let i = 0; i < 10; i++) {
    await clients[i % 2]!.push({ collection: 'todos', changes: inserts(1) })
    const now = Date.now()
    while (Date.now() === now) await sleep(1)
  }
  const ids = gateway.seen.map(({ body }) => (JSON.parse(body) as { id: string }).id)
  for (const id of ids) t.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.strictSame(ids, [...ids].sort())
  t.equal(new Set(ids.map(id => id.slice(-12))).size, ids.length, 'the rest is random')
  const time = parseInt(ids[0]!.replaceAll('-', '').slice(0, 12), 16)
  t.ok(time >= begun && time <= Date.now(), 'they begin with the time')
})

t.test('what a proxy answers itself is judged by its status: 502 and a login page are tried again, 404 is not', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  const client = clientAt(gateway.url)
  gateway.answers.push(badGateway, { status: 200, headers: { 'content-type': 'text/html' }, body: '<form>Wi-Fi login</form>' }, { status: 429, headers: { 'retry-after': '0' } }, { status: 504 })
  t.equal((await client.push({ collection: 'todos', changes: inserts(1) })).success, true)
  t.equal(new Set(gateway.seen.map(({ body }) => body)).size, 1, 'the same bytes each time')
  t.equal(gateway.seen.length, 5)

  gateway.answers.push({ status: 404, headers: { 'content-type': 'text/html' }, body: '<h1>Not Found</h1>' })
  const problem = await failure(client.pull({ collections: [] }))
  t.match(problem, { code: 'unexpected_answer', status: 404, retryable: false, problem: undefined })
  t.equal(gateway.seen.length, 6)
})

t.test('a client that gives up says under which id the message is to be sent again', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  gateway.answers.push(badGateway, badGateway, badGateway)
  const problem = await failure(clientAt(gateway.url, { retries: 2 }).push({ id: 'mine', collection: 'todos', changes: inserts(1) }))
  t.match(problem, { id: 'mine', status: 502, retryable: true })
  t.equal(gateway.seen.length, 3)
  const gone = await failure(clientAt('http://127.0.0.1:1', { retries: 1 }).pull({ collections: [] }))
  t.match(gone, { code: 'network', status: 0, retryable: true })
})

t.test('Retry-After is waited for', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  const busy = { type: 'urn:sync:problem:busy', title: 'x', status: 503, code: 'busy', detail: 'x', retryable: true }
  gateway.answers.push({ status: 503, headers: { 'content-type': 'application/problem+json', 'retry-after': '1' }, body: JSON.stringify(busy) })
  const signal = AbortSignal.timeout(200)
  await t.rejects(clientAt(gateway.url).push({ collection: 'todos', changes: inserts(1) }, { signal }), { name: 'TimeoutError' })
  t.equal(gateway.seen.length, 1, 'and an abort ends the wait')
})

t.test('a large push goes out in messages that nginx takes, with one answer in the order of its changes', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  gateway.maxBody = 1024 * 1024
  const client = clientAt(gateway.url)
  const changes = inserts(2500, 1000)
  const answer = await client.push({ id: 'large', collection: 'todos', changes, checkpoint: { global: 0 } })
  t.strictSame(answer.results.map(({ index }) => index), changes.map((_, i) => i))
  t.ok(answer.success)
  t.equal(answer.id, 'large')
  t.strictSame(answer.checkpoint, { global: 2500 }, 'each part goes on from the checkpoint of the one before')
  t.ok(gateway.seen.length > 2 && gateway.seen.every(({ body }) => body.length <= 901_000))
  const again = await client.push({ id: 'large', collection: 'todos', changes, checkpoint: { global: 0 } })
  t.strictSame(again.results, answer.results, 'promise 3 (Once): repeated as a whole, its parts are repeated')
  t.equal((await documentsOf(client)).size, 2500)
})

t.test('promise 7 (Isolated): where less gets through a push is halved until it does, and what never will is refused alone', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  gateway.maxBody = 20_000
  const client = clientAt(gateway.url)
  const changes = inserts(64, 1000)
  changes[10]!.document['text'] = 'y'.repeat(30_000)
  const { results, success } = await client.push({ collection: 'todos', changes })
  t.notOk(success)
  t.strictSame(results.filter(({ status }) => status !== 'applied').map(({ index, status, error }) => [index, status, error?.code]), [[10, 'rejected', 'too_large']])
  t.equal(results.length, 64)
  t.equal((await documentsOf(clientAt(url))).size, 63)

  const before = gateway.seen.length
  await client.push({ collection: 'todos', changes: inserts(64, 1000) })
  t.ok(gateway.seen.slice(before).every(({ body }) => body.length < 20_000), 'what was learned is remembered')

  t.match(await failure(client.push({ collection: 'todos', changes, atomic: true })), { status: 413 }, 'what must not be split is not')
})

t.test('the server\'s own limit of changes is kept to once it is known', async t => {
  const { url } = await startApp(t, { limits: { changesPerPush: 10 } })
  const gateway = await startGateway(t, url)
  const client = clientAt(gateway.url)
  t.ok((await client.push({ collection: 'todos', changes: inserts(35) })).success)
  t.equal(gateway.seen.length, 5, 'one refused, then 10, 10, 10 and 5')
  await client.push({ collection: 'todos', changes: inserts(20) })
  t.equal(gateway.seen.length, 7)
})

t.test('a refused token is replaced once', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  const refusal = { status: 401, headers: { 'content-type': 'application/problem+json' }, body: JSON.stringify({ code: 'invalid_token', status: 401, title: 'x', detail: 'x', retryable: true, type: 'x' }) }
  const asked: Array<string | undefined> = []
  const client = clientAt(gateway.url, {
    token: async refused => {
      asked.push(refused)
      return refused === undefined ? 'old' : 'new'
    }
  })
  gateway.answers.push(refusal)
  t.ok((await client.push({ collection: 'todos', changes: inserts(1) })).success)
  t.strictSame(asked, [undefined, 'old'])
  t.strictSame(gateway.seen.map(({ headers }) => headers.authorization), ['Bearer old', 'Bearer new'])
  gateway.answers.push(refusal, refusal, refusal)
  t.match(await failure(client.pull({ collections: [] })), { code: 'invalid_token', status: 401, retryable: false })
  t.equal(gateway.seen.length, 4)
})

t.test('each change says which version it edited: 0 for a new one, else what the app knows', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  const client = clientAt(gateway.url, { clientId: 'phone' })
  const [result] = (await client.push({ collection: 'todos', changes: inserts(1) })).results
  const answer = await client.push({ collection: 'todos', changes: [{ operation: 'update', documentId: 'd0', document: { edited: true }, timestamp: 5, base: result!.sequence! }] })
  t.equal(answer.results[0]?.status, 'applied', 'also where its clock is behind')
  t.match(gateway.seen.map(({ body }) => JSON.parse(body) as unknown), [{ clientId: 'phone', changes: [{ base: 0 }] }, { changes: [{ base: 1, timestamp: 5 }] }])
})

t.test('pages follow each other until there is no more; a lost history is an error, or told and begun again', async t => {
  const { url } = await startApp(t)
  const client = clientAt(url)
  await client.push({ collection: 'todos', changes: inserts(25) })
  const pages: PullResponse[] = []
  for await (const page of client.pullAll({ collections: ['todos'], limit: 10 })) pages.push(page)
  t.strictSame(pages.map(({ hasMore }) => hasMore), [true, true, false])

  const lost = { collections: ['todos'], checkpoint: { global: 7 }, epoch: 'gone' }
  const error = await failure(client.pull(lost))
  t.ok(error instanceof ResyncRequired)
  t.match(error, { status: 410, reason: 'epoch-changed', checkpoint: { global: 0 }, epoch: pages[0]!.epoch })
  t.type(await failure(client.pullAll(lost).next()), ResyncRequired)
  t.type(await failure(client.push({ collection: 'todos', changes: inserts(1), checkpoint: { global: 7 }, epoch: 'gone' })), ResyncRequired)

  const told: string[] = []
  let seen = 0
  for await (const page of client.pullAll(lost, { onResync: ({ reason }) => { told.push(reason) } })) seen += page.changes['todos']?.length ?? 0
  t.strictSame([told, seen], [['epoch-changed'], 25])
})

t.test('what cannot work is said when the client is made', async t => {
  t.throws(() => createClient({ baseUrl: 'no url' }), TypeError)
  await t.rejects(clientAt('http://localhost').push({ id: 'x'.repeat(101), collection: 'todos', changes: [] }), TypeError)
  await t.rejects(clientAt('http://localhost').push({ id: 'mine', collection: 'todos', changes: [{ operation: 'delete', documentId: 'd' }] }), TypeError)
})

t.test('the client needs nothing but the platform: no module and no global of Node', async t => {
  for (const { path, text } of files(['src/client'])) t.notMatch(text.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, ''), /node:|\b(Buffer|process|require|setImmediate|__dirname)\b/, path)
})
