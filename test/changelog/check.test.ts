import t from 'tap'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { openDatabase, type Database } from '../../src/changelog/sqlite/driver.ts'
import { openView } from '../../src/changelog/sqlite/view.ts'
import type { Finding } from '../../src/changelog/view.ts'
import { newPush, put, remove, type Change } from '../../src/conformance/changelog/harness.ts'

/** Documents a (three versions), b (two, deleted) and c, which is filed under a channel. */
const versions: readonly Change[] = [
  put('a', 1), put('b', 1), put('c', 1, { channels: ['red'] }),
  put('a', 2, { expected: 1 }), remove('b', { expected: 2 }), put('a', 3, { expected: 4 })
]

async function makeLog (folder: string): Promise<string> {
  const path = join(folder, 'pocket.db')
  const store = new SqliteChangeLog(path, { ballastBytes: 0 })
  for (const change of versions) t.equal((await store.commit(newPush([change]))).status, 'committed')
  await store.close()
  return path
}

function findings (path: string): Finding[] {
  const view = openView(path)
  try {
    return [...view.check()].filter((step): step is Finding => !('done' in step))
  } finally {
    view.close()
  }
}

function spoil (path: string, work: (database: Database) => void): void {
  const database = openDatabase(path, {})
  work(database)
  database.close()
}

t.test('check: a whole log has no findings, also after compaction', async (t) => {
  const path = await makeLog(t.testdir())
  t.strictSame(findings(path), [])
  const store = new SqliteChangeLog(path, { ballastBytes: 0 })
  await store.compact()
  t.strictSame(findings(path), [], 'while the store has the file open')
  await store.compact({ historyBefore: Infinity, tombstonesBefore: Infinity })
  await store.clear()
  await store.close()
  t.strictSame(findings(path), [])
})

const damages: ReadonlyArray<readonly [what: string, sql: string, found: Readonly<Partial<Record<keyof Finding, unknown>>>]> = [
  ['a document that is not what was written', "UPDATE log SET document = '{}' WHERE sequence = 6", { about: 'entry', sequence: 6, collection: 'todos', documentId: 'a' }],
  ['facts that are not what was written', "UPDATE log SET user_id = 'eve' WHERE sequence = 1", { about: 'entry', sequence: 1, documentId: 'a' }],
  ['a collection without a name', "UPDATE collections SET id = 77 WHERE name = 'todos'", { about: 'entry', sequence: 6, collection: null }],
  ['a head whose entry is gone', 'DELETE FROM log WHERE sequence = 3', { about: 'head', sequence: 3, documentId: 'c', problem: /is gone/ }],
  ['a head that is an older entry', "UPDATE heads SET sequence = 4 WHERE document_id = 'a'", { about: 'head', sequence: 6, documentId: 'a' }],
  ['a head of another document', "UPDATE heads SET sequence = 3 WHERE document_id = 'a'", { about: 'head', sequence: 3, documentId: 'a' }],
  ['a head that says deleted', "UPDATE heads SET deleted = 1 WHERE document_id = 'a'", { about: 'head', sequence: 6, documentId: 'a' }],
  ['a document without a head', "DELETE FROM heads WHERE document_id = 'c'", { about: 'head', sequence: 3, documentId: 'c' }],
  ['a broken chain', 'DELETE FROM log WHERE sequence = 4', { about: 'chain', sequence: 1, documentId: 'a' }],
  ['a chain that goes up', 'UPDATE log SET previous = 5 WHERE sequence = 4', { about: 'chain', sequence: 4, documentId: 'a' }],
  ['a chain into another document', 'UPDATE log SET previous = 2 WHERE sequence = 4', { about: 'chain', sequence: 4, documentId: 'a' }],
  ['a counter behind the newest entry', "UPDATE sqlite_sequence SET seq = 5 WHERE name = 'log'", { about: 'sequence', sequence: 6 }],
  ['no counter', "DELETE FROM sqlite_sequence WHERE name = 'log'", { about: 'sequence', sequence: 6 }],
  ['epochs out of order', "INSERT INTO epochs (id, first, started) VALUES ('second', 5, 0), ('third', 3, 0)", { about: 'epoch', sequence: 3 }],
  ['an epoch ahead of the log', "INSERT INTO epochs (id, first, started) VALUES ('second', 99, 0)", { about: 'epoch', sequence: 99 }],
  ['no epoch', 'DELETE FROM epochs', { about: 'epoch' }],
  ['a horizon ahead of the log', "UPDATE meta SET value = 99 WHERE key = 'horizon'", { about: 'horizon', sequence: 99 }],
  ['no secret', "DELETE FROM meta WHERE key = 'secret'", { about: 'meta' }],
  ['a channel row of no document', "INSERT INTO channels SELECT collection, 'nobody', 'red', 3, 1 FROM heads LIMIT 1", { about: 'channel', documentId: 'nobody' }],
  ['a channel row beyond its document', "UPDATE channels SET position = 5 WHERE document_id = 'c'", { about: 'channel', sequence: 5, documentId: 'c' }],
  ['a deleted document in a channel', "INSERT INTO channels SELECT collection, document_id, 'red', 5, 1 FROM heads WHERE document_id = 'b'", { about: 'channel', sequence: 5, documentId: 'b' }],
  ['an identity of a sequence to come', "UPDATE identities SET sequence = 99 WHERE document_id = 'c'", { about: 'identity', sequence: 99, documentId: 'c' }],
  ['a push record of a sequence to come', 'UPDATE pushes SET first = 99 WHERE first = 3', { about: 'push', sequence: 99 }],
  ['a journal row of no known kind', "INSERT INTO journal (collection, document_id, status, code, raw, message_id, server_timestamp) VALUES ('todos', 'c', 'odd', '', '', '', 0)", { about: 'journal', documentId: 'c' }]
]

