import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { contentOf } from '../../src/changelog/entry.ts'
import { openDatabase } from '../../src/changelog/sqlite/driver.ts'
import { beginEpoch } from '../../src/changelog/sqlite/epochs.ts'
import { resolveOptions } from '../../src/changelog/sqlite/options.ts'
import { startWriting } from '../../src/changelog/sqlite/start.ts'
import { SqliteChangeLog, type SqliteOptions } from '../../src/changelog/sqlite.ts'
import { changeLogSuite } from '../../src/conformance/changelog.ts'
import type { OpenedLog } from '../../src/conformance/changelog.ts'
import { digest, follow, newPush, NOW, put, read, remove, sequences, write } from '../../src/conformance/changelog/harness.ts'
import { contentsOf } from '../support/store-fixture.ts'
import { modelProperty } from './model.ts'

let opened = 0

/** Every other one is a tenant's: promises are the same. */
async function open (): Promise<OpenedLog> {
  const home = mkdtempSync(join(tmpdir(), 'pocket-log-'))
  const path = join(home, 'log.db')
  const make = opened++ % 2 === 0 ? () => new SqliteChangeLog(path) : () => new SqliteChangeLog(path).tenant('Acme & Söhne')
  let store = make()
  return {
    store,
    reopen: async () => {
      await store.close()
      store = make()
      return store
    },
    destroy: async () => {
      await store.close()
      rmSync(home, { recursive: true })
    }
  }
}

await changeLogSuite({ test: (title, run) => t.test(title, run), open })
await modelProperty(t, open, 40)

function newPath (t: Test): string {
  const home = mkdtempSync(join(tmpdir(), 'pocket-log-'))
  t.teardown(() => rmSync(home, { recursive: true }))
  return join(home, 'log.db')
}

function openLog (t: Test, path: string, options?: SqliteOptions): SqliteChangeLog {
  const log = new SqliteChangeLog(path, options)
  t.teardown(() => log.close())
  return log
}

/** A closed log of three documents. */
async function closedLog (t: Test): Promise<string> {
  const path = newPath(t)
  const log = new SqliteChangeLog(path)
  await write(log, ['a', 'b', 'c'].map(id => put(id, `value of ${id}`)))
  await log.close()
  return path
}

for (const [synchronous, level] of [['full', 2], ['normal', 1]] as const) {
  t.test(`promise 1 (Durable): every connection keeps synchronous=${synchronous} after it was used`, async t => {
    const { writer, reader } = startWriting(newPath(t), { options: resolveOptions({ synchronous }), distrust: false })
    writer!.exec("INSERT OR REPLACE INTO meta VALUES ('written', 1)")
    reader.prepare('SELECT * FROM meta').all()
    for (const connection of [writer!, reader]) {
      t.equal(connection.pragma('journal_mode', { simple: true }), 'wal')
      t.equal(connection.pragma('synchronous', { simple: true }), level)
      connection.close()
    }
  })
}

t.test('one writer per file: by whatever name, a second log of the same file is refused', async t => {
  const path = newPath(t)
  const log = openLog(t, path)
  await log.open()
  const folder = join(path, '../elsewhere')
  mkdirSync(folder)
  symlinkSync(path, join(folder, 'link.db'))
  for (const name of [path, relative('.', path), join(folder, 'link.db'), join(folder, '../log.db')]) {
    await t.rejects(new SqliteChangeLog(name).open(), { code: 'storage_unavailable', message: /already open for writing in this process \(pid \d+\): one process per file/ }, name)
  }
  await log.close()
  const next = openLog(t, join(folder, 'link.db'))
  await t.resolves(next.open())
})

t.test('promise 9 (Clear): an empty or missing file where a log is expected is refused until the mark is deleted', async t => {
  const path = await closedLog(t)
  for (const lose of [() => writeFileSync(path, ''), () => rmSync(path)]) {
    lose()
    await t.rejects(new SqliteChangeLog(path).open(), { code: 'storage_unavailable', message: /restore the backup, or delete the mark/ })
  }
  rmSync(`${path}.mark`)
  const log = openLog(t, path)
  t.equal(await log.getCurrentSequence(), 0)
  t.ok(existsSync(`${path}.mark`))
})

