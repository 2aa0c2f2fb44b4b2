import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { AuditEvent } from '../../src/audit-event.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { openView } from '../../src/changelog/sqlite/view.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { PocketServer } from '../../src/server.ts'
import { Audit } from '../../src/sync/audit.ts'
import { Sealing } from '../../src/sync/sealing.ts'
import { CapturedLog } from '../support/captured-log.ts'
import { TestClock } from '../support/rules.ts'

function listening ({ onAudit }: { onAudit?: (event: AuditEvent) => void } = {}) {
  const clock = new TestClock()
  const log = new CapturedLog()
  const events: AuditEvent[] = []
  const audit = new Audit({ clock, logger: log, onAudit: onAudit ?? (event => { events.push(event) }) })
  return { clock, log, events, audit }
}

const refusal = { type: 'denied', code: 'write_forbidden', userId: 'eve', address: '192.0.2.1', collection: 'todos' } as const

t.test('promise 7 (Isolated): a flood of refusals is told once, and then once a second with how many there were', async t => {
  const { clock, log, events, audit } = listening()
  for (let i = 0; i < 1000; i++) audit.refused({ ...refusal, documentId: `${i}` })
  audit.refused({ ...refusal, code: 'forbidden' })
  t.match(events, [{ ...refusal, documentId: '0', count: 1 }, { code: 'forbidden', count: 1 }])
  clock.advance(1000)
  t.match(events.slice(2), [{ ...refusal, documentId: null, count: 999 }])
  audit.refused(refusal)
  clock.advance(1000)
  t.match(events.slice(3), [{ ...refusal, count: 1 }])
  clock.advance(1000)
  audit.refused({ ...refusal, userId: 'mallory' })
  t.match(events.slice(4), [{ userId: 'mallory', count: 1 }], 'at once again after a quiet second')
  audit.refused(refusal)
  audit.close()
  t.equal(events.length, 6, 'and the rest at the end')
  t.equal(log.text.trim().split('\n').length, events.length)
})

t.test('promise 7 (Isolated): refusals of ever new addresses are told apart only up to a bound', async t => {
  const { clock, events, audit } = listening()
  for (let second = 0; second < 3; second++) {
    for (let i = 0; i < 5000; i++) audit.refused({ ...refusal, address: `2001:db8::${second}:${i}` })
    clock.advance(1000)
  }
  t.ok(events.length < 400, `${events.length} events of 15,000 refusals`)
  t.equal(events.reduce((sum, { count }) => sum + count, 0), 15_000, 'and all are counted')
})

t.test('what onAudit throws is logged, and harms nobody', async t => {
  const { log, audit } = listening({ onAudit () { throw new Error('broken') } })
  audit.note({ type: 'erased', code: 'document' })
  audit.refused(refusal)
  t.match(log.text, /onAudit failed/)
})

t.test('entries are sealed every minute, and those that have waited an hour in a block of their own', async t => {
  const clock = new TestClock()
  const log = new CapturedLog()
  const calls: Array<number | undefined> = []
  const store = { async seal (before?: number) { if (calls.push(before) === 2) throw new Error('the disk') } } as unknown as SqliteChangeLog
  const sealing = new Sealing({ store, clock, logger: log })
  sealing.open()
  for (let i = 0; i < 3; i++) {
    clock.advance(60_000)
    for (let turns = 0; turns < 5; turns++) await Promise.resolve()
  }
  t.strictSame(calls, [1, 2, 3].map(minutes => clock.now() - (3 - minutes) * 60_000 - 3_600_000))
  t.match(log.text, /the disk/)
  sealing.close()
  clock.advance(600_000)
  t.equal(calls.length, 3)
})

const rules = {
  authenticate: (token: string) => token === 'ann-canary' ? { id: 'ann' } : token === 'bob-canary' ? { id: 'bob' } : null,
  authorize: (user: { id: string }, _collection: string, _operation: string, document: { owner?: string }) => document.owner === user.id
}

