import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { SyncProblem } from '../../src/client/client.ts'
import { clientAt, follow } from '../support/follow.ts'

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

t.test('where only the beginning of a stream gets through it polls as well', async t => {
  const silent = (response: ServerResponse): void => { response.writeHead(200, head).write(hello(0, { heartbeatMs: 10 }) + page(1)) }
  let polled = ''
  const url = await startScript(t, silent, silent, silent, (response, { pathname }) => {
    polled = pathname
    response.writeHead(200, { 'content-type': 'application/json' }).end(/data: (.*)/.exec(page(2))![1])
  })
  const { sequences } = await follow(clientAt(url), ({ sequences }) => sequences.at(-1) === 2)
  t.equal(polled, '/sync/pull')
  t.strictSame(sequences, [1, 1, 1, 2])
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