t.test('promise 9 (Clear): check finds each kind of planted damage, and says where it is and what to do', async (t) => {
  const whole = readFileSync(await makeLog(t.testdir()))
  for (const [what, sql, expected] of damages) {
    const path = join(t.testdir(), 'pocket.db')
    writeFileSync(path, whole)
    spoil(path, database => { database.exec(sql) })
    const found = findings(path)
    t.match(found.find(({ about, sequence }) => about === expected.about && sequence === (expected.sequence ?? sequence)) ?? found, expected, what)
    for (const { problem, advice } of found) t.ok(problem !== '' && advice !== '', `${what}: ${problem}`)
  }
})

t.test('check: an index that has lost a row, and a page that cannot be read, are findings of the file', async (t) => {
  const path = await makeLog(t.testdir())
  spoil(path, database => {
    database.unsafeMode()
    database.pragma('writable_schema = ON')
    database.exec("UPDATE sqlite_schema SET sql = replace(sql, 'WHERE deleted = 1', 'WHERE deleted = 0') WHERE name = 'heads_tombstones'")
  })
  t.match(findings(path), [{ about: 'file', problem: /index heads_tombstones/ }])

  const torn = join(t.testdir(), 'torn.db')
  const bytes = readFileSync(await makeLog(t.testdir()))
  bytes.fill(0xff, 4096 * 3)
  writeFileSync(torn, bytes)
  t.ok(findings(torn).some(({ about }) => about === 'file'))
})

t.test('check: what is written or compacted meanwhile is no damage', async (t) => {
  for (const compacting of [false, true]) {
    const path = await makeLog(t.testdir())
    const store = new SqliteChangeLog(path, { ballastBytes: 0 })
    const head = { a: 6, b: 5, c: 3 }
    const view = openView(path)
    const found: Finding[] = []
    let next = await store.getCurrentSequence() + 1
    for (const step of view.check()) {
      if (!('done' in step)) found.push(step)
      for (const documentId of ['a', 'b', 'c'] as const) {
        t.match(await store.commit(newPush([put(documentId, next, { expected: head[documentId] })])), { first: next })
        head[documentId] = next++
      }
      if (compacting) await store.compact()
    }
    view.close()
    await store.close()
    t.strictSame(found, [])
    t.strictSame(findings(path), [])
  }
})
