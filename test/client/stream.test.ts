import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { createClient, SyncProblem, type Client, type ClientOptions, type StreamEvent } from '../../src/client/client.ts'
import { startApp } from '../support/app.ts'
import { startGateway } from '../support/gateway.ts'
import { startProxy } from '../support/proxy.ts'

const RUNS = Number(process.env['POCKET_RUNS'] ?? 10)
const quick = { timing: { backoffMs: 1, backoffMaxMs: 5 } }

function clientAt (baseUrl: string, options: Partial<ClientOptions> = {}): Client {
  return createClient({ baseUrl, ...quick, ...options })
}

function put (client: Client, documentId: string, value: unknown = 0): Promise<unknown> {
  return client.push({ collection: 'todos', changes: [{ operation: 'update', documentId, document: { value } }] })
}

/** What a stream gave until it had what was waited for. */
class Log {
  readonly events: StreamEvent[] = []
  readonly documents = new Map<string, unknown>()
  readonly sequences: number[] = []

  add (event: StreamEvent): this {
    this.events.push(event)
    if (event.type !== 'pull-response') return this
    for (const { operation, documentId, document, sequence } of event.changes['todos'] ?? []) {
      this.sequences.push(sequence)
      if (operation === 'delete') this.documents.delete(documentId)
      else this.documents.set(documentId, document)
    }
    return this
  }

  get types (): string[] {
    return this.events.map(({ type }) => type)
  }
}

async function follow (client: Client, until: (log: Log) => boolean, from: { checkpoint?: { global: number }, epoch?: string } = {}): Promise<Log> {
  const log = new Log()
  for await (const event of client.stream({ collections: ['todos'], ...from })) if (until(log.add(event))) break
  return log
}

async function documentsOf (client: Client): Promise<Map<string, unknown>> {
  const log = new Log()
  for await (const page of client.pullAll({ collections: ['todos'] })) log.add(page)
  return log.documents
}

t.test('promise 5 (Live is pull): cut anywhere, again and again, a stream has every sequence once, rising, and ends with the documents of a pull', async t => {
  const { url, port } = await startApp(t)
  const writer = clientAt(url)
  for (let i = 0; i < 40; i++) await put(writer, `d${i}`, 'x'.repeat(i * 20))
  const proxy = await startProxy({ target: port })
  t.teardown(() => proxy.close())
  const client = clientAt(`http://127.0.0.1:${proxy.port}`)
  let count = 40
  await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 8 }), async cuts => {
    const waiting = [...cuts]
    proxy.cutAfter(waiting.shift()!)
    const live = count++
    let pushed = false
    const log = await follow(client, log => {
      // A connection that says hello is there to be cut again.
      if (log.types.at(-1) === 'hello' && waiting.length > 0) proxy.cutAfter(waiting.shift()!)
      if (log.sequences.length === live && !pushed) {
        pushed = true
        // Once with something to lose: most cuts are before a first whole frame.
        proxy.cutAfter(1)
        put(writer, `d${live}`, 'live').catch(t.fail)
      }
      return log.sequences.length > live
    })
    t.strictSame(log.sequences, Array.from({ length: count }, (_, i) => i + 1), 'without gap or repeat')
    t.strictSame(log.documents, await documentsOf(writer))
  }), { numRuns: RUNS, endOnFailure: true })
})

t.test('a stream without a past begins with everything, says when it is live, and goes on from a checkpoint', async t => {
  const { url } = await startApp(t)
  const client = clientAt(url)
  for (let i = 0; i < 3; i++) await put(client, `d${i}`)
  const { events, sequences } = await follow(client, ({ events }) => { const last = events.at(-1); return last?.type === 'pull-response' && !last.hasMore })
  t.strictSame(sequences, [1, 2, 3])
  t.equal(events[0]?.type, 'hello')
  const { checkpoint, epoch } = events.at(-1)!
  await put(client, 'd3')
  const later = await follow(client, ({ sequences }) => sequences.length > 0, { checkpoint: { global: checkpoint.global! }, epoch: epoch! })
  t.strictSame(later.sequences, [4])
  t.strictSame(later.events.at(-1)?.checkpoint, { global: 4 })
})

t.test('a history that is gone is told as resync, and everything comes again on the same stream', async t => {
  const { url } = await startApp(t)
  const client = clientAt(url)
  await put(client, 'd0')
  const { events, types } = await follow(client, ({ sequences }) => sequences.length > 0, { checkpoint: { global: 1 }, epoch: 'gone' })
  const resync = events.find(({ type }) => type === 'resync')
  t.match(resync, { reason: 'epoch-changed', checkpoint: { global: 0 }, epoch: events.at(-1)!.epoch! })
  t.equal(types.indexOf('resync') < types.lastIndexOf('pull-response'), true)
  t.notOk(types.includes('disconnected'))
})

