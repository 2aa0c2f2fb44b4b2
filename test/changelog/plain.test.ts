import fc from 'fast-check'
import { deepEqual } from 'node:assert/strict'
import t from 'tap'
import type { ChangeEntry, ChangeLog, ChangeStore } from '../../src/changelog/changelog.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { PlainChangeStore } from '../../src/changelog/plain.ts'
import { Budget } from '../../src/changelog/plain-budget.ts'
import { changeLogSuite } from '../../src/conformance/changelog.ts'
import { newPush, put, read, remove, sequences, write } from '../../src/conformance/changelog/harness.ts'
import { ArrayLog, PostgresChangeLog, TestPool, TimedPostgresChangeLog } from '../support/own-logs.ts'
import { openRules, pull, push, replicate, type Rules, START, type TestPage, type TestPush } from '../support/rules.ts'

await changeLogSuite({
  test: (title, run) => t.test(title, run),
  open: async () => {
    let store = new PlainChangeStore(new ArrayLog())
    return {
      store,
      reopen: async () => (store = await restart(store, new ArrayLog())),
      destroy: () => store.close()
    }
  }
})

const todo = (documentId: string) => ({ collection: 'todos', documentId })
const task = (title: string) => ({ title, nested: { b: [1, null], a: 'ü☃' } })

async function restart (store: ChangeStore, log: ChangeLog): Promise<PlainChangeStore> {
  await store.close()
  const again = new PlainChangeStore(log)
  await again.open()
  return again
}

async function contents (rules: Rules): Promise<unknown> {
  return [...(await replicate(rules)).documents].sort()
}

for (const json of [true, false]) {
  t.test(`the guide's class for PostgreSQL works with nothing changed, data as ${json ? 'json' : 'text'}; what was pushed is there after a restart`, async t => {
    const log = new PostgresChangeLog(new TestPool({ json }))
    const rules = await openRules({ store: new PlainChangeStore(log) })
    const many = Array.from({ length: 250 }, (_, i) => ({ operation: 'insert', documentId: `d${i}`, document: task(`${i}`) }))
    t.equal((await push(rules, { changes: many })).success, true)
    await push(rules, { changes: [{ documentId: 'd1', document: task('edited'), base: 2 }, { operation: 'delete', documentId: 'd2', base: 3 }] })
    const before = await contents(rules)
    const { checkpoint, epoch } = await pull(rules, { limit: 1000 })
    await rules.close()
    const again = await openRules({ store: new PlainChangeStore(log) })
    t.same(await contents(again), before)
    const page = await pull(again, { checkpoint, epoch })
    t.same([page.changes, page.checkpoint], [{}, checkpoint], 'its clients go on where they were')
    t.match((await pull(again, { checkpoint: { global: 250 }, epoch })).changes, { todos: [{ operation: 'update', document: task('edited'), sequence: 251 }, { operation: 'delete', document: null, sequence: 252 }] })
    const edit = await push(again, { changes: [{ documentId: 'd1', document: task('again'), base: 251 }] })
    t.match(edit.results, [{ status: 'applied', sequence: 253 }])
    await again.close()
  })
}

t.test('rows are taken back under their usual other names and types', async t => {
  const rows = [
    { id: 7, collection: 'todos', document_id: 'a', operation: 'insert', data: '{"v":1}', sequence: '1', timestamp: '1700000000000' },
    { id: 'x', collection: 'todos', documentid: 'b', operation: 'insert', document: { v: 1, _rev: '1-b' }, sequence: 2n, timestamp: new Date(START) },
    { collection: 'todos', documentId: 'c', operation: 'update', document: '{"v":1}', data: null, sequence: 3 },
    { id: 'y', collection: 'todos', document_id: 'd', operation: 'delete', data: { v: 1 }, sequence: 4, timestamp: '2023-11-14T22:13:20.000Z' }
  ]
  const log = new ArrayLog()
  log.rows = rows as unknown as ChangeEntry[]
  const store = new PlainChangeStore(log, { now: () => START })
  log.getCurrentSequence = async () => '4' as unknown as number
  log.getSince = async since => rows.filter(row => Number(row.sequence) > since) as unknown as ChangeEntry[]
  const page = await read(store)
  const short = (await store.entries(page.rows.map(({ position }) => position))).map(entry => [entry!.sequence, entry!.id, entry!.documentId, entry!.document, entry!.timestamp, entry!.rev])
  t.same(short, [
    [1, '7', 'a', '{"v":1}', START, null],
    [2, 'x', 'b', '{"v":1,"_rev":"1-b"}', START, '1-b'],
    [3, 'plain-3', 'c', '{"v":1}', 0, null],
    [4, 'y', 'd', null, START, null]
  ])
  t.same((await store.getSince(0)).map(({ id, sequence, documentId, data }) => [id, sequence, documentId, data]), [
    ['7', 1, 'a', '{"v":1}'], ['x', 2, 'b', '{"v":1,"_rev":"1-b"}'], ['', 3, 'c', '{"v":1}'], ['y', 4, 'd', null]
  ])
  await store.close()
})

