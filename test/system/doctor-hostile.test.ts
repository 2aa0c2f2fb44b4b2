import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { examined, type Examined } from '../support/examine.ts'
import { startTls } from '../support/tls.ts'

interface Test { teardown (action: () => unknown): void }

/** What a server does with a connection once the first bytes are in. */
type Manners = (socket: Socket, head: string) => void

async function startWith (t: Test, manners: Manners): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', data => { manners(socket, data.toString('latin1')) })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Writes as long as somebody takes it. */
function pour (socket: Socket, bytes: Buffer | string): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(bytes));
    if (!socket.destroyed) socket.once('drain', more)
  }
  more()
}

const INFO = JSON.stringify({ name: '@pocket/server', version: '1', protocol: { min: 1, max: 1 }, features: ['changes'], limits: { waitMs: 1e300, bodyBytes: -1 } })

/** What a server of ours would say first, and then something else. */
function after (other: Manners, page = '{}'): Manners {
  return (socket, head) => {
    if (head.startsWith('GET /sync/info HTTP')) socket.end(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${INFO.length}\r\n\r\n${INFO}`)
    else if (head.startsWith('POST /sync/pull')) socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${page.length}\r\n\r\n${page}`)
    else other(socket, head)
  }
}

const manners: Readonly<Record<string, Manners>> = {
  'that say nothing': () => {},
  'that hang up': socket => { socket.destroy() },
  'that speak no HTTP': socket => { socket.end('SSH-2.0-OpenSSH_9.2\r\n') },
  'whose headers never end': socket => {
    socket.write('HTTP/1.1 200 OK\r\n')
    pour(socket, `x-${'y'.repeat(500)}: z\r\n`)
  },
  'whose bodies never end': socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n')
    pour(socket, Buffer.alloc(65536, 'data: x\n'))
  },
  'whose bodies never end and are no text': socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n')
    pour(socket, Buffer.alloc(65536, 0xff))
  },
  'that go on informing': socket => { pour(socket, 'HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n') },
  'that change the protocol': socket => { socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n') },
  'that redirect in a circle': (socket, head) => { socket.end(`HTTP/1.1 302 Found\r\nlocation: ${head.split(' ')[1]!}\r\ncontent-length: 0\r\n\r\n`) },
  'that answer HTML to everything': socket => { socket.end('HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<h1>\u001b]0;owned\u0007Welcome</h1>') },
  'that answer JSON of another kind': socket => { socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"__proto__":{"status":"ok"},"type":[],"name":"@pocket/server","version":"\\u001b[2J","protocol":null,"features":{}}') },
  'whose lengths are wrong': socket => { socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{}') }
}

async function look (t: Test, how: Manners): Promise<Examined> {
  return await examined(await startWith(t, how), { token: 'token-of-alice', timeoutMs: 700, origin: 'https://app.example', idleMs: 500 })
}

for (const [name, how] of Object.entries(manners)) {
  t.test(`promise 9 (Clear): servers ${name} are told in bounded time and memory, from the first answer on and later`, async t => {
    const before = process.memoryUsage.rss()
    const first = await look(t, how)
    t.ok(first.problems > 0)
    t.match(first.of('server'), { level: 'problem', text: /^GET http:\S+\/sync\/info answers ./ })
    const later = await look(t, after(how))
    t.equal(later.of('server').level, 'ok')
    t.ok(later.problems > 0)
    t.notMatch(later.of('stream').level, 'ok')
    t.ok(process.memoryUsage.rss() - before < 200 * 2 ** 20)
  })
}

t.test('promise 9 (Clear): whatever bytes are answered, the examination ends and tells a problem', async t => {
  const piece = fc.oneof(
    fc.constantFrom('HTTP/1.1 200 OK\r\n', 'HTTP/1.1 204 No\r\n\r\n', 'content-type: text/event-stream\r\n', 'content-type: application/problem+json\r\n', 'transfer-encoding: chunked\r\n', 'content-length: 5\r\n', '\r\n\r\n', 'event: hello\ndata: {"heartbeatMs":1e9}\n\n', ':\n\n', '{"type":', '5\r\n', 'set-cookie: a\r\n', 'location: /\r\n', 'access-control-allow-origin: *\r\n'),
    fc.string({ unit: 'binary', maxLength: 20 })
  )
  await fc.assert(fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async pieces => {
    const stop: Array<() => unknown> = []
    const found = await look({ teardown: action => { stop.push(action) } }, after(socket => { socket.end(pieces.join(''), 'latin1') }))
    for (const action of stop) action()
    t.ok(found.problems > 0)
  }), { numRuns: 5 })
})

t.test('promise 9 (Clear): a server that says it waits for ever is given a few minutes', async t => {
  const page = JSON.stringify({ type: 'pull-response', id: 'x', changes: {}, checkpoint: { global: 1 }, hasMore: false, epoch: 'e' })
  const url = await startWith(t, after((socket) => { socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n') }, page))
  const stop = new AbortController()
  const waits: number[] = []
  const onWait = async (ms: number): Promise<void> => {
    waits.push(ms)
    stop.abort()
  }
  await examined(url, { timeoutMs: 400, idleMs: undefined, signal: stop.signal, onWait })
  t.equal(waits.length, 1)
  t.ok(waits[0]! <= 5 * 60_000)
})

t.test('promise 6 (Private): nothing is sent to who shows a certificate that is not to be believed', async t => {
  const { url, pocket } = await startTls(t)
  const { told, problems } = await examined(url, { ca: undefined, token: 'token-of-alice' })
  t.match(told.at(-1), { check: 'TLS', level: 'problem', text: /self-signed/ })
  t.equal(problems, 1)
  t.strictSame(pocket.getClients(), [])
  t.match((await examined(url, { now: () => Date.now() + 400 * 365 * 24 * 3600 * 1000 })).of('TLS'), { level: 'note', advice: [/renewal/] })
})

t.test('a port that speaks the other of http and https is told', async t => {
  const { url } = await startTls(t)
  t.match((await examined(url.replace('https', 'http'))).of('server'), { level: 'problem' })
  const plain = await startWith(t, socket => { socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') })
  t.match((await examined(plain.replace('http', 'https'))).of('TLS'), { level: 'problem', text: /does not speak TLS/, advice: [/http:\/\//] })
  t.match((await examined('http://pocket-doctor.invalid', { timeoutMs: 3000 })).of('reachable'), { level: 'problem', text: /DNS|within 3.0 s/ })
})