t.test('where streams are held back it polls, and streams again when they get through', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  gateway.buffers = true
  const writer = clientAt(url)
  await put(writer, 'd0')
  const client = clientAt(gateway.url, { timing: { ...quick.timing, helloMs: 60, waitMs: 300, streamAgainMs: 400 } })
  let step = 0
  const { types, sequences, documents } = await follow(client, ({ sequences, types }) => {
    if (step === 0 && sequences.length === 1) {
      step = 1
      put(writer, 'd1').catch(t.fail)
    } else if (step === 1 && sequences.length === 2) {
      step = 2
      gateway.buffers = false
    } else if (step === 2 && types.at(-1) === 'hello') {
      step = 3
      put(writer, 'd2').catch(t.fail)
    }
    return sequences.length === 3
  })
  t.strictSame(types.slice(0, 4), ['disconnected', 'disconnected', 'disconnected', 'pull-response'], 'three greetings that did not come')
  t.strictSame(sequences, [1, 2, 3])
  t.strictSame(documents, await documentsOf(writer))
  t.ok(gateway.seen.some(({ path }) => path === '/sync/pull'))
  const streams = gateway.seen.filter(({ path }) => path.startsWith('/sync/stream'))
  t.equal(new Set(streams.map(({ path }) => new URL(path, url).searchParams.get('c'))).size, streams.length, 'each request is its own, whatever coalesces')
})

t.test('a consumer that stops, by leaving the loop, by return or by the signal, closes the connection', async t => {
  const { url, pocket } = await startApp(t)
  const client = clientAt(url)
  const streams = async (count: number): Promise<void> => {
    while ((await pocket.healthCheck()).clientCount !== count) await new Promise(resolve => setTimeout(resolve, 5))
  }
  await follow(client, ({ types }) => types.at(-1) === 'hello')
  await streams(0)

  const events = client.stream({ collections: [] })
  t.equal((await events.next()).value?.type, 'hello')
  t.equal((await events.next()).value?.type, 'pull-response')
  const waiting = events.next()
  await events.return?.()
  t.ok((await waiting).done, 'also one that waits')
  await streams(0)

  const controller = new AbortController()
  const seen: string[] = []
  for await (const { type } of client.stream({ collections: [], signal: controller.signal })) if (seen.push(type) === 2) controller.abort()
  t.strictSame(seen, ['hello', 'pull-response'], 'the loop ends without an error')
  await streams(0)
  t.ok((await client.stream({ collections: [], signal: controller.signal }).next()).done)
})

t.test('what trying again cannot mend ends the stream with the server\'s reason', async t => {
  const { url } = await startApp(t)
  await t.rejects(clientAt(url).stream({ collections: ['no name'] }).next(), { name: 'SyncProblem', code: 'invalid_message', status: 400 })
})