t.test('a limit that the log ignores is kept', async t => {
  const store = new PlainChangeStore(new ArrayLog())
  const written = await write(store, Array.from({ length: 120 }, (_, i) => put(`${i}`, i)))
  t.same(sequences(await store.getSince(written[9]!, 3) as never), written.slice(10, 13))
  t.equal((await store.getSince(0)).length, 100)
})

t.test('promise 3 (Once): when an append fails midway the push is storage_unavailable, what was appended stays, and the repeated push finds it', async t => {
  for (const lost of ['before', 'after'] as const) {
    const pool = new TestPool()
    const rules = await openRules({ store: new PlainChangeStore(new PostgresChangeLog(pool)) })
    await push(rules, { changes: [{ documentId: 'a', document: task('old') }] })
    let inserts = 0
    // Whether the statement that failed took effect nobody knows.
    pool[lost] = sql => { if (sql.startsWith('INSERT') && ++inserts === 3) throw new Error('connection reset') }
    const message: TestPush = { id: 'm', changes: [...'bcde'].map(documentId => ({ documentId, document: task(documentId) })) }
    const caller = { clientId: 'phone' }
    await t.rejects(push(rules, message, caller), { code: 'storage_unavailable' })
    t.equal(rules.store.health().writable, false)
    const there = lost === 'before' ? 3 : 4
    t.same((await pull(rules)).checkpoint, { global: there })
    const again = await push(rules, message, caller)
    t.same(again.results.map(({ status, sequence }) => [status, sequence]), ['b', 'c', 'd', 'e'].map((_, i) => [i + 2 <= there ? 'duplicate' : 'applied', i + 2]))
    t.equal(rules.store.health().writable, true)
    t.equal((await push(rules, message, caller)).replayed, true)
    t.equal(pool.rows.length, 5)
    await rules.close()
  }
})

t.test('promise 3 (Once): a log that keeps times knows every change after a restart, one that does not those that stand', async t => {
  for (const [Log, old] of [[TimedPostgresChangeLog, 'duplicate'], [PostgresChangeLog, 'applied']] as const) {
    const log = new Log(new TestPool())
    const rules = await openRules({ store: new PlainChangeStore(log) })
    const first = { documentId: 'a', document: task('1') }
    const second = { documentId: 'a', document: task('2'), timestamp: START + 5, base: 1 }
    await push(rules, { changes: [first, { documentId: 'b', document: { _rev: '1-b' } }, { documentId: 'b', document: { _rev: '2-b' }, base: 2 }] })
    await push(rules, { changes: [second] })
    await rules.close()
    const again = await openRules({ store: new PlainChangeStore(log) })
    t.equal((await push(again, { changes: [second] })).results[0]?.status, 'duplicate', 'what stands')
    t.equal((await push(again, { changes: [{ documentId: 'b', document: { _rev: '1-b' } }] })).results[0]?.status, 'duplicate', 'a revision is known without a time')
    t.equal((await push(again, { changes: [first] })).results[0]?.status, old)
    await again.close()
  }
})

t.test('promise 10 (Not ruled by client clocks): after a restart a clock that was far ahead still locks nobody out', async t => {
  const log = new TimedPostgresChangeLog(new TestPool())
  const rules = await openRules({ store: new PlainChangeStore(log, { now: () => START }) })
  await push(rules, { changes: [{ documentId: 'a', document: task('from the year 3000'), timestamp: 32_503_680_000_000 }] })
  await rules.close()
  const again = await openRules({ store: new PlainChangeStore(log, { now: () => START }) })
  again.clock.advance(120_000)
  const blind = await push(again, { changes: [{ documentId: 'a', document: task('blind'), timestamp: START + 119_000 }] })
  t.equal(blind.results[0]?.status, 'applied')
  await again.close()
})

