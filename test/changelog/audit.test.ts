import fc from 'fast-check'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { Seal } from '../../src/changelog/audit.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { openDatabase, type Database } from '../../src/changelog/sqlite/driver.ts'
import { restoreFile } from '../../src/changelog/sqlite/restore.ts'
import { openView } from '../../src/changelog/sqlite/view.ts'
import type { Proof } from '../../src/changelog/view.ts'
import { newPush, NOW, put, remove, write } from '../../src/conformance/changelog/harness.ts'
import { FACTS, forge, rewrite, tamper, tampering, type Tampering } from '../support/tamper.ts'

const WHO = { userId: 'ann', clientId: 'phone', address: '192.0.2.7' }
const all = { historyBefore: Infinity, tombstonesBefore: Infinity, pushesBefore: Infinity, journalBefore: Infinity }

function newPath (t: Test): string {
  const home = mkdtempSync(join(tmpdir(), 'pocket-log-'))
  t.teardown(() => rmSync(home, { recursive: true }))
  return join(home, 'log.db')
}

function openLog (t: Test, path: string): SqliteChangeLog {
  const log = new SqliteChangeLog(path, { synchronous: 'normal', ballastBytes: 0 })
  t.teardown(() => log.close())
  return log
}

function proofOf (path: string, expected: string | null = null): Proof {
  const view = openView(path)
  try {
    const proving = view.prove(expected)
    for (let step = proving.next(); ; step = proving.next()) if (step.done === true) return step.value
  } finally {
    view.close()
  }
}

function spoil (path: string, work: (database: Database) => void): void {
  const database = openDatabase(path, {})
  work(database)
  database.close()
}

async function erase (log: SqliteChangeLog, documentId: string): Promise<void> {
  const key = { collection: 'todos', documentId }
  const [answer] = await log.heads([key])
  if (answer?.head != null && answer.head.operation !== 'delete') await write(log, [remove(documentId)])
  await log.erase([key])
}

/** Blocks of some entries each: two as they were, one with entries dropped, one with a name forgotten. */
async function makeLog (t: Test): Promise<string> {
  const path = newPath(t)
  const log = openLog(t, path)
  for (let n = 0; n < 4; n++) {
    await write(log, ['a', 'b', `c${n}`, 'd'].map(id => put(id, n)), { ...WHO, ...n === 1 && { userId: 'bob' } })
    await write(log, [put('x', n, { collection: 'notes', rev: `${n}-x` })])
    if (n === 1) await log.compact({ historyBefore: Infinity })
    await log.seal()
  }
  await log.append({ id: 'own-id', sequence: 0, collection: 'todos', documentId: 'own', operation: 'insert', document: '{}', data: '{}', timestamp: NOW })
  await erase(log, 'c1')
  await log.forgetWriter({ collection: 'todos', documentId: 'a' }, 'ann')
  await log.close()
  return path
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), documents: fc.array(fc.nat(5), { minLength: 1, maxLength: 6 }), user: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), document: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('seal' as const), waits: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('compact' as const), tombstones: fc.boolean(), age: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('erase' as const), document: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), document: fc.nat(5), user: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'clear' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restore' as const }) }
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

async function take (log: SqliteChangeLog, action: Step, time: number): Promise<void> {
  const key = 'document' in action ? { collection: 'todos', documentId: `${action.document}` } : null
  if (action.do === 'write') await write(log, action.documents.map((id, i) => put(`${id}`, [time, i])), { userId: `user ${action.user}`, serverTimestamp: time })
  if (action.do === 'seal') await log.seal(action.waits ? time : Infinity)
  if (action.do === 'compact') await log.compact({ historyBefore: time - action.age, ...action.tombstones && { tombstonesBefore: time - action.age } })
  if (action.do === 'erase') await erase(log, key!.documentId)
  if (action.do === 'forget') await log.forgetWriter(key!, `user ${action.user}`)
  if (action.do === 'clear') await log.clear()
  if (action.do !== 'delete') return
  const [answer] = await log.heads([key!])
  if (answer?.head != null && answer.head.operation !== 'delete') await write(log, [remove(key!.documentId)], { serverTimestamp: time })
}

