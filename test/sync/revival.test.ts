import t, { type Test } from 'tap'
import { join } from 'node:path'
import { MemoryChangeLog, PocketServer, SqliteChangeLog, type ChangeStore, type JournalRow, type ServerConfig } from '../../src/index.ts'
import { newPush } from '../../src/conformance/changelog/harness.ts'
import { post, pullOf, pushOf } from '../support/app.ts'

interface World {
  readonly pocket: PocketServer
  readonly store: ChangeStore
  /** Pushes one change to todos/a. @returns its result */
  readonly push: (change: object, members?: object) => Promise<any>
  /** todos/a as a new client gets it; undefined when it is not there. */
  readonly document: () => Promise<any>
}

async function world (t: Test, store: ChangeStore = new MemoryChangeLog(), options: ServerConfig = {}): Promise<World> {
  const pocket = new PocketServer({ changeLog: store, ...options })
  t.teardown(async () => { await pocket.close(); await store.close() })
  const { url } = await pocket.listen(0)
  return {
    pocket,
    store,
    push: async (change, members) => (await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'a', ...change }], members))).json.results[0],
    document: async () => (await post(`${url}/sync/pull`, pullOf())).json.changes.todos?.find((change: any) => change.documentId === 'a')?.document ?? undefined
  }
}

/** Puts a row into the journal that nobody pushed so. */
async function note (store: ChangeStore, raw: string, row: Partial<JournalRow> = {}): Promise<number> {
  await store.commit(newPush([], { journal: [{ collection: 'todos', documentId: 'a', status: 'rejected', code: 'invalid_change', ...row, raw }] }))
  return (await store.journal({ limit: 1 }))[0]!.id
}

for (const [name, open] of [['memory', () => new MemoryChangeLog()], ['SQLite', (t: Test) => new SqliteChangeLog(join(t.testdir(), 'log.db'))]] as const) {
  t.test(`a revert makes an old version a new one; a deleted document comes back; a tombstone deletes: ${name}`, async t => {
    const { pocket, push, document } = await world(t, open(t))
    for (const base of [0, 1, 2]) await push({ document: { n: base + 1 }, base })
    t.match(await pocket.revert('todos', 'a', 1), { status: 'applied', sequence: 4 })
    t.strictSame(await document(), { n: 1 })
    t.match(await pocket.revert('todos', 'a', 1), { status: 'applied', sequence: 5 }, 'again is another change')
    await push({ operation: 'delete', document: null, base: 5 })
    t.equal(await document(), undefined)
    t.match(await pocket.revert('todos', 'a', 2), { status: 'applied', sequence: 7 })
    t.strictSame(await document(), { n: 2 })
    t.match(await pocket.revert('todos', 'a', 6), { status: 'applied', sequence: 8 })
    t.equal(await document(), undefined)
    t.match(await pocket.revert('todos', 'a', 6), { status: 'applied' }, 'and writes nothing when it is deleted already')
    const { versions, journal } = await pocket.history('todos', 'a')
    t.strictSame(versions.map(({ sequence, operation }) => [sequence, operation]), [[8, 'delete'], [7, 'insert'], [6, 'delete'], [5, 'update'], [4, 'update'], [3, 'update'], [2, 'update'], [1, 'insert']])
    t.strictSame(journal, [], 'nobody lost')
  })

  t.test(`what a conflict pushed aside wins when it is replayed, a loser under its own identity, a former head as a new version: ${name}`, async t => {
    const { pocket, push, document } = await world(t, open(t))
    await push({ document: { n: 0 }, timestamp: 1000, base: 0 })
    await push({ document: { by: 'laptop' }, timestamp: 3000, base: 1 })
    const loser = { document: { by: 'phone' }, timestamp: 2000, base: 1, operation: 'update' }
    t.equal((await push(loser)).status, 'conflict')
    await push({ document: { by: 'tablet' }, timestamp: 4000, base: 1, operation: 'update' })
    const rows = await pocket.journal({ collection: 'todos', documentId: 'a' })
    t.strictSame(rows.map(({ status, raw }) => [status, JSON.parse(raw).document.by]), [['conflict', 'laptop'], ['conflict', 'phone']])

    t.match(await pocket.replayJournal(rows[1]!.id), { status: 'applied' })
    t.strictSame(await document(), { by: 'phone' })
    t.match(await push(loser), { status: 'duplicate' }, 'promise 3 (Once): its client, which sends it again, is told that it stands')
    t.match(await pocket.replayJournal(rows[0]!.id), { status: 'applied' })
    t.strictSame(await document(), { by: 'laptop' })
    t.strictSame(await pocket.journal(), [])
  })
}