t.test('epochs outlive a restart by the ids of the entries, so that a restored backup is noticed', async t => {
  const log = new ArrayLog()
  let store = new PlainChangeStore(log)
  await write(store, [put('a', 1)])
  const [first] = await store.epochs()
  store = await restart(store, log)
  t.same((await store.epochs()).map(({ id, first }) => [id, first])[0], [first!.id, 1])
  t.equal((await store.epochs()).length, 2)
  const backup = [...log.rows]
  await write(store, [put('a', 2), put('b', 1)])
  const lost = (await store.epochs())[1]!
  log.rows = backup
  const rules = await openRules({ store: await restart(store, log) })
  t.equal(await rules.store.getCurrentSequence(), 1)
  await t.rejects(pull(rules, { checkpoint: { global: 3 }, epoch: lost.id }), { code: 'resync_required' })
  t.equal((await pull(rules, { checkpoint: { global: 1 }, epoch: first!.id })).checkpoint.global, 1)
  await rules.close()
})

t.test('an append beside the server is seen, an emptied or restored log is read anew', async t => {
  const log = new ArrayLog()
  const store = new PlainChangeStore(log)
  await write(store, [put('a', 1), put('b', 1)])
  const backup = [...log.rows]
  await log.append({ id: 'by-hand', sequence: 7, ...todo('a'), operation: 'update', document: '{"v":2}', data: null, timestamp: START })
  t.same((await store.entries((await read(store)).rows.map(({ position }) => position))).map(entry => entry?.id), [log.rows[1]!.id, 'by-hand'])
  await log.append({ id: 'by-hand-too', sequence: 8, ...todo('c'), operation: 'insert', document: '{}', data: null, timestamp: START })
  t.same(await store.commit(newPush([put('c', 1)])).then(({ status }) => status), 'moved', 'at a commit too')
  const epoch = (await store.epochs()).at(-1)!
  log.rows = backup
  const { head, rows, epochs } = await read(store)
  t.same([head, rows.length], [2, 2])
  t.equal(epochs.length, 2)
  t.same([epochs[0]!.id, epochs[1]!.first], [epoch.id, 3])
  t.same(await write(store, [put('c', 1)]), [3])
  await store.close()
})

t.test('promise 9 (Clear): a log that misbehaves is a clear error, never an endless loop', async t => {
  const row = { id: 'i', sequence: 1, ...todo('a'), operation: 'insert', document: '{}', data: null, timestamp: 1 }
  const rows = (...found: unknown[]) => async () => found as ChangeEntry[]
  const wrong: Array<[Partial<ChangeLog>, RegExp]> = [
    [{ getSince: rows(row), getCurrentSequence: async () => 1 }, /returned entry 1 for getSince\(…\) after 1/],
    [{ getSince: rows({ ...row, sequence: 2 }, row) }, /returned entry 1 for getSince\(…\) after 2/],
    [{ getSince: async since => since === 0 ? [row as ChangeEntry] : [], getCurrentSequence: async () => 0 }, /has entry 1, yet its getCurrentSequence\(\) returns 0/],
    [{ getSince: rows({ ...row, operation: 'upsert' }) }, /entry 1 without an operation/],
    [{ getSince: rows({ ...row, collection: undefined }) }, /entry 1 without a collection/],
    [{ getSince: rows({ ...row, documentId: undefined }) }, /entry 1 without a documentId/],
    [{ getSince: rows({ ...row, document: undefined }) }, /entry 1 without a document/],
    [{ getSince: rows({ ...row, document: '{' }) }, /entry 1 with a document that is no JSON/],
    [{ getSince: rows({ ...row, sequence: null }) }, /without a sequence/],
    [{ getSince: rows(null) }, /no object/],
    [{ getSince: async () => undefined as never }, /failed in getSince/],
    [{ getCurrentSequence: async () => NaN }, /NaN for a sequence/],
    [{ getCurrentSequence: () => { throw new Error('no connection to secret@host') } }, /failed in getCurrentSequence/]
  ]
  for (const [methods, message] of wrong) {
    const store = new PlainChangeStore(Object.assign(new ArrayLog(), methods))
    await t.rejects(store.open(), { code: 'storage_unavailable', message })
    t.match(store.health(), { writable: false, detail: message })
    t.notMatch(store.health().detail, /secret/)
    await store.close()
  }
})

t.test('while the log is away what is known is served; when it is back everything goes on', async t => {
  const pool = new TestPool()
  const store = new PlainChangeStore(new PostgresChangeLog(pool))
  pool.before = () => { throw new Error('refused') }
  await t.rejects(store.open(), { code: 'storage_unavailable' })
  pool.before = () => {}
  await write(store, [put('a', 1)])
  pool.before = () => { throw new Error('refused') }
  t.equal((await read(store)).rows.length, 1)
  await t.rejects(store.commit(newPush([put('b', 1)])), { code: 'storage_unavailable' })
  pool.before = () => {}
  t.same(await write(store, [put('b', 1)]), [2])
  await store.close()
})