t.test('audit: whatever is compacted, erased, cleared or restored, the chain proves what is left', async t => {
  const folder = t.testdir()
  let runs = 0
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }), async steps => {
    const path = join(folder, `${runs++}.db`)
    let log = openLog(t, path)
    await log.open()
    const anchors: Seal[] = []
    log.onSeal(seal => anchors.push(seal))
    for (const [index, action] of steps.entries()) {
      await take(log, action, NOW + index)
      if (action.do === 'restore') {
        await log.backup(`${path}.bak`)
        await write(log, [put('lost', index)])
        await log.close()
        await restoreFile(path, `${path}.bak`, { discard: true })
        rmSync(`${path}.bak`)
        log = openLog(t, path)
        await log.open()
        log.onSeal(seal => anchors.push(seal))
      }
      const { broken, entries, unsealed } = proofOf(path)
      const there = (await log.getSince(0, 1000)).length
      if (broken !== null || entries + unsealed !== there) throw new Error(`${JSON.stringify(broken)} after ${action.do}: ${entries} + ${unsealed} of ${there}`)
    }
    await log.close()
    for (const { hash } of anchors) if (proofOf(path, hash).broken !== null) throw new Error('an anchor is not met')
  }), {
    numRuns: 40,
    examples: [[[{ do: 'write', documents: [0, 1, 0, 2, 0], user: 0 }, { do: 'compact', tombstones: false, age: 0 }, { do: 'write', documents: [0], user: 1 }, { do: 'erase', document: 0 }, { do: 'clear' }, { do: 'write', documents: [3], user: 0 }, { do: 'seal', waits: false }]]]
  })
})

/** Some of the entries have none any more. */
const everyName = Array.from({ length: 25 }, (_, at): [Tampering] => [{ do: 'alter', fact: 'userId', at, bit: 1 }])

t.test('audit: no fact of a sealed entry, no entry and no block can be changed without being found', async t => {
  const path = await makeLog(t)
  t.match(proofOf(path), { broken: null, unsealed: 0, newest: { block: 5 } })
  const copy = `${path}.copy`
  let tried = 0
  fc.assert(fc.property(tampering, how => {
    copyFileSync(path, copy)
    let done = false
    spoil(copy, database => { done = tamper(database, how) })
    if (!done) return
    tried++
    if (proofOf(copy).broken === null) throw new Error(`not found: ${JSON.stringify(how)}`)
  }), { numRuns: 300, examples: [...FACTS.map((fact): [Tampering] => [{ do: 'alter', fact, at: 6, bit: 1 }]), ...everyName] })
  t.ok(tried > 200, `${tried} tamperings`)
})

t.test('audit: a break names its block and, where one can be named, its entry', async t => {
  const path = await makeLog(t)
  const copy = `${path}.copy`
  for (const [sql, found] of [
    ['DELETE FROM log WHERE sequence = 12', { block: 3, sequence: 12, problem: 'entry 12 is missing' }],
    ["UPDATE log SET user_id = 'eve' WHERE sequence = 13", { block: 3, sequence: 13, problem: 'entry 13 is not what was written' }],
    ['DELETE FROM blocks WHERE number = 2', { block: 2, sequence: null, problem: 'it is missing: the next one is 3' }],
    ['DELETE FROM blocks WHERE number > 4', { block: 5, sequence: null, problem: 'the newest blocks are missing: 5 were sealed' }],
    ['UPDATE blocks SET sealed = 5 WHERE number = 2', { block: 2, sequence: null, problem: 'its own facts do not give its hash' }]
  ] as Array<[string, object]>) {
    copyFileSync(path, copy)
    spoil(copy, database => { database.exec(sql) })
    t.match(proofOf(copy).broken, found, sql)
  }
})

