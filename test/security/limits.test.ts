import rateLimit from '@fastify/rate-limit'
import Fastify from 'fastify'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { Budgets } from '../../src/http/budgets.ts'
import { makeAddressOf, networkOf } from '../../src/http/caller.ts'
import { PocketServer } from '../../src/server.ts'
import { post, pullOf, pushOf, request, startApp } from '../support/app.ts'
import { SseClient } from '../support/sse-client.ts'

/** Every token is a user of that name; "wrong" is none. */
const authenticate = (token: string): object | null => token === '' || token === 'wrong' ? null : { id: token }
const as = (user: string, from?: string): Record<string, string> => ({ authorization: `Bearer ${user}`, ...from !== undefined && { 'x-forwarded-for': from } })
const limited = { status: 429, json: { code: 'rate_limited', retryable: true } }
const pull = (url: string, headers: Record<string, string>): ReturnType<typeof post> => post(`${url}/sync/pull`, pullOf(), headers)
const push = (url: string, count: number, headers: Record<string, string>): ReturnType<typeof post> => post(`${url}/sync/push`, pushOf('c', Array.from({ length: count }, (_, i) => ({ documentId: `d${i}` }))), headers)

async function statuses (count: number, send: () => ReturnType<typeof post>): Promise<number[]> {
  const found: number[] = []
  for (let i = 0; i < count; i++) found.push((await send()).status)
  return found
}

/** Waits until so many are closed. @returns how many are */
async function closedOf (sockets: readonly Socket[], wanted: number): Promise<number> {
  const closed = (): number => sockets.filter(socket => socket.closed).length
  while (closed() < wanted) await new Promise(resolve => setTimeout(resolve, 5))
  return closed()
}

t.test('the default limits let through a client that sends all that is unacknowledged again with each change: 500 requests, 125,250 changes', async (t) => {
  const { url } = await startApp(t, { authenticate, compactInterval: Infinity })
  const changes = Array.from({ length: 500 }, (_, i) => ({ documentId: `d${i}`, timestamp: 1_700_000_000_000 + i }))
  let refused = 0
  for (let i = 1; i <= changes.length; i++) if ((await post(`${url}/sync/push`, pushOf('c', changes.slice(0, i)), as('alice'))).status !== 200) refused++
  t.equal(refused, 0)
  t.match(await post(`${url}/sync/pull`, pullOf({ limit: 1000 }), as('alice')), { status: 200, json: { checkpoint: { global: 500 }, hasMore: false } }, 'one entry each')
})

t.test('the default limits let through a first sync of 100,000 documents page by page, and 20 tabs that reconnect at once, three times', async (t) => {
  const { url } = await startApp(t, { authenticate })
  t.strictSame(new Set(await statuses(1000, () => pull(url, as('alice')))), new Set([200]))
  for (let round = 0; round < 3; round++) {
    const tabs = await Promise.all(Array.from({ length: 20 }, () => SseClient.connect(`${url}/sync/stream`, { headers: as('alice') })))
    for (const tab of tabs) t.equal((await tab.next())?.event, 'hello')
    await Promise.all(tabs.map(tab => tab.close()))
  }
})

t.test('promise 7 (Isolated): a user who hammers is told when to come back (rateLimit.requestsPerMinute), and others notice nothing', async (t) => {
  const { url } = await startApp(t, { authenticate, rateLimit: { requestsPerMinute: 20 } })
  const found = await statuses(60, () => pull(url, as('mallory')))
  t.strictSame([...new Set(found)], [200, 429])
  t.ok(found.filter(status => status === 200).length < 40)
  const refused = await pull(url, as('mallory'))
  t.match(refused, limited)
  t.ok(Number(refused.headers.get('retry-after')) >= 1)
  t.strictSame(new Set(await statuses(20, () => pull(url, as('alice')))), new Set([200]))
  t.equal((await request(`${url}/health`, { headers: as('mallory') })).status, 200)
})