t.test('compaction asks the log to compact once history is to go, and goes on with whatever it left', async t => {
  const log = new PostgresChangeLog(new TestPool())
  let store = new PlainChangeStore(log)
  await write(store, [put('a', 1), put('b', 1)])
  const [a, gone] = await write(store, [put('a', 2), remove('b')])
  await store.compact({ pushesBefore: 0 })
  t.equal((await store.getSince(0)).length, 4)
  await store.compact({ historyBefore: Infinity })
  t.same(sequences(await store.getSince(0) as never), [a, gone])
  t.same(sequences(await store.history(todo('a'))), [a])
  store = await restart(store, log)
  t.same((await read(store)).rows.map(row => row.position), [a, gone])
  t.same(await write(store, [put('a', 3)]), [5])
  await store.close()
})

t.test('promise 7 (Isolated): what is kept beside the log is bounded, the oldest goes first', async t => {
  const budget = new Budget<string>(10)
  t.same(budget.add('a', 4), [])
  t.same(budget.add('b', 4), [])
  t.same(budget.add('a', 6), [], 'a thing kept anew counts once')
  t.same(budget.add('c', 4), ['b'])
  t.same(budget.add('huge', 11), ['a', 'c', 'huge'])
  const store = new PlainChangeStore(new ArrayLog())
  const raw = 'x'.repeat(3_000_000)
  const journal = [{ ...todo('x'), status: 'rejected', code: 'c', raw }] as const
  const flood = Array.from({ length: 8 }, () => newPush([], { journal, outcome: raw }))
  for (const one of flood) await store.commit(one)
  t.same([(await store.journal()).length, store.stats()['pushes']], [5, 5])
  t.same((await store.commit(flood[7]!)).status, 'seen')
  const text = JSON.stringify({ text: raw })
  for (let i = 0; i < 15; i++) await write(store, [{ documentId: 'a', document: text }])
  const kept = await store.history(todo('a'))
  t.same([kept[0]!.sequence, kept.length], [15, 11])
  await store.close()
})

const change = fc.record({ id: fc.constantFrom('a', 'b', 'c'), value: fc.nat(3), delete: fc.boolean(), skew: fc.integer({ min: -3, max: 3 }), base: fc.option(fc.nat(6)) })
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('push' as const), id: fc.nat(30), atomic: fc.boolean(), seen: fc.nat(5), client: fc.constantFrom('phone', null), changes: fc.array(change, { minLength: 1, maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pull' as const), after: fc.nat(10), limit: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) }
)

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** What a client is told, or the code of the error; epochs are random. */
const withoutEpoch = ({ checkpoint: { head, ...checkpoint }, ...page }: TestPage): object => ({ ...page, checkpoint, head: head?.split('.')[0], epoch: '' })
async function play (rules: Rules, one: Step): Promise<unknown> {
  rules.clock.advance(1)
  try {
    if (one.kind === 'clear') return await rules.store.clear()
    if (one.kind === 'compact') return await rules.store.compact()
    if (one.kind === 'pull') return withoutEpoch(await pull(rules, { collections: [], limit: one.limit, checkpoint: { global: Math.min(one.after, await rules.store.getCurrentSequence()) } }))
    const changes = one.changes.map(({ id, value, delete: deleted, skew, base }) => ({
      operation: deleted ? 'delete' : 'update', documentId: id, document: deleted ? null : { value }, timestamp: START + skew, ...base !== null && { base }
    }))
    const checkpoint = { global: Math.min(one.seen, await rules.store.getCurrentSequence()) }
    return { ...await push(rules, { id: `m${one.id}`, atomic: one.atomic, changes, checkpoint }, { clientId: one.client }), epoch: '' }
  } catch (error) {
    return (error as { code?: string }).code ?? error
  }
}

t.test('promise 3 (Once) and promise 8 (Convergent): while it runs a plain log answers every client as our own in memory does', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
    const own = await openRules({ store: new MemoryChangeLog({ now: () => START }) })
    const plain = await openRules({ store: new PlainChangeStore(new PostgresChangeLog(new TestPool({ json: false })), { now: () => START }) })
    try {
      for (const one of steps) deepEqual(await play(plain, one), await play(own, one))
    } finally {
      await Promise.all([own.close(), plain.close()])
    }
  }), { numRuns: Number(process.env['POCKET_RUNS'] ?? 100) })
})
