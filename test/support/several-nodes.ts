/** What holds over several servers of one place together, whichever store and pubsub they have in common. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { PocketServerOptions } from '../../src/config.ts'
import type { Coordination } from '../../src/coordination/coordination.ts'
import { post, pullOf, pushOf, request, startApp, type Started } from './app.ts'
import { SseClient } from './sse-client.ts'

/** Every token is a user of that name. Tests come from one machine, which stands for a proxy: else it has no limits. */
const authenticate = (token: string): object | null => token === '' ? null : { id: token }
const as = (user: string): Record<string, string> => ({ authorization: `Bearer ${user}` })

export interface Place {
  /** Options of one more node over it. */
  options (): Promise<PocketServerOptions>
  /** What its nodes agree on. */
  coordination (): Promise<Coordination>
}

/** A new, empty place; it ends with the test. */
export type OpenPlace = (t: Test) => Promise<Place>

async function nodes (t: Test, place: Place, options: PocketServerOptions = {}): Promise<[Started, Started]> {
  const start = async (): Promise<Started> => await startApp(t, { authenticate, ...await place.options(), ...options })
  return [await start(), await start()]
}

async function until (done: () => Promise<boolean> | boolean): Promise<void> {
  while (!await done()) await sleep(10)
}

const pull = async ({ url }: Started, user = 'ann'): Promise<number> => (await post(`${url}/sync/pull`, pullOf(), as(user))).status

async function open (t: Test, { url }: Started, { user = 'ann', query = '' } = {}): Promise<SseClient> {
  const stream = await SseClient.connect(`${url}/sync/stream${query}`, { headers: query.includes('ticket') ? {} : as(user) })
  t.teardown(() => stream.close())
  return stream
}

/** The first word of a stream: `hello`, or why it is over. */
async function first (t: Test, node: Started, user = 'ann'): Promise<string> {
  const frame = await (await open(t, node, { user })).next()
  return frame?.event === 'bye' ? JSON.parse(frame.data).reason as string : frame?.event ?? 'nothing'
}

const ownerOf = (account: string): string => createHash('sha256').update(account).digest('base64url')

export function severalNodesSuite (t: Test, openPlace: OpenPlace): void {
  t.test('promise 6 (Private): a ticket issued on one node opens one stream, on any node, and only one', async t => {
    const [one, other] = await nodes(t, await openPlace(t))
    const issue = async (): Promise<string> => (await request(`${one.url}/sync/stream/ticket`, { method: 'POST', headers: as('ann') })).json.ticket as string
    const stream = await open(t, other, { query: `?ticket=${await issue()}` })
    t.equal((await stream.next())?.event, 'hello')
    t.match(other.pocket.getClients(), [{ userId: 'ann' }])
    for (let round = 0; round < 3; round++) {
      const ticket = await issue()
      const answers = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => open(t, [one, other][i % 2]!, { query: `?ticket=${ticket}` })))
      t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
    }
  })

  t.test('promise 7 (Isolated): a user who asks as much as one may on two nodes gets no more from either (rateLimit.requestsPerMinute)', async t => {
    const pair = await nodes(t, await openPlace(t), { rateLimit: { requestsPerMinute: 20 } })
    const began = performance.now()
    const found = await Promise.all(Array.from({ length: 60 }, (_, i) => pull(pair[i % 2]!)))
    const taken = found.filter(status => status === 200).length
    t.ok(taken >= 20 && taken <= 21 + (performance.now() - began) / 3000, `${taken} of 20`)
    t.ok(found.every(status => status === 200 || status === 429))
    t.equal(await pull(pair[1], 'bob'), 200, 'nobody else pays')
  })

  t.test('promise 7 (Isolated): who has changed more than a minute gives on one node waits on the others too (rateLimit.changesPerMinute)', async t => {
    const [one, other] = await nodes(t, await openPlace(t), { rateLimit: { changesPerMinute: 50 } })
    let ids = 0
    const push = async ({ url }: Started, user: string, count: number): Promise<number> =>
      (await post(`${url}/sync/push`, pushOf('c', Array.from({ length: count }, () => ({ documentId: `d${++ids}` }))), as(user))).status
    t.equal(await push(one, 'ann', 90), 200, 'what it costs is known afterwards')
    await until(async () => await push(other, 'ann', 1) === 429)
    t.equal(await push(one, 'ann', 1), 429)
    t.equal(await pull(other, 'ann'), 200, 'and goes on to read')
    t.equal(await push(other, 'bob', 1), 200)
  })

  t.test('promise 7 (Isolated): a user has as many streams as one may on all nodes together (maxConnectionsPerUser), and again when some have ended', async t => {
    const [one, other] = await nodes(t, await openPlace(t), { maxConnectionsPerUser: 3 })
    const streams = [await open(t, one), await open(t, one), await open(t, other)]
    for (const stream of streams) t.equal((await stream.next())?.event, 'hello')
    t.strictSame([await first(t, one), await first(t, other)], ['overloaded', 'overloaded'])
    t.equal(await first(t, other, 'bob'), 'hello')
    streams[0]!.close()
    await until(async () => await first(t, other) === 'hello')
    t.equal(await first(t, one), 'overloaded')
  })

  t.test('streams of a node that was killed stop to count within seconds', async t => {
    const place = await openPlace(t)
    const [one] = await nodes(t, place, { maxConnectionsPerUser: 3 })
    const ghost = await place.coordination()
    await ghost.report({ node: 'killed', lease: 1500, streams: [[ownerOf('ann'), 3]], orders: [] })
    t.equal(await first(t, one), 'overloaded')
    await until(async () => await first(t, one) === 'hello')
  })

  t.test('disconnectClient ends a stream of another node, with the reason; an id that no node can have is told so', async t => {
    const [one, other] = await nodes(t, await openPlace(t))
    const [stays, goes] = [await open(t, other), await open(t, other)]
    for (const stream of [stays, goes]) await stream.next('hello')
    const [{ id: kept }, { id }] = other.pocket.getClients() as unknown as [{ id: string }, { id: string }]
    t.equal(one.pocket.disconnectClient(id, 'token-revoked'), true)
    t.match(JSON.parse((await goes.next('bye'))!.data), { reason: 'token-revoked' })
    t.equal(other.pocket.disconnectClient(kept), true)
    t.equal(other.pocket.disconnectClient(kept), false, 'it is gone')
    for (const wrong of ['', '1', 'nobody', '__proto__', `${id}x`, 'X-1']) t.equal(one.pocket.disconnectClient(wrong), false, wrong)
  })
}

