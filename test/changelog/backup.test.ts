import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { backupFile } from '../../src/changelog/sqlite/backup.ts'
import { openDatabase } from '../../src/changelog/sqlite/driver.ts'
import { restoreFile } from '../../src/changelog/sqlite/restore.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { newPush, put, write } from '../../src/conformance/changelog/harness.ts'
import { requireRoot } from '../support/programs.ts'
import { folder, smallDisk } from '../support/store-disk.ts'

function openLog (t: Test, path: string): SqliteChangeLog {
  const log = new SqliteChangeLog(path, { ballastBytes: 0 })
  t.teardown(() => log.close())
  return log
}

/** A log with so many documents, one entry each. */
async function newLog (t: Test, count = 3, size = 100): Promise<{ path: string, log: SqliteChangeLog }> {
  const path = join(folder(t), 'log.db')
  const log = openLog(t, path)
  await write(log, Array.from({ length: count }, (_, i) => put(`d${i}`, 'x'.repeat(size))))
  return { path, log }
}

async function headIn (path: string): Promise<number> {
  const log = new SqliteChangeLog(path, { ballastBytes: 0 })
  try {
    return await log.getCurrentSequence()
  } finally {
    await log.close()
  }
}

const PUSH = 3

/** Whole pushes from the first on, and nothing else. */
function prefixIn (t: Test, path: string): number {
  const database = openDatabase(path, { readonly: true })
  try {
    t.equal(database.pragma('integrity_check', { simple: true }), 'ok')
    const sequences = database.prepare('SELECT sequence FROM log ORDER BY sequence').pluck().all() as number[]
    t.ok(sequences.every((sequence, index) => sequence === index + 1), 'sequences without a gap')
    t.equal(sequences.length % PUSH, 0, 'no half push')
    t.equal(database.prepare('SELECT count(*) FROM heads').pluck().get(), sequences.length)
    t.equal(database.prepare('SELECT count(*) FROM pushes').pluck().get(), sequences.length / PUSH)
    return sequences.length
  } finally {
    database.close()
  }
}

type Make = (log: SqliteChangeLog, path: string, target: string) => Promise<unknown>
const ways: ReadonlyArray<readonly [string, Make]> = [
  ['its own log', (log, _, target) => log.backup(target)],
  ['a log that another connection writes', (_, path, target) => backupFile(path, target)]
]

for (const [name, make] of ways) {
  t.test(`promise 1 (Durable): a backup of ${name} taken under load holds whole pushes without a gap, everything answered before it among them`, async t => {
    const path = join(folder(t), 'log.db')
    const log = openLog(t, path)
    let number = 0
    const push = (): Promise<unknown> => {
      const first = number++
      return log.commit(newPush(Array.from({ length: PUSH }, (_, i) => put(`${first}-${i}`, 'x'.repeat(2000)))))
    }
    for (let i = 0; i < 1500; i++) await push()
    const before = await log.getCurrentSequence()
    const ended = new AbortController()
    const target = join(dirname(path), 'backup.db')
    const made = make(log, path, target).finally(() => ended.abort())
    while (!ended.signal.aborted) {
      await push()
      // As a second process would have it, the other connection gets its turns too.
      await new Promise(resolve => setImmediate(resolve))
    }
    await made
    const after = await log.getCurrentSequence()
    t.ok(after > before, `${after - before} entries were written meanwhile`)
    const held = prefixIn(t, target)
    t.ok(held >= before && held <= after, `${before} ≤ ${held} ≤ ${after}`)
    t.strictSame(readdirSync(dirname(path)).filter(name => name.includes('backup')), ['backup.db'], 'one file')
    await log.close()
    t.equal(await headIn(target), held, 'and it opens as a log')
  })
}