t.test('audit: a block that was forged is found by the next one, and a suffix forged whole by a hash that was written down before', async t => {
  const path = await makeLog(t)
  const { hash } = proofOf(path).newest!
  spoil(path, database => {
    rewrite(database, 7, 'eve')
    forge(database, 2)
  })
  t.match(proofOf(path).broken, { block: 3, problem: 'it does not name the hash of the block before' })
  spoil(path, database => { forge(database) })
  t.equal(proofOf(path).broken, null, 'it holds together')
  t.match(proofOf(path, hash).broken, { block: null, problem: /does not lead through the hash/ })
})

t.test('promise 7 (Isolated): entries are sealed in steps between which others write, in blocks that take little room', async t => {
  const path = newPath(t)
  const log = openLog(t, path)
  for (let i = 0; i < 20; i++) await write(log, Array.from({ length: 1000 }, (_, n) => put(`${n}`, i, { expected: i === 0 ? 0 : (i - 1) * 1000 + n + 1 })), { ...WHO, serverTimestamp: NOW + i })
  const sealing = log.seal().then(() => true)
  let commits = 0
  for (let done = false; !done; commits++) {
    await write(log, [put('other', commits)], { serverTimestamp: NOW + 20 })
    done = await Promise.race([sealing, new Promise<false>(resolve => setImmediate(() => resolve(false)))])
  }
  t.ok(commits > 3, `${commits} commits meanwhile`)
  await log.seal()
  t.match(proofOf(path), { entries: 20_000 + commits, unsealed: 0, broken: null })
  const size = (): number => treeBytes(path)
  t.ok(size() < 2000, `${size()} bytes of trees of untouched blocks`)
  await log.compact({ historyBefore: NOW + 10 })
  t.match(proofOf(path), { entries: 11_000 + commits, dropped: 9000, broken: null })
  t.ok(size() < 4000, `${size()} bytes after 9,000 of them were dropped`)
})

t.test('layout 3: a chain that an earlier build wrote is proven by this one', async t => {
  const path = newPath(t)
  writeFileSync(path, gunzipSync(readFileSync(new URL('../fixtures/log-v3.db.gz', import.meta.url))))
  const [anchor] = readFileSync(new URL('../fixtures/log-v3.anchor', import.meta.url), 'utf8').split('\n')
  t.match(proofOf(path, anchor), { entries: 7, dropped: 1, unnamed: 1, unsealed: 0, broken: null })
})

function treeBytes (path: string): number {
  const database = openDatabase(path, { readonly: true })
  try {
    return database.prepare('SELECT sum(octet_length(tree)) FROM blocks').pluck().get() as number
  } finally {
    database.close()
  }
}

t.test('erase: nothing of a document is left in the file, and the chain proves the rest', async t => {
  const path = newPath(t)
  const log = openLog(t, path)
  const canary = 'canary-4711'
  const journal = [{ collection: 'todos', documentId: 'secret', status: 'rejected' as const, code: 'invalid_document', raw: `{"note":"${canary}"}` }]
  await log.commit(newPush([put('before', 1)], { journal, outcome: `[["r",{"detail":"${canary}"}]]`, messageId: 'm-1' }))
  for (let i = 0; i < 30; i++) await write(log, [put('secret', `${canary} ${i}`.repeat(1 + (i % 3) * 2000)), put(`beside${i}`, 'x'.repeat(i * 50))], WHO)
  await write(log, [put('secret', canary), put('kept', 1)])
  await log.seal()
  await write(log, [remove('secret')])
  t.strictSame(await log.erase([{ collection: 'todos', documentId: 'secret' }], { rewrite: true }), { versions: 31, journal: 1, walEmptied: true })
  for (const suffix of ['', '-wal']) t.notOk(readFileSync(path + suffix).includes(canary), `log.db${suffix}`)
  t.match(await log.history({ collection: 'todos', documentId: 'secret' }), [{ operation: 'delete' }])
  t.strictSame(await log.journal({ collection: 'todos', documentId: 'secret' }), [])
  t.match(proofOf(path), { dropped: 31, broken: null })
  t.strictSame(await log.erase([{ collection: 'todos', documentId: 'kept' }, { collection: 'nowhere', documentId: 'x' }]), { versions: 0, journal: 0, walEmptied: true }, 'what lives, and what never was')
  await log.compact(all)
  t.equal(proofOf(path).broken, null)
})