/**
 * Servers of their own log each, and a place beside it that goes away and comes back.
 * @param away what of it remains answers nobody @param back it is there again
 */
export async function goesOn (t: Test, pair: () => Promise<PocketServerOptions>, { away, back }: { readonly away: () => Promise<void>, readonly back: () => Promise<void> }): Promise<void> {
  const one = await startApp(t, { authenticate, ...await pair(), rateLimit: { requestsPerMinute: 40 }, maxConnectionsPerUser: 2 })
  t.equal(await pull(one, 'before'), 200)
  t.equal(await first(t, one, 'before'), 'hello')
  await away()
  const found: number[] = []
  for (let i = 0; i < 50; i++) found.push(await pull(one, 'during'))
  t.strictSame([found.slice(0, 40).every(status => status === 200), found.at(-1)], [true, 429], 'nobody is locked out, or let in without limit')
  const streams = [await open(t, one), await open(t, one)]
  for (const stream of streams) t.equal((await stream.next())?.event, 'hello')
  t.equal(await first(t, one), 'overloaded', 'this node\'s own count holds')
  t.match(await request(`${one.url}/sync/stream/ticket`, { method: 'POST', headers: as('bob') }), { status: 503, json: { code: 'authentication_unavailable' } })
  await back()
  await until(async () => (await request(`${one.url}/sync/stream/ticket`, { method: 'POST', headers: as('carl') })).status === 200)
}

/** Hints are cut off again and again while commits go on: late, and nothing lost. */
export async function deliversLate (t: Test, place: Place, cut: () => Promise<unknown>): Promise<void> {
  const [one, other] = await nodes(t, place, { rateLimit: false, pollInterval: 300 })
  const stream = await open(t, other, { query: '?since=0' })
  await stream.next('hello')
  const wanted = new Set(Array.from({ length: 60 }, (_, i) => `d${i}`))
  const writing = (async () => {
    for (const documentId of wanted) {
      if (documentId.endsWith('5')) await cut()
      await post(`${one.url}/sync/push`, pushOf('c', [{ documentId }]), as('ann'))
    }
  })()
  const seen: string[] = []
  for await (const { event, data } of stream) {
    if (event !== undefined && event !== 'message') continue
    const page = JSON.parse(data) as { changes?: Record<string, Array<{ documentId: string }>> }
    seen.push(...Object.values(page.changes ?? {}).flat().map(({ documentId }) => documentId))
    if (seen.length >= wanted.size) break
  }
  await writing
  t.strictSame(seen, [...wanted], 'all of them, once, in order')
}