t.test('promise 7 (Isolated): a stream over the limit of requests is told so in band, since any other status ends a browser\'s EventSource for good', async (t) => {
  const { url } = await startApp(t, { authenticate, rateLimit: { requestsPerMinute: 1 } })
  await pull(url, as('alice'))
  const answer = await request(`${url}/sync/stream`, { headers: { accept: 'text/event-stream', ...as('alice') } })
  t.equal(answer.status, 200)
  t.match(answer.text, /^retry: \d{4,}\nevent: bye\ndata: \{"type":"bye","reason":"overloaded"/)
})

t.test('promise 7 (Isolated): who guesses tokens is slowed down by address (rateLimit.failureCost), and no user\'s quota pays for it', async (t) => {
  const { url } = await startApp(t, { authenticate, trustProxy: ['loopback'], rateLimit: { requestsPerMinutePerAddress: 40, failureCost: 9 } })
  const found = await statuses(10, () => pull(url, as('wrong', '203.0.113.1')))
  t.strictSame([...new Set(found)], [401, 429])
  t.ok(found.filter(status => status === 401).length <= 5)
  t.match(await pull(url, as('alice', '203.0.113.1')), limited, 'not even with a right one: else guessing would go on')
  t.strictSame(new Set(await statuses(30, () => pull(url, as('alice', '203.0.113.2')))), new Set([200]))
  t.match(await pull(url, as('wrong', '203.0.113.3')), { status: 401 })
})

t.test('an address is an IPv4 address, or an IPv6 network of 64 bits', async (t) => {
  const { url } = await startApp(t, { open: true, trustProxy: ['loopback'], rateLimit: { requestsPerMinutePerAddress: 5 } })
  for (let i = 0; i < 5; i++) t.equal((await pull(url, { 'x-forwarded-for': `2001:db8:1:2::${i}` })).status, 200)
  t.match(await pull(url, { 'x-forwarded-for': '2001:DB8:1:2:ffff::1' }), limited)
  t.equal((await pull(url, { 'x-forwarded-for': '2001:db8:1:3::1' })).status, 200)
  t.strictSame(['192.0.2.1', '2001:db8::1', '2001:0db8:0:0:1::', '::1', 'fe80::1%eth0', '1:2:3:4:5:6:7:8', '64:ff9b::192.0.2.1', '1:2:3::', '::'].map(networkOf),
    ['192.0.2.1', '2001:db8:0:0::/64', '2001:db8:0:0::/64', '0:0:0:0::/64', 'fe80:0:0:0::/64', '1:2:3:4::/64', '64:ff9b:0:0::/64', '1:2:3:0::/64', '0:0:0:0::/64'])
})

t.test('promise 7 (Isolated): X-Forwarded-For is believed of proxies that are trusted, and of nobody else (trustProxy)', async (t) => {
  const asked = (trustProxy: NonNullable<PocketServerOptions['trustProxy']>, peer: string, header?: string): string | null =>
    makeAddressOf(trustProxy)({ socket: { remoteAddress: peer }, headers: header === undefined ? {} : { 'x-forwarded-for': header } } as never)
  t.equal(asked(false, '192.0.2.9', '198.51.100.1'), '192.0.2.9')
  t.equal(asked(['10.0.0.0/8'], '192.0.2.9', '198.51.100.1'), '192.0.2.9', 'the peer is no proxy')
  t.equal(asked(['10.0.0.0/8'], '10.1.1.1', '198.51.100.1'), '198.51.100.1')
  t.equal(asked(['10.0.0.0/8'], '::ffff:10.1.1.1', '127.0.0.1, 198.51.100.1, 10.2.2.2'), '198.51.100.1', 'what the client wrote itself is not reached')
  t.equal(asked(['10.0.0.0/8'], '10.1.1.1', 'unknown'), '10.1.1.1')
  t.equal(asked(['10.0.0.0/8'], '10.1.1.1', ''), '10.1.1.1')
  t.equal(asked(['10.0.0.0/8'], '10.1.1.1', ','.repeat(1000)), '10.1.1.1')
  t.equal(asked(['10.0.0.0/8'], '10.1.1.1'), '10.1.1.1')
  t.equal(asked(['fd00::/8', '192.0.2.1'], 'fd00::1', '[2001:DB8::7]:443, 192.0.2.1:8080'), '2001:db8::7', 'ports are left out')
  t.equal(asked(1, '192.0.2.9', '127.0.0.1, 198.51.100.1'), '198.51.100.1')
  t.equal(asked(2, '192.0.2.9', '127.0.0.1, 198.51.100.1, 10.2.2.2'), '198.51.100.1')
  t.equal(asked(9, '192.0.2.9', '198.51.100.1'), '198.51.100.1')
  t.equal(asked(true, '192.0.2.9', '198.51.100.1, 10.2.2.2'), '198.51.100.1')
  t.equal(asked(0, '192.0.2.9', '198.51.100.1'), '192.0.2.9')
  for (const trustProxy of [['10.0.0.0/33'], ['example.org'], [''], -1, 1.5, 'loopback', ['::1/0']]) t.throws(() => new PocketServer({ trustProxy } as PocketServerOptions), /^trustProxy/, String(trustProxy))
})

t.test('promise 7 (Isolated): who changes more than a minute gives pays before the next push (rateLimit.changesPerMinute); a repeated change costs little, pulls nothing', async (t) => {
  const { url } = await startApp(t, { authenticate, rateLimit: { changesPerMinute: 100 } })
  const changes = Array.from({ length: 90 }, (_, i) => ({ documentId: `d${i}`, timestamp: 1_700_000_000_000 }))
  t.equal((await post(`${url}/sync/push`, pushOf('c', changes), as('mallory'))).status, 200)
  t.match(await post(`${url}/sync/push`, pushOf('c', changes), as('mallory')), { status: 200, json: { results: [{ status: 'duplicate' }] } })
  t.equal((await push(url, 90, as('mallory'))).status, 200, 'what it costs is known afterwards')
  const refused = await push(url, 1, as('mallory'))
  t.match(refused, limited)
  t.ok(Number(refused.headers.get('retry-after')) >= 30, refused.headers.get('retry-after') ?? '')
  t.equal((await pull(url, as('mallory'))).status, 200)
  t.equal((await push(url, 1, as('alice'))).status, 200)
})

t.test('promise 7 (Isolated): what is in a body is paid for although nothing comes of it', async (t) => {
  const { url } = await startApp(t, { authenticate, rateLimit: { changesPerMinute: 100 } })
  const garbage = `{"a":"${'x'.repeat(600_000)}",}`
  t.equal((await post(`${url}/sync/pull`, garbage, as('mallory'))).status, 400)
  t.match(await post(`${url}/sync/pull`, garbage, as('mallory')), limited)
  t.equal((await pull(url, as('mallory'))).status, 200, 'a pull of the usual size goes on')
})

t.test('without authentication this machine has no limits; others have, once they are let in, and rateLimit: false lifts all', async (t) => {
  const few = { requestsPerMinute: 1, requestsPerMinutePerAddress: 1, changesPerMinute: 1 }
  const local = await startApp(t, { rateLimit: few })
  const lifted = await startApp(t, { authenticate, rateLimit: false })
  for (const { url } of [local, lifted]) t.strictSame(new Set(await statuses(5, () => push(url, 10, as('alice')))), new Set([200]))
  const open = await startApp(t, { open: true, trustProxy: ['loopback'], rateLimit: few })
  t.strictSame(await statuses(3, () => push(open.url, 10, {})), [200, 200, 200])
  t.strictSame(await statuses(3, () => push(open.url, 10, { 'x-forwarded-for': '192.0.2.1' })), [200, 429, 429])
  for (const rateLimit of [true, { requestsPerMinute: 0 }, { perMinute: 1 }, { changesPerMinute: NaN }]) t.throws(() => new PocketServer({ rateLimit } as never), /^rateLimit/)
})

t.test('promise 7 (Isolated): a million addresses cost no more memory than the accounts that are kept, and a clock that goes back locks nobody out', async (t) => {
  const time = { now: 1_700_000_000_000 }
  const budgets = new Budgets({ perMinute: 60, most: 1000, clock: { now: () => time.now } })
  for (let i = 0; i < 1_000_000; i++) budgets.spend(`2001:db8:${i}::/64`, 1)
  t.equal(budgets.size, 1000)
  budgets.spend('late', 90)
  t.equal(budgets.waitMs('late'), 30_000)
  time.now -= 3_600_000
  t.equal(budgets.waitMs('late'), 30_000)
  time.now += 30_000
  t.equal(budgets.waitMs('late'), 0)
})

t.test('as a Fastify plugin the limits hold beside the host\'s own @fastify/rate-limit, which stays as it is', async (t) => {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), authenticate, rateLimit: { requestsPerMinute: 3 } })
  const app = Fastify()
  t.teardown(async () => { await app.close(); await pocket.close() })
  await app.register(rateLimit, { max: 6 })
  app.get('/mine', async () => 'mine')
  await app.register(pocket.plugin)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.strictSame(await statuses(4, () => pull(url, as('alice'))), [200, 200, 200, 429])
  t.strictSame(await statuses(2, () => request(`${url}/mine`)), [200, 200])
  t.equal((await request(`${url}/mine`)).status, 429, 'the host counts all, as it would any plugin\'s')
})