t.test('promise 9 (Clear): a file of a newer build, another program or no database is refused and left as it was', async t => {
  const newer = await closedLog(t)
  const database = openDatabase(newer, {})
  database.pragma('user_version = 1000')
  database.close()
  await t.rejects(new SqliteChangeLog(newer).open(), { code: 'storage_unavailable', message: /layout 1000, this build knows layouts up to \d+: start the newer build/ })

  const foreign = newPath(t)
  const other = openDatabase(foreign, {})
  other.exec('CREATE TABLE mine (a)')
  other.close()
  const before = readFileSync(foreign)
  await t.rejects(new SqliteChangeLog(foreign).open(), { code: 'storage_unavailable', message: /a database of another program/ })
  t.ok(before.equals(readFileSync(foreign)))

  const text = newPath(t)
  writeFileSync(text, 'no database at all, but a letter to somebody\n'.repeat(200))
  await t.rejects(new SqliteChangeLog(text).open(), { code: 'storage_unavailable', message: /SQLITE_NOTADB/ })
})

t.test('promise 9 (Clear): a flipped bit in a document is noticed when it is read; the others stay readable', async t => {
  const path = await closedLog(t)
  const content = readFileSync(path)
  const place = content.indexOf('value of b')
  content[place] = content[place]! ^ 1
  writeFileSync(path, content)
  const log = openLog(t, path)
  await t.rejects(log.entries([2]), { code: 'storage_unavailable', message: /entry 2 of the change log is damaged: .*restore a backup/ })
  await t.rejects(read(log), { code: 'storage_unavailable', message: /entry 2/ })
  t.strictSame((await log.entries([1, 3])).map(entry => entry?.documentId), ['a', 'c'])
  t.equal((await read(log, { limit: 1 })).rows[0]?.entry.documentId, 'a')
  await t.resolves(write(log, [put('d', 1)]), 'and new ones are taken')
})

t.test('promise 9 (Clear): after damage to a page nothing is written any more, and what is whole is still read', async t => {
  const path = newPath(t)
  const log = new SqliteChangeLog(path)
  const ids = Array.from({ length: 100 }, (_, i) => `${i}`)
  await write(log, ids.map(id => put(id, 'x'.repeat(1000))))
  await log.close()
  const content = readFileSync(path)
  const page = Math.floor(content.indexOf('{"_id":"50"') / 4096)
  content.fill(0xff, page * 4096, (page + 1) * 4096)
  writeFileSync(path, content)
  const damaged = openLog(t, path)
  await t.rejects(damaged.getSince(0, 1000), { code: 'storage_unavailable', message: /SQLITE_CORRUPT/ })
  await t.rejects(write(damaged, [put('new', 1)]), { code: 'storage_unavailable' })
  t.match(damaged.health(), { writable: false, detail: /restore a backup/ })
  t.equal((await damaged.entries([1]))[0]?.documentId, '0')
})

