import { strict } from 'node:assert'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { AuditEvent } from '../../src/audit-event.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { PocketServer } from '../../src/server.ts'
import { post, pushOf, request, startApp } from '../support/app.ts'
import { SECRET } from '../support/tokens.ts'
import { member, startTenants, tokenOf } from '../support/tenants.ts'
import { SseClient } from '../support/sse-client.ts'
import { ArrayLog } from '../support/own-logs.ts'

const JWT: PocketServerOptions = { jwt: { secret: SECRET }, tenant: user => user.org, rateLimit: false }

t.test('promise 1 (Durable), promise 7 (Isolated): fifty tenants share five places: nothing is lost, no more are open, and streams keep theirs', async t => {
  const { url, as, openLogs } = await startTenants(t, { limits: { tenantsOpen: 5 } })
  const kept = as('t0')
  const stream = await SseClient.connect(`${url}/sync/stream?since=0`, { headers: kept.headers })
  t.teardown(() => stream.close())
  await stream.next('hello')
  const applied = new Map<string, string[]>()
  let most = 0
  const write = async (nth: number): Promise<void> => {
    const name = `t${nth % 50}`
    const documentId = `d${nth}`
    const message = pushOf('todos', [{ documentId }])
    for (let status = 0; status !== 200;) ({ status } = await post(`${url}/sync/push`, message, as(name).headers))
    most = Math.max(most, openLogs().length)
    applied.set(name, [...applied.get(name) ?? [], documentId])
  }
  await Promise.all(Array.from({ length: 10 }, async (_, worker) => {
    for (let i = worker; i < 100; i += 10) await write(i)
  }))
  t.ok(most <= 5, `${most} logs were open`)
  for (const [name, ids] of applied) t.strictSame((await as(name).ids()).sort(), ids.sort(), name)
  const streamed: string[] = []
  while (streamed.length < applied.get('t0')!.length) streamed.push(...JSON.parse((await stream.next('message'))!.data).changes.todos?.map(({ documentId }: { documentId: string }) => documentId) ?? [])
  t.strictSame(streamed.sort(), applied.get('t0')!.sort())
})

t.test('promise 7 (Isolated): while streams hold all places the next tenant is told to come later, and is let in when one ends', async t => {
  const { url, as, pocket } = await startTenants(t, { limits: { tenantsOpen: 1 } })
  const stream = await SseClient.connect(`${url}/sync/stream`, { headers: as('a').headers })
  await stream.next('hello')
  const refused = await as('b').push([{ documentId: 'x' }])
  t.strictSame([refused.status, refused.json.code], [503, 'overloaded'])
  t.ok(refused.headers.get('retry-after'))
  stream.close()
  while (pocket.getClients().length > 0) await sleep(5)
  t.equal((await as('b').push([{ documentId: 'x' }])).status, 200)
})

t.test('limits of streams count all tenants together, and closing ends the streams of each', async t => {
  const { url, as, pocket } = await startTenants(t, { limits: { streams: 2 } })
  const streams = await Promise.all(['a', 'b'].map(name => SseClient.connect(`${url}/sync/stream`, { headers: as(name).headers })))
  for (const stream of streams) await stream.next('hello')
  const third = await SseClient.connect(`${url}/sync/stream`, { headers: as('c').headers })
  t.match((await third.next('bye'))!.data, /overloaded/)
  t.match((await request(`${url}/health`)).json, { status: 'ok', clients: 2 })
  t.match(await pocket.healthCheck(), { healthy: true, clientCount: 2 })
  const closed = pocket.close()
  for (const stream of streams) t.match((await stream.next('bye'))!.data, /shutdown/)
  await closed
})

t.test('promise 6 (Private): a server with tenants is as many servers apart, whatever their users do', async () => {
  const names = ['a', 'b', 'c']
  const op = fc.record({
    tenant: fc.constantFrom(...names),
    kind: fc.constantFrom('push', 'push', 'delete', 'pull', 'again'),
    documentId: fc.constantFrom('x', 'y', 'z'),
    user: fc.constantFrom('ann', 'bob'),
    value: fc.nat(3)
  })
  await fc.assert(fc.asyncProperty(fc.array(op, { minLength: 5, maxLength: 25 }), async ops => {
    const ends: Array<() => unknown> = []
    const t = { teardown: (end: () => unknown) => { ends.push(end) } }
    try {
      const together = await startApp(t, { ...JWT, limits: { tenantsOpen: 2 } })
      const { tenant, ...single } = JWT
      const apart = new Map(await Promise.all(names.map(async name => [name, await startApp(t, single)] as const)))
      const places = new Map<string, { one: object, other: object }>()
      for (const [nth, { tenant: name, kind, documentId, user, value }] of ops.entries()) {
        const members = [together.url, apart.get(name)!.url].map(url => member(url, tokenOf(name, user)))
        const document = kind === 'delete' ? null : { _id: documentId, value }
        const change = { documentId, operation: kind === 'delete' ? 'delete' : 'insert', document, timestamp: 1_700_000_000_000 + nth }
        const id = kind === 'again' ? 'again' : `${nth}`
        const place = places.get(`${name} ${user}`) ?? { one: { checkpoint: { global: 0 } }, other: { checkpoint: { global: 0 } } }
        const [one, other] = await Promise.all(members.map(async (member, which) => {
          const { status, json } = kind === 'pull' ? await member.pull(which === 0 ? place.one : place.other) : await member.push([change], { id, clientId: user })
          return { status, json }
        }))
        if (kind === 'pull') places.set(`${name} ${user}`, { one: placeOf(one!.json), other: placeOf(other!.json) })
        strict.deepEqual(plain(one), plain(other))
      }
    } finally {
      for (const end of ends) await end()
    }
  }), { numRuns: 10 })
})