t.test('promise 7 (Isolated): more streams than a user may have are refused in band (maxConnectionsPerUser), and the old ones stay', async (t) => {
  const { url, pocket } = await startApp(t, { authenticate, maxConnectionsPerUser: 2 })
  const open = (user: string): Promise<SseClient> => SseClient.connect(`${url}/sync/stream`, { headers: as(user) })
  const streams = [await open('mallory'), await open('mallory')]
  for (const stream of streams) t.equal((await stream.next())?.event, 'hello')
  const third = await open('mallory')
  t.match(await third.next(), { event: 'bye', data: /"reason":"overloaded"/ })
  const other = await open('alice')
  t.equal((await other.next())?.event, 'hello')
  t.strictSame(pocket.getClients().map(({ userId }) => userId).sort(), ['alice', 'mallory', 'mallory'])
  await Promise.all([...streams, third, other].map(stream => stream.close()))
})

t.test('promise 7 (Isolated): a thousand requests at once from one user (limits.requestsPerUser) leave the others theirs', async (t) => {
  const { url } = await startApp(t, { authenticate, limits: { requestsPerUser: 5 } })
  const wait = (user: string): ReturnType<typeof post> => post(`${url}/sync/pull`, pullOf({ waitMs: 2000 }), as(user))
  const mallory = Array.from({ length: 50 }, () => wait('mallory'))
  t.match(await Promise.race(mallory), limited)
  t.equal((await pull(url, as('alice'))).status, 200)
  const found = (await Promise.all(mallory)).map(({ status }) => status)
  t.ok(found.filter(status => status === 200).length >= 5)
  t.equal((await pull(url, as('mallory'))).status, 200, 'what was answered counts no more')
})