async function serve (t: Test, options: PocketServerOptions = {}) {
  const path = join(t.testdir(), 'pocket.db')
  const store = new SqliteChangeLog(path, { ballastBytes: 0 })
  const log = new CapturedLog()
  const events: AuditEvent[] = []
  const pocket = new PocketServer({ changeLog: store, logger: log, onAudit: event => { events.push(event) }, ...options })
  const { url } = await pocket.listen(0)
  t.teardown(async () => {
    await pocket.close()
    await store.close()
  })
  let id = 0
  const send = async (path: string, body: object, token?: string): Promise<any> => {
    const headers = { 'content-type': 'application/json', 'sync-client-id': 'phone', ...token !== undefined && { authorization: `Bearer ${token}` } }
    return await (await fetch(`${url}/sync/${path}`, { method: 'POST', headers, body: JSON.stringify({ type: path, id: `m-${++id}`, timestamp: Date.now(), ...body }) })).json()
  }
  const push = async (documentId: string, document: object | null, token?: string): Promise<any> => {
    const change = { operation: document === null ? 'delete' : 'update', documentId, document, timestamp: Date.now() + id, base: undefined }
    return (await send('push', { collection: 'todos', changes: [change] }, token)).results?.[0]
  }
  const pull = async (token?: string): Promise<any[]> => (await send('pull', { collections: ['todos'], checkpoint: { global: 0 } }, token)).changes.todos ?? []
  return { pocket, path, store, log, events, push, pull }
}

t.test('promise 6 (Private): refusals and failed authentications are told with who and from where, without tokens and documents', async t => {
  const { push, events, log } = await serve(t, rules)
  t.match(await push('a', { owner: 'ann', text: 'document-canary' }, 'ann-canary'), { status: 'applied' })
  t.match(await push('a', { owner: 'bob', text: 'document-canary' }, 'bob-canary'), { status: 'rejected' })
  await push('b', { owner: 'ann' }, 'guessed-canary')
  await push('b', { owner: 'ann' })
  t.match(events, [
    { type: 'denied', code: 'write_forbidden', userId: 'bob', clientId: 'phone', address: '127.0.0.1', collection: 'todos', documentId: 'a', count: 1 },
    { type: 'unauthenticated', code: 'invalid_token', userId: null, clientId: 'phone', address: '127.0.0.1', collection: null },
    { type: 'unauthenticated', code: 'not_authenticated', address: '127.0.0.1' }
  ])
  t.notMatch(JSON.stringify(events) + log.text, /canary/)
  t.equal(log.text.split('"level":"warn"').length, 4)
})

t.test('erase: replicas are told of the deletion, the log forgets, and operators can see that it was done', async t => {
  const { pocket, path, events, push, pull } = await serve(t)
  await push('a', { text: 'canary' })
  await push('a', { text: 'canary 2' })
  await push('b', { text: 'stays' })
  t.match(await pocket.erase('todos', 'a'), { versions: 2, journal: 1 })
  t.match(await pull(), [{ documentId: 'b' }, { operation: 'delete', documentId: 'a' }])
  t.match(await pocket.history('todos', 'a'), { versions: [{ operation: 'delete', userId: null }], journal: [] })
  t.match(await pocket.erase('todos', 'a'), { versions: 0, journal: 0 }, 'again')
  t.match(await pocket.revert('todos', 'b', 3), { status: 'applied' })
  await pocket.compact()
  t.match(events.filter(({ type }) => type !== 'sealed'), [{ type: 'erased', collection: 'todos', documentId: 'a' }, { type: 'erased' }, { type: 'reverted', documentId: 'b', code: 'applied' }])
  const view = openView(path)
  t.teardown(() => view.close())
  const anchor = events.findLast(({ type }) => type === 'sealed')!.code
  const proof = [...steps(view.prove(anchor))].at(-1)
  t.match(proof, { broken: null, unsealed: 0, newest: { hash: anchor } })
})

function * steps<T, R> (work: Generator<T, R>): Generator<R> {
  for (let step = work.next(); ; step = work.next()) if (step.done === true) return yield step.value
}

t.test('eraseUser: what one user wrote alone goes, for the others too', async t => {
  const { pocket, push, pull, store } = await serve(t, { authenticate: rules.authenticate })
  for (const id of ['a', 'b', 'c']) await push(id, { by: 'ann' }, 'ann-canary')
  await push('b', { by: 'bob' }, 'bob-canary')
  await push('c', null, 'bob-canary')
  t.match(await pocket.eraseUser('ann'), { documents: 2, shared: 1, versions: 2 })
  t.match(await pull('bob-canary'), [{ documentId: 'b', document: { by: 'bob' } }, { operation: 'delete', documentId: 'c' }, { operation: 'delete', documentId: 'a' }])
  const history = await store.history({ collection: 'todos', documentId: 'b' })
  t.match(history, [{ userId: 'bob' }, { userId: null, clientId: null, address: null, document: '{"by":"ann"}' }], 'of what they shared the text stays')
  t.match(await pocket.eraseUser('ann'), { documents: 0, shared: 0, versions: 0, journal: 0 })
})

t.test('promise 9 (Clear): a log that cannot erase says so', async t => {
  const { MemoryChangeLog } = await import('../../src/changelog/memory.ts')
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog() })
  t.teardown(() => pocket.close())
  await t.rejects(pocket.erase('todos', 'a'), TypeError)
})