t.test('revisions: what comes back has a new one, as it is not the version it repeats', async t => {
  const { pocket, push, document } = await world(t)
  await push({ document: { _id: 'a', _rev: '1-x', n: 1 } })
  await push({ document: { _id: 'a', _rev: '2-y', n: 2 }, previousDocument: { _rev: '1-x' } })
  t.match(await pocket.revert('todos', 'a', 1), { status: 'applied', sequence: 3 })
  t.match(await document(), { _id: 'a', _rev: /^3-[0-9a-f]{32}$/, n: 1 })
  await push({ document: { _id: 'a', _rev: '2-z', n: 9 }, previousDocument: { _rev: '1-x' }, timestamp: Date.now() + 5000 })
  const [beaten] = await pocket.journal()
  t.match(await pocket.replayJournal(beaten!.id), { status: 'applied' })
  t.match(await document(), { _rev: /^4-/, n: 1 })
})

t.test('a clock that ran ahead does not keep a revert from counting as another change', async t => {
  const { pocket, push } = await world(t)
  await push({ document: { n: 1 }, timestamp: Date.now() + 50_000, base: 0 })
  await push({ document: { n: 2 }, timestamp: Date.now() + 50_000, base: 1 })
  for (const sequence of [3, 4, 5]) t.match(await pocket.revert('todos', 'a', 1), { status: 'applied', sequence })
})

t.test('promise 9 (Clear): a version or a row that is not kept is an error that says so, and changes nothing', async t => {
  const { pocket, push, store } = await world(t)
  await push({ document: { n: 1 } })
  await push({ document: { n: 2 }, base: 1 })
  await push({ documentId: 'b', document: {} })
  await store.compact()
  for (const sequence of [1, 3, 99, -1, NaN]) await t.rejects(pocket.revert('todos', 'a', sequence), { code: 'not_found', message: new RegExp(`version ${sequence}:`) })
  for (const id of [1, 0, -1, NaN, Infinity]) await t.rejects(pocket.replayJournal(id), { code: 'not_found', message: new RegExp(`row ${id}:`) })
  for (const id of [1, 0, -1, NaN, Infinity]) t.equal(await pocket.discardJournal(id), false)
  t.equal(await store.getCurrentSequence(), 3)
})

const change = '{"operation":"update","documentId":"a","document":{"n":1},"timestamp":5}'

