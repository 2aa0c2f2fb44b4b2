import { EventSource } from 'eventsource'
import t from 'tap'
import { MemoryTickets, Tickets, TICKET_MS, type Ticket, type TicketStore } from '../../src/auth/tickets.ts'
import { exchangeRaw, parseRaw, post, pullOf, pushOf, request, startApp, type Answered } from '../support/app.ts'
import { CapturedLog } from '../support/captured-log.ts'
import { SseClient } from '../support/sse-client.ts'
import { read } from '../repo/sources.ts'

const users = new Map([['ann-token', { id: 'ann' }], ['bob-token', { id: 'bob' }]])
const authenticate = (token: string): object | null => users.get(token) ?? null

function ticketFor (url: string, token = 'ann-token'): Promise<Answered> {
  return request(`${url}/sync/stream/ticket`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
}

function session (id: string): { user: { id: string, userId: string }, expiresAt: number } {
  return { user: { id, userId: id }, expiresAt: Infinity }
}

t.test('a ticket opens one stream as the user who got it, and nothing else', async t => {
  const { url, pocket } = await startApp(t, { authenticate })
  const issued = await ticketFor(url)
  t.match(issued, { status: 200, json: { type: 'ticket', ticket: /^[\w-]{43}$/, expiresInMs: 30_000 } })
  t.equal(issued.headers.get('cache-control'), 'no-store')
  const { ticket } = issued.json
  for (const path of ['push', 'pull', 'stream/ticket']) t.equal((await post(`${url}/sync/${path}?ticket=${ticket}`, {})).status, 401, path)
  t.equal((await request(`${url}/sync/history/c/d?ticket=${ticket}`)).status, 401)
  const stream = await SseClient.connect(`${url}/sync/stream?ticket=${ticket}`)
  t.equal((await stream.next())?.event, 'hello')
  t.match(pocket.getClients(), [{ userId: 'ann' }])
  const again = await request(`${url}/sync/stream?ticket=${ticket}`)
  t.match(again, { status: 401, json: { code: 'invalid_token' } }, 'spent')
  t.notMatch(again.text, ticket)
  stream.close()
})

t.test('promise 6 (Private): nodes that share a store take each other\'s tickets, once, and know nobody while it fails', async t => {
  const shared = new Map<string, string>()
  let broken = false
  const ticketStore: TicketStore = {
    put (hash, ticket) {
      if (broken) throw new Error('the store is away')
      shared.set(hash, JSON.stringify(ticket))
      return true
    },
    async take (hash) {
      if (broken) throw new Error('the store is away')
      const text = shared.get(hash)
      shared.delete(hash)
      return text === undefined ? null : JSON.parse(text) as Ticket
    }
  }
  const [one, other] = [await startApp(t, { authenticate, ticketStore }), await startApp(t, { authenticate, ticketStore })]
  const { ticket } = (await ticketFor(one.url)).json
  t.notMatch([...shared].join(), ticket, 'kept by its hash')
  const stream = await SseClient.connect(`${other.url}/sync/stream?ticket=${ticket}`)
  t.equal((await stream.next())?.event, 'hello')
  t.match(other.pocket.getClients(), [{ userId: 'ann' }])
  stream.close()
  for (const { url } of [one, other]) t.equal((await request(`${url}/sync/stream?ticket=${ticket}`)).status, 401, 'spent on both')
  broken = true
  t.match(await ticketFor(one.url), { status: 503, json: { code: 'authentication_unavailable' } })
  t.match(await request(`${one.url}/sync/stream?ticket=${ticket}`), { status: 503, json: { code: 'authentication_unavailable' } })
})

t.test('promise 6 (Private): unknown tickets, two at once, and a ticket beside a token are refused', async t => {
  const { url } = await startApp(t, { authenticate })
  const { ticket } = (await ticketFor(url)).json
  for (const wrong of ['', 'x', 'A'.repeat(43), 'A'.repeat(8000), '__proto__', `${ticket}A`]) t.equal((await request(`${url}/sync/stream?ticket=${wrong}`)).status, 401, wrong.slice(0, 50))
  for (const authorization of ['Bearer ann-token', 'Bearer wrong', 'Basic dTpw']) t.match(await request(`${url}/sync/stream?ticket=${ticket}`, { headers: { authorization } }), { status: 400, json: { code: 'bad_request' } })
  t.match(await request(`${url}/sync/stream?ticket=${ticket}&ticket=${ticket}`), { status: 400 })
  const stream = await SseClient.connect(`${url}/sync/stream?ticket=${ticket}`)
  t.pass('none of them has spent it')
  stream.close()
  t.equal((await ticketFor(url, 'wrong')).status, 401)
})

t.test('promise 6 (Private): of many who use a ticket at once, one gets the stream', async t => {
  const { url } = await startApp(t, { authenticate })
  const { ticket } = (await ticketFor(url)).json
  const answers = await Promise.allSettled(Array.from({ length: 10 }, () => SseClient.connect(`${url}/sync/stream?ticket=${ticket}`)))
  const opened = answers.filter(answer => answer.status === 'fulfilled')
  t.equal(opened.length, 1)
  for (const { value } of opened) value.close()
})

t.test('HEAD does not spend a ticket, and shows nothing with it', async t => {
  const { url, port } = await startApp(t, { authenticate })
  const { ticket } = (await ticketFor(url)).json
  const head = await exchangeRaw(port, `HEAD /sync/stream?ticket=${ticket} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  t.equal(parseRaw(head).status, 401)
  const stream = await SseClient.connect(`${url}/sync/stream?ticket=${ticket}`)
  stream.close()
})

t.test('without authentication there are tickets too, so that a page works everywhere', async t => {
  const { url } = await startApp(t)
  const { json: { ticket } } = await request(`${url}/sync/stream/ticket`, { method: 'POST' })
  const stream = await SseClient.connect(`${url}/sync/stream?ticket=${ticket}`)
  t.equal((await stream.next())?.event, 'hello')
  stream.close()
})

t.test('promise 7 (Isolated): tickets end after 30 s, a user\'s oldest goes first, and all together are bounded', async t => {
  let now = 1000
  const store = new MemoryTickets({ tickets: 5, ticketsPerUser: 2 })
  const tickets = new Tickets(store, () => now)
  const issue = async (id: string): Promise<string> => await tickets.issue(session(id)) ?? 'no room'
  const [first, second, third] = [await issue('ann'), await issue('ann'), await issue('ann')]
  t.equal(await tickets.redeem(first), null, 'the oldest of three made room')
  t.match(await tickets.redeem(second), { user: { id: 'ann' } })
  t.equal(await tickets.redeem(second), null)
  now += TICKET_MS
  t.equal(await tickets.redeem(third), null, 'too old')
  const many = await Promise.all(Array.from({ length: 6 }, (_, n) => issue(`user-${n}`)))
  t.strictSame(many.indexOf('no room'), 5)
  t.equal(store.size, 5)
  now += TICKET_MS
  t.not(await issue('late'), 'no room', 'those that are over make room')
  t.equal(store.size, 1)
})

t.test('promise 6 (Private): of a ticket only its hash is kept, and it ends its stream no later than the token it came from', async t => {
  const kept: string[] = []
  const store = new MemoryTickets({ tickets: 5, ticketsPerUser: 5 })
  const tickets = new Tickets({ put: (hash, ticket, now) => { kept.push(`${hash} ${JSON.stringify(ticket)}`); return store.put(hash, ticket, now) }, take: hash => store.take(hash) }, Date.now)
  const expiresAt = Date.now() + 5000
  const ticket = await tickets.issue({ ...session('ann'), expiresAt })
  t.notMatch(kept.join(), ticket!)
  t.match(await tickets.redeem(ticket!), { expiresAt })
})

type OpenStream = (base: string, options: object) => () => void

/** The function of the README that pages copy, with pauses of milliseconds. */
async function openStreamOfReadme (): Promise<OpenStream> {
  const code = /```js\n(function openStream[\s\S]*?)```/.exec(read('README.md'))?.[1]?.replace('1000 *', '5 *') ?? ''
  Object.assign(globalThis, { EventSource })
  const { openStream } = await import(`data:text/javascript,${encodeURIComponent(`export ${code}`)}`) as { openStream: OpenStream }
  return openStream
}

t.test('a page with EventSource goes on over lost connections and refused tokens, without losing or repeating a change', async t => {
  const log = new CapturedLog()
  const { url, pocket } = await startApp(t, { authenticate, logger: log })
  const push = async (documentId: string): Promise<void> => { await post(`${url}/sync/push`, pushOf('todos', [{ documentId }]), { authorization: 'Bearer bob-token' }) }
  const events: any[] = []
  let seen = (): void => {}
  const until = async (done: () => boolean): Promise<void> => { while (!done()) await new Promise<void>(resolve => { seen = resolve }) }
  const changes = (): string[] => events.flatMap(event => event.changes?.todos ?? []).map(change => change.documentId)
  const tokens = ['wrong', 'ann-token', 'ann-token', 'wrong', 'ann-token']
  const openStream = await openStreamOfReadme()
  const stop = openStream(url, { getToken: async () => tokens.shift() ?? 'ann-token', collections: 'todos', since: '0', onEvent: (event: object) => { events.push(event); seen() } })
  const expected: string[] = []
  for (let round = 0; round < 4; round++) {
    await until(() => events.filter(({ type }) => type === 'hello').length > round)
    await push(`live-${round}`)
    expected.push(`live-${round}`, `missed-${round}`)
    await until(() => changes().includes(`live-${round}`))
    for (const { id } of pocket.getClients()) pocket.disconnectClient(id)
    await push(`missed-${round}`)
  }
  await until(() => changes().length >= expected.length)
  t.strictSame(changes(), expected)
  stop()
  t.notMatch(log.text, /ann-token|ticket=/)
  t.equal((await post(`${url}/sync/pull`, pullOf(), { authorization: 'Bearer ann-token' })).status, 200)
})