t.test('promise 9 (Clear): a backup never replaces what is there unless told to, and never a log', async t => {
  const { path, log } = await newLog(t)
  const target = join(dirname(path), 'backup.db')
  writeFileSync(target, 'mine')
  for (const make of [() => log.backup(target), () => backupFile(path, target)]) {
    await t.rejects(make(), { code: 'storage_unavailable', message: /backup\.db is there already: choose another name/ })
  }
  t.equal(readFileSync(target, 'utf8'), 'mine')
  await log.backup(target, { force: true })
  t.equal(prefixIn(t, target), 3)
  for (const own of [path, `${path}-wal`, `${path}.mark`, `${path}-lock`]) {
    await t.rejects(log.backup(own, { force: true }), { message: /is or belongs to a change log/ }, own)
  }
  const other = await newLog(t)
  await t.rejects(log.backup(other.path, { force: true }), { message: /is or belongs to a change log/ })
  writeFileSync(`${target}-wal`, 'of the file that was here')
  await t.rejects(log.backup(target, { force: true }), { message: /backup\.db-wal lies there/ })
  await t.rejects(log.backup(join(dirname(path), 'nowhere/backup.db')), { message: /the folder of .* is not there/ })
  await t.rejects(log.backup(''), TypeError)
  await t.rejects(backupFile(join(dirname(path), 'typo.db'), join(dirname(path), 'new.db')), { message: /typo\.db is empty or not there: name the log with --db/ })
  t.notOk(existsSync(join(dirname(path), 'typo.db')), 'and none is made')
})

t.test('a backup that is ended or fails leaves nothing behind, nor does the log mind', async t => {
  const { path, log } = await newLog(t, 3000, 1000)
  const before = readdirSync(dirname(path)).sort()
  const target = join(dirname(path), 'backup.db')
  const controller = new AbortController()
  const end = (): void => controller.abort(new Error('enough'))
  await t.rejects(log.backup(target, { signal: controller.signal, onProgress: end }), { message: 'enough' })
  await t.rejects(log.backup(target, { onProgress: () => { throw new Error('no') } }), { message: 'no' })
  t.strictSame(readdirSync(dirname(path)).sort(), before)
  t.ok(log.health().writable)
  const late = log.backup(target)
  await log.close()
  await t.rejects(late, { code: 'storage_unavailable', message: 'The change log is closed.' })
  t.notOk(existsSync(target))
})

t.test('a backup says how far it is, up to the end', async t => {
  const { path, log } = await newLog(t, 3000, 1000)
  const seen: number[] = []
  const { bytes } = await log.backup(`${path}.backup`, { onProgress: ({ copied, total }) => { seen.push(copied / total) } })
  t.ok(seen.length > 1 && seen.every((part, i) => part >= (seen[i - 1] ?? 0) && part <= 1))
  t.ok(bytes > 3e6)
})

t.test('what a killed backup left is removed by the next one to its name, one under way is let be', async t => {
  const { path, log } = await newLog(t)
  const abandoned = `${path}.backup.0123456789ab.partial`
  copyFileSync(path, abandoned)
  writeFileSync(`${abandoned}-journal`, '')
  const busy = `${path}.backup.ba9876543210.partial`
  const other = openDatabase(busy, {})
  other.exec('BEGIN EXCLUSIVE')
  await log.backup(`${path}.backup`)
  t.strictSame([abandoned, `${abandoned}-journal`, busy].map(name => existsSync(name)), [false, false, true])
  other.close()
})

t.test('promise 9 (Clear): a full disk ends a backup in clear words, and the log goes on', async t => {
  if (!requireRoot(t)) return
  const { log } = await newLog(t, 3000, 1000)
  const disk = smallDisk(t, '2m')
  await t.rejects(log.backup(join(disk, 'backup.db')), { code: 'storage_unavailable', message: /the disk of .*backup\.db is full, and no backup was kept/ })
  t.strictSame(readdirSync(disk), [])
  t.ok(log.health().writable)
  await t.resolves(write(log, [put('later', 1)]))
})

t.test('a log in memory can be saved too', async t => {
  const log = openLog(t, ':memory:')
  await write(log, [put('a', 1), put('b', 1), put('c', 1)])
  const target = join(folder(t), 'backup.db')
  await log.backup(target)
  t.equal(prefixIn(t, target), 3)
})

/** A closed log at 6, its backup at 3. */
async function backedUp (t: Test): Promise<{ path: string, target: string }> {
  const { path, log } = await newLog(t)
  const target = join(dirname(path), 'backup.db')
  await log.backup(target)
  await write(log, [put('d0', 'newer'), put('late', 1), put('later', 1)])
  await log.close()
  return { path, target }
}