t.test('promise 7 (Isolated): a push that cannot be stored does not take those with it that share its transaction', async t => {
  const log = openLog(t, newPath(t))
  const impossible = newPush([put(null as unknown as string, 1)])
  const results = await Promise.allSettled([log.commit(newPush([put('a', 1)])), log.commit(impossible), log.commit(newPush([put('b', 1)]))])
  t.strictSame(results.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled'])
  t.strictSame(sequences(await log.getSince(0) as never), [1, 2])
})

t.test('promise 7 (Isolated): the journal is bounded by bytes, oldest first', async t => {
  const log = openLog(t, newPath(t), { journalBytes: 10_000 })
  const row = { collection: 'todos', documentId: 'a', status: 'rejected' as const, code: 'invalid_document', raw: 'x'.repeat(800) }
  for (let i = 0; i < 30; i++) await log.commit(newPush([], { journal: [row], messageId: `${i}` }))
  const rows = await log.journal()
  t.ok(rows.length <= 10 && rows.length > 5, `${rows.length} rows`)
  t.equal(rows[0]?.messageId, '29')
})

t.test('promise 3 (Once): push records older than their retention make room, a few with every commit', async t => {
  const log = openLog(t, newPath(t), { pushRetention: 1000 })
  const old = newPush([], { serverTimestamp: NOW })
  const young = newPush([], { serverTimestamp: NOW + 900 })
  for (const push of [old, young]) await log.commit(push)
  t.match(await log.commit(old), { status: 'seen' })
  await log.commit(newPush([], { serverTimestamp: NOW + 1500 }))
  t.match(await log.commit(young), { status: 'seen' })
  t.match(await log.commit(old), { status: 'committed' })
})

t.test('compact: gives space back to the disk, and commits go on between its steps', async t => {
  const path = newPath(t)
  const log = openLog(t, path)
  const ids = Array.from({ length: 2000 }, (_, i) => `${i}`)
  for (let round = 0; round < 4; round++) await write(log, ids.map(id => put(id, 'x'.repeat(500))))
  await write(log, ids.slice(1).map(id => remove(id)))
  let committed = 0
  const ended = new AbortController()
  const compacting = log.compact({ historyBefore: Infinity, tombstonesBefore: Infinity }).finally(() => ended.abort())
  for (; !ended.signal.aborted; committed++) await write(log, [put(`new ${committed}`, 1)])
  await compacting
  t.ok(committed > 1, `${committed} commits meanwhile`)
  t.equal((await follow(log)).length, committed + 1)
  await log.close()
  t.ok(statSync(path).size < 2.5e6, `${statSync(path).size} bytes`)
})

t.test('a log that is opened without end keeps the epochs in which something was written, and of the others a bounded number', async t => {
  const path = newPath(t)
  const log = openLog(t, path)
  await write(log, [put('a', 1)])
  const [written] = await log.epochs()
  await log.close()
  const database = openDatabase(path, {})
  database.transaction(() => { for (let i = 0; i < 3000; i++) beginEpoch(database, NOW) })()
  database.close()
  const again = openLog(t, path)
  const epochs = await again.epochs()
  t.same(epochs[0], written)
  t.ok(epochs.length <= 1002, `${epochs.length} epochs`)
  t.same((await follow(again)).map(({ entry }) => entry.documentId), ['a'])
})

t.test('stats: the size of the WAL, the file and the head', async t => {
  const log = openLog(t, newPath(t))
  await write(log, [put('a', 1), put('b', 1)])
  t.match(log.stats(), { head: 2, wal_bytes: Number, log_bytes: Number })
})

t.test(':memory: keeps everything in memory and nothing beside it', async t => {
  const log = openLog(t, ':memory:')
  await write(log, [put('a', 1)])
  await log.compact()
  t.equal((await read(log)).rows.length, 1)
  t.equal(log.supports.durable, false)
  t.notOk(existsSync(':memory:') || existsSync(':memory:.mark'))
})

t.test('programming errors are TypeErrors at construction', async t => {
  t.throws(() => new SqliteChangeLog(''), TypeError)
})

t.test('promise 3 (Once): a change is known while it stands and when others replaced it, and only what was sent is', async t => {
  const log = openLog(t, newPath(t))
  const told = (value: number, _rev?: string) => {
    const change = { document: JSON.stringify({ value, _rev }), timestamp: NOW + value }
    return { collection: 'todos', documentId: 'a', ...change, ...contentOf(change) }
  }
  const merged = { ...told(4), identity: told(5).identity, exact: false }
  const changes = [told(1), told(2, '2-b'), told(3), merged, told(6)]
  const known = async (): Promise<number[]> => (await log.heads([...changes, told(4), { ...told(1), documentId: 'b' }])).map(({ duplicateOf }) => duplicateOf)
  for (const [i, change] of changes.entries()) {
    await write(log, [change])
    t.strictSame(await known(), [1, 2, 3, 4, 5].map(sequence => sequence <= i + 1 ? sequence : 0).concat(0, 0))
  }
  await write(log, [told(7), remove('a'), told(8)])
  await write(log, [told(1)])
  t.strictSame(await known(), [1, 2, 3, 4, 5, 0, 0], 'under its first sequence')
  t.match(await log.heads([told(7), told(8)]), [{ duplicateOf: 6 }, { duplicateOf: 8 }], 'of one push')
})

for (const layout of [1, 2, 3, 4]) {
  t.test(`layout ${layout}: a log that an earlier build wrote is read the same by this one, and its pushes are known`, async t => {
    const path = newPath(t)
    const fixture = new URL(`../fixtures/log-v${layout}`, import.meta.url)
    writeFileSync(path, gunzipSync(readFileSync(new URL(`${fixture.href}.db.gz`))))
    const log = openLog(t, path)
    t.equal(await contentsOf(log), readFileSync(new URL(`${fixture.href}.json`), 'utf8'))
    for (const name of ['first', 'second', 'third']) {
      const other = newPush([], { key: digest(name), messageId: 'm-1', fingerprint: digest('other content') })
      t.match(await log.commit(other), { status: 'reused' })
    }
  })
}