t.test('promise 7 (Isolated): a replay takes text that may be anything, and refuses what is not one change', async t => {
  const { pocket, store, document } = await world(t, new MemoryChangeLog(), { limits: { documentBytes: 100_000 } })
  const texts = [
    '', ' ', 'null', '5', '"text"', '[]', '{', '}', '{}', '\0', change.slice(0, -1), `${change}x`,
    `${change},${change}`, `${change}],"collection":"others","x":[${change}`, `${change}],"changes":[${change}`, `${change}]}`, `]},{"changes":[${change}`, `/*${change}*/`,
    change.replace('"n":1', '"__proto__":{"x":1}'), `{"__proto__":${change}}`, change.replace('"n":1', '"n":1,"n":2'), change.replace('1}', '12345678901234567890}'), change.replace('1}', '"\\ud800"}'),
    change.replace('"update"', '"upsert"'), change.replace('5', '"x"'), change.replace('{"n":1}', 'null'), change.replace('"a"', '"b\\u0000"'), change.replace('"n"', '"_id":"b","n"'),
    change.replace('1}', `${'['.repeat(100_000)}${']'.repeat(100_000)}}`), change.replace('1}', `"${'x'.repeat(16 << 20)}"}`)
  ]
  for (const raw of texts) {
    const id = await note(store, raw)
    const { status, error } = await pocket.replayJournal(id)
    t.equal(status, 'rejected', raw.slice(0, 80))
    t.ok(error!.detail.length > 5, error!.code)
    t.strictSame((await pocket.journal()).map(row => row.id), [id], 'its row stays, and no second one comes')
    t.equal(await pocket.discardJournal(id), true)
  }
  t.equal(await store.getCurrentSequence(), 0)
  t.equal(({} as { x?: number }).x, undefined)
  const id = await note(store, ` ${change}\n`)
  t.match(await pocket.replayJournal(id), { status: 'applied' })
  t.strictSame(await document(), { n: 1 })
})

t.test('a refused change goes in by a replay once the rule that refused it has gone', async t => {
  const store = new MemoryChangeLog()
  const strict = await world(t, store, { limits: { documentBytes: 100 } })
  t.equal((await strict.push({ document: { text: 'x'.repeat(200) } })).status, 'rejected')
  t.equal((await strict.push({ document: { text: 'short' } })).status, 'applied')
  const [row] = await strict.pocket.journal()
  t.match(await strict.pocket.replayJournal(row!.id), { status: 'rejected', error: { code: 'document_too_large' } })
  t.strictSame(await strict.pocket.journal(), [row])
  const { pocket, document } = await world(t, store)
  t.match(await pocket.replayJournal(row!.id), { status: 'applied' })
  t.strictSame(await document(), { text: 'x'.repeat(200) })
  await t.rejects(pocket.replayJournal(row!.id), { code: 'not_found' })
})

t.test('the loser of a merge, whose change is known, wins as a whole when it is replayed; what stands already is only done with', async t => {
  const { pocket, push, document, store } = await world(t, new MemoryChangeLog(), { conflictStrategy: 'merge' })
  await push({ document: { x: 0, y: 0 }, timestamp: 1000, base: 0 })
  await push({ document: { x: 1, y: 0 }, timestamp: 3000, base: 1, operation: 'update' }, { clientId: 'laptop' })
  const loser = { document: { x: 2, y: 2 }, timestamp: 2000, base: 1, operation: 'update' }
  t.match(await push(loser, { clientId: 'phone' }), { status: 'merged', document: { x: 1, y: 2 } })
  const [row] = (await pocket.journal()).filter(({ raw }) => raw.includes('2000'))
  t.match(await pocket.replayJournal(row!.id), { status: 'applied' })
  t.strictSame(await document(), { x: 2, y: 2 })
  const id = await note(store, row!.raw, { status: 'conflict' })
  t.match(await pocket.replayJournal(id), { status: 'duplicate' })
  t.equal(await pocket.discardJournal(id), false)
})

t.test('a deletion is replayed as a deletion; of a document that is gone it writes nothing and is done with', async t => {
  const { pocket, push, store, document } = await world(t)
  await push({ document: { n: 1 } })
  const raw = '{"operation":"delete","documentId":"a","document":null,"timestamp":1}'
  const [one, two] = [await note(store, raw, { status: 'conflict' }), await note(store, raw.replace('1}', '2}'), { status: 'conflict' })]
  t.match(await pocket.replayJournal(one), { status: 'applied' })
  t.equal(await document(), undefined)
  t.match(await pocket.replayJournal(two), { status: 'applied' })
  t.strictSame(await pocket.journal(), [])
})