function placeOf ({ checkpoint, epoch }: { checkpoint: object, epoch: string }): object {
  return { checkpoint, epoch }
}

/** Without what two servers cannot have in common. */
function plain (answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer, (name, value: unknown) => ['epoch', 'timestamp', 'id', 'detail', 'head'].includes(name) ? undefined : value))
}

t.test('the library is asked about a tenant: each has its own history, journal, compaction, erasure and backup', async t => {
  const { as, pocket, files } = await startTenants(t)
  await as('a').push([{ documentId: 'x', document: { _id: 'x', of: 'a' } }])
  await as('b').push([{ documentId: 'x', document: { _id: 'x', of: 'b' } }])
  const a = { tenant: 'a' }
  t.match((await pocket.history('todos', 'x', a)).versions, [{ document: { of: 'a' } }])
  await as('a').push([{ documentId: 'x', document: { _id: 'x', of: 'later' }, timestamp: Date.now() + 1000 }])
  t.match(await pocket.revert('todos', 'x', 1, a), { status: 'applied' })
  t.match((await pocket.history('todos', 'x', a)).versions[0], { document: { of: 'a' } })
  await as('a').push([{ documentId: 'x', document: 7 as never }])
  const [row] = await pocket.journal(a)
  t.match(row, { status: 'rejected' })
  t.strictSame(await pocket.journal({ tenant: 'b' }), [])
  t.match(await pocket.replayJournal(row!.id, a), { status: 'rejected' })
  t.ok(await pocket.discardJournal(row!.id, a))
  await pocket.compact({ historyBefore: Infinity }, a)
  t.equal((await pocket.history('todos', 'x', a)).versions.length, 1)
  await pocket.erase('todos', 'x', a)
  await pocket.eraseUser('ann', a)
  t.match((await pocket.history('todos', 'x', { tenant: 'b' })).versions, [{ document: { of: 'b' } }])
  t.strictSame([(await as('a').pull()).json.changes.todos?.[0]?.operation, await as('b').ids()], ['delete', ['x']])
  t.ok(files().includes('pocket.db.tenants/a.db'))
  await t.rejects(pocket.history('todos', 'x'), TypeError, 'without a tenant it is not clear whose')
  await t.rejects(pocket.history('todos', 'x', { tenant: 'a\0' }), TypeError)
  const { pocket: single } = await startApp(t)
  await t.rejects(single.history('todos', 'x', a), TypeError, 'where there are none, none is taken')
})

t.test('promise 9 (Clear): a tenant rule without users, with reads for everybody, or over a log that has no tenants is an error at construction', async t => {
  const authenticate = (): object => ({ id: 'ann' })
  const tenant = (): string => 'a'
  t.throws(() => new PocketServer({ tenant }), /tenant needs authenticate/)
  t.throws(() => new PocketServer({ tenant, open: true }), /tenant needs authenticate/)
  t.throws(() => new PocketServer({ authenticate, tenant, publicCollections: ['news'] }), /exclude each other/)
  t.throws(() => new PocketServer({ authenticate, tenant: 'a' as never }), /must be a function/)
  t.throws(() => new PocketServer({ authenticate, tenant, changeLog: new ArrayLog() }), /tenant needs a change log/)
  t.doesNotThrow(() => new PocketServer({ authenticate, tenant, changeLog: new MemoryChangeLog() }))
  t.throws(() => new SqliteChangeLog(':memory:').tenant('a'), TypeError)
  for (const name of ['', 'a'.repeat(129), 'a\0', 7]) for (const store of [new MemoryChangeLog(), new SqliteChangeLog('x.db')]) t.throws(() => store.tenant(name as string), TypeError)
})

t.test('promise 6 (Private): a tenant rule that fails, or never answers, lets nobody in, and the client keeps its token', async t => {
  const rules: ReadonlyArray<() => unknown> = [() => { throw new Error('broken') }, async () => { throw new Error('broken') }, () => new Promise(() => {})]
  for (const rule of rules) {
    const { as, log } = await startTenants(t, { tenant: rule as never, limits: { authenticateMs: 50 } })
    const { status, json } = await as('a').pull()
    t.strictSame([status, json.code], [503, 'authentication_unavailable'])
    t.match(log.text, /nobody was let in/)
  }
  const { as } = await startTenants(t, { tenant: async user => { await sleep(1); return user.org } })
  t.equal((await as('a').push([{ documentId: 'x' }])).status, 200)
})

t.test('promise 7 (Isolated): a tenant whose log cannot be opened has that trouble alone', async t => {
  const { url, as, folder, log } = await startTenants(t)
  mkdirSync(join(folder, 'pocket.db.tenants'))
  writeFileSync(join(folder, 'pocket.db.tenants', 'bad.db'), 'no database'.repeat(1000))
  const { status, json } = await as('bad').push([{ documentId: 'x' }])
  t.strictSame([status, json.code], [503, 'storage_unavailable'])
  t.match(log.text, /"tenant":"bad","message":"the log of a tenant cannot be opened"/)
  t.equal((await as('good').push([{ documentId: 'x' }])).status, 200)
  t.equal((await request(`${url}/health`)).status, 200, 'and the others are not sent elsewhere')
})

t.test('who is refused is told to operators with the tenant', async t => {
  const events: AuditEvent[] = []
  const { as } = await startTenants(t, { onAudit: event => { events.push(event) }, authorize: (_user, _collection, operation) => operation === 'read' })
  await as('a').push([{ documentId: 'x' }])
  await as(undefined).pull()
  t.match(events, [{ type: 'denied', code: 'write_forbidden', tenant: 'a', userId: 'ann' }, { type: 'denied', code: 'no_tenant', tenant: null, userId: null }])
})