t.test('restore: the log is the backup again, under a new epoch; the former one is kept aside, and can come back', async t => {
  const { path, target } = await backedUp(t)
  const restored = await restoreFile(path, target)
  t.match(restored, { head: 3, aside: /log\.db\.replaced-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z$/ })
  const log = openLog(t, path)
  t.equal(await log.getCurrentSequence(), 3)
  t.strictSame((await log.epochs()).map(({ first }) => first), [1, 4], 'what was written after the backup is another history')
  await log.close()
  t.match(await restoreFile(path, restored.aside!, { discard: true }), { head: 6, aside: null })
  t.equal(await headIn(path), 6)
  t.equal(readdirSync(dirname(path)).filter(name => name.includes('replaced')).length, 1)
  t.ok(existsSync(target), 'the backup stays')
})

t.test('restore: where no log was yet', async t => {
  const { target } = await backedUp(t)
  const path = join(folder(t), 'fresh.db')
  t.match(await restoreFile(path, target), { path, head: 3, aside: null })
  t.ok(existsSync(`${path}.mark`))
  t.equal(await headIn(path), 3)
})

t.test('promise 9 (Clear): a restore refuses a log in use and what is no whole backup, and leaves the log as it was', async t => {
  const { path, target } = await backedUp(t)
  const home = dirname(path)
  const damaged = join(home, 'damaged.db')
  const content = readFileSync(target)
  content.fill(0xff, 5 * 4096, 9 * 4096)
  writeFileSync(damaged, content)
  const foreign = join(home, 'foreign.db')
  const other = openDatabase(foreign, {})
  other.exec('CREATE TABLE mine (a)')
  other.close()
  writeFileSync(join(home, 'letter.txt'), 'no database at all\n'.repeat(100))
  writeFileSync(join(home, 'empty.db'), '')
  mkdirSync(join(home, 'folder.db'))
  const cases: Array<[string, RegExp]> = [
    ['damaged.db', /damaged/], ['foreign.db', /another program/], ['letter.txt', /cannot be restored \(SQLITE_NOTADB\).*the log is as it was/], ['empty.db', /empty or no file/],
    ['folder.db', /empty or no file/], ['nowhere.db', /is not there/], [basename(path), /is the log itself/]
  ]
  const before = readdirSync(home).sort()
  for (const [name, message] of cases) await t.rejects(restoreFile(path, join(home, name)), { code: 'storage_unavailable', message }, name)
  t.strictSame(readdirSync(home).sort(), before)
  const log = openLog(t, path)
  await log.open()
  await t.rejects(restoreFile(path, target), { message: /already open for writing in this process/ })
  const second = await newLog(t)
  await t.rejects(restoreFile(join(home, 'fresh.db'), second.path), { message: /is being served: make a backup of it/ })
  t.equal(await log.getCurrentSequence(), 6)
  await t.rejects(restoreFile(foreign, target, { discard: true }), { message: /is no change log, so it will not be discarded/ })
})

/** As a kill leaves them: the files beside each other, by suffix. */
const cuts: ReadonlyArray<readonly [string, (path: string, target: string) => void, number]> = [
  ['while the backup is copied', (path, target) => { copyFileSync(target, `${path}.restoring`) }, 6],
  ['when it was decided', (path, target) => { copyFileSync(target, `${path}.restored`) }, 3],
  ['when the WAL is aside', (path, target) => { copyFileSync(target, `${path}.restored`); rmSync(`${path}-wal`) }, 3],
  ['when the old log is aside', (path, target) => { copyFileSync(target, `${path}.restored`); rmSync(`${path}-wal`); renameSync(path, `${path}.aside`) }, 3]
]

for (const [when, cut, head] of cuts) {
  t.test(`promise 1 (Durable): a restore that is cut ${when} leaves the ${head === 3 ? 'new' : 'old'} log, whole`, async t => {
    const { path, log } = await newLog(t)
    const target = join(dirname(path), 'backup.db')
    await log.backup(target)
    await write(log, [put('d0', 'newer'), put('late', 1), put('later', 1)])
    // Killed before: what was written last is in the WAL alone.
    const killed = join(folder(t), 'log.db')
    for (const suffix of ['', '-wal', '.mark']) copyFileSync(path + suffix, killed + suffix)
    cut(killed, target)
    t.equal(await headIn(killed), head)
    const after = openDatabase(killed, {})
    t.equal(after.pragma('integrity_check', { simple: true }), 'ok')
    after.close()
    t.match(await restoreFile(killed, target), { head: 3 }, 'and the restore can be run again')
    t.notOk(existsSync(`${killed}.restoring`))
  })
}