t.test('promise 7 (Isolated): one user\'s bodies take no more than that user\'s share of the memory (limits.inFlightBytesPerUser)', async (t) => {
  const { url, port } = await startApp(t, { authenticate, limits: { inFlightBytesPerUser: 100_000 } })
  const half = connect(port, '127.0.0.1').on('error', () => {})
  half.write(`POST /sync/push HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer mallory\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n{"a":"${'x'.repeat(80_000)}`)
  const body = JSON.stringify(pushOf('c', [{ documentId: 'a', document: { text: 'x'.repeat(50_000) } }]))
  while ((await post(`${url}/sync/push`, body, as('mallory'))).status !== 503);
  t.equal((await post(`${url}/sync/push`, body, as('alice'))).status, 200)
  half.destroy()
  while ((await post(`${url}/sync/push`, body, as('mallory'))).status !== 200);
  t.pass('and comes back when it is gone')
})

t.test('promise 7 (Isolated): large answers that one user does not read take no more than that user\'s share of the memory', async (t) => {
  const { url, port } = await startApp(t, { authenticate, limits: { inFlightBytesPerUser: 4_000_000 } })
  await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a', document: { text: 'x'.repeat(900_000) } }]), as('alice'))
  const body = JSON.stringify(pullOf())
  const plain = { 'accept-encoding': 'identity' }
  const unread = Array.from({ length: 10 }, () => connect(port, '127.0.0.1').on('error', () => {}).pause())
  const found = new Set<number>()
  for (let i = 0; i < 100 && !found.has(503); i++) {
    for (const socket of unread) socket.write(`POST /sync/pull HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer mallory\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    found.add((await pull(url, { ...as('mallory'), ...plain })).status)
  }
  t.strictSame(found, new Set([200, 503]))
  t.equal((await pull(url, { ...as('alice'), ...plain })).status, 200)
  for (const socket of unread) socket.destroy()
  while ((await pull(url, { ...as('mallory'), ...plain })).status !== 200);
  t.pass('and comes back when they are gone')
})

t.test('promise 7 (Isolated): sockets without end are closed unread (limits.connections, limits.connectionsPerAddress)', async (t) => {
  const { port } = await startApp(t, { limits: { connections: 3 } })
  const sockets = Array.from({ length: 10 }, () => connect(port, '127.0.0.1').on('error', () => {}).resume())
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  t.equal(await closedOf(sockets, 7), 7)
  const address = Object.values(networkInterfaces()).flat().find(found => found !== undefined && !found.internal && found.family === 'IPv4')?.address
  if (address === undefined) return
  const { pocket } = await startApp(t, { open: true, limits: { connectionsPerAddress: 2 } })
  const { port: outside } = await pocket.listen(0, address)
  const ours = Array.from({ length: 5 }, () => connect(outside, address).on('error', () => {}).resume())
  t.equal(await closedOf(ours, 3), 3)
  for (const socket of ours) socket.destroy()
})