/** A server that says on each connection what the test tells it to, in turn. */
async function startScript (t: Test, ...connections: Array<(response: ServerResponse, url: URL, authorization: string | undefined) => void>): Promise<string> {
  const server = createServer((request, response) => {
    const say = connections.shift()
    if (say === undefined) return
    say(response, new URL(request.url!, 'http://localhost'), request.headers.authorization)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const head = { 'content-type': 'text/event-stream' }
const hello = (at: number, members = {}): string => frame('hello', `${at}~e1`, { protocol: 1, epoch: '1', checkpoint: { global: at }, head: { global: at }, heartbeatMs: 15_000, maxDurationMs: 1, ...members })
const page = (at: number): string => frame('', `${at}~e1`, { type: 'pull-response', id: 'x', changes: { todos: [{ operation: 'update', documentId: `d${at}`, document: {}, timestamp: 0, sequence: at }] }, checkpoint: { global: at }, hasMore: false, epoch: '1' })

function frame (event: string, id: string, data: object): string {
  return `${event === '' ? '' : `event: ${event}\n`}data: ${JSON.stringify({ type: event, ...data })}\nid: ${id}\n\n`
}

t.test('half a frame, broken JSON and silence are cuts: it goes on after the last whole frame', async t => {
  const since: Array<string | null> = []
  const url = await startScript(t,
    (response, { searchParams }) => {
      since.push(searchParams.get('since'))
      response.writeHead(200, head).end(hello(0) + page(1) + page(2).slice(0, -1))
    },
    (response, { searchParams }) => {
      since.push(searchParams.get('since'))
      response.writeHead(200, head).write(hello(1) + page(2) + page(3).replace('{', '{{'))
    },
    (response, { searchParams }) => {
      since.push(searchParams.get('since'))
      response.writeHead(200, head).write(hello(2, { heartbeatMs: 40 }) + page(3))
    },
    (response, { searchParams }) => {
      since.push(searchParams.get('since'))
      response.writeHead(200, head).write(hello(3) + page(4))
    })
  const { sequences, types } = await follow(clientAt(url), ({ sequences }) => sequences.at(-1) === 4)
  t.strictSame(sequences, [1, 2, 3, 4])
  t.strictSame(since, ['0', '1~e1', '2~e1', '3~e1'])
  t.equal(types.filter(type => type === 'disconnected').length, 3)
})

t.test('frames and members that it does not know are passed over, but move the place; comments are no events', async t => {
  const since: Array<string | null> = []
  const url = await startScript(t,
    response => response.writeHead(200, head).end(`:\n\n${hello(0)}:\n\nid: 5~e1\n\nevent: news\ndata: no json\nid: 6~e1\n\nevent: ping\ndata: {"type":"ping","checkpoint":{"global":7,"later":true},"novel":1}\nid: 7~e2\n\n`),
    (response, { searchParams }) => {
      since.push(searchParams.get('since'))
      response.writeHead(200, head).write(page(8))
    })
  const { events, types } = await follow(clientAt(url), ({ sequences }) => sequences.length === 1)
  t.strictSame(types, ['hello', 'ping', 'disconnected', 'pull-response'])
  t.match(events[1], { checkpoint: { global: 7, later: true }, epoch: '2', novel: 1 }, 'a ping says which epoch its checkpoint lies in')
  t.strictSame(since, ['7~e2'])
})

t.test('a farewell is waited out; an expired token is replaced before it comes back', async t => {
  const asked: Array<string | undefined> = []
  const sent: Array<string | undefined> = []
  let left = 0
  const url = await startScript(t,
    (response, _url, authorization) => {
      sent.push(authorization)
      left = performance.now()
      response.writeHead(200, head).end(hello(3) + frame('bye', '3~e1', { reason: 'token-expired', retryMs: 1000, checkpoint: {} }))
    },
    (response, _url, authorization) => {
      sent.push(authorization)
      t.ok(performance.now() - left >= 990)
      response.writeHead(401, { 'content-type': 'application/problem+json' }).end('{"code":"invalid_token","retryable":true,"detail":""}')
    },
    (response, _url, authorization) => {
      sent.push(authorization)
      response.writeHead(200, head).write(hello(3))
    })
  const tokens = ['a', 'b', 'c']
  const client = clientAt(url, {
    token: refused => {
      asked.push(refused)
      return tokens.shift()!
    }
  })
  const { events, types } = await follow(client, ({ types }) => types.length === 3)
  t.strictSame(types, ['hello', 'bye', 'hello'])
  t.match(events[1], { reason: 'token-expired', checkpoint: { global: 3 }, epoch: '1' }, 'every event has a place to go on from')
  t.strictSame(asked, [undefined, 'a', 'b'])
  t.strictSame(sent, ['Bearer a', 'Bearer b', 'Bearer c'])
})

t.test('promise 7 (Isolated): it reads no further than its consumer, whatever the server has to say', async t => {
  const MiB = 1024 * 1024
  let written = 0
  const big = `event: news\ndata: ${'x'.repeat(64 * 1024)}\nid: 1\n\n`
  const url = await startScript(t, response => {
    response.writeHead(200, head).write(hello(0) + page(1))
    const write = (): void => {
      while (written < 256 * MiB && !response.destroyed) {
        written += big.length
        if (!response.write(big + page(2))) return
      }
    }
    response.on('drain', write)
    write()
  })
  for await (const { type } of clientAt(url).stream({ collections: [] })) {
    if (type !== 'pull-response') continue
    for (let before = -1; before !== written;) {
      before = written
      await new Promise(resolve => setTimeout(resolve, 200))
    }
    t.ok(written < 32 * MiB, `${written / MiB} MiB lie in the sockets, of 256`)
    break
  }
})

t.test('a SyncProblem tells why it is disconnected', async t => {
  const controller = new AbortController()
  for await (const event of clientAt('http://127.0.0.1:1').stream({ collections: [], signal: controller.signal })) {
    if (event.type !== 'disconnected') t.fail(event.type)
    else t.ok(event.error instanceof SyncProblem && event.error.code === 'network' && event.retryMs <= 5)
    controller.abort()
  }
})
