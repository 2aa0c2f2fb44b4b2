import { copyFileSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openDatabase } from '../../src/changelog/sqlite/driver.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { follow, put, write } from '../../src/conformance/changelog/harness.ts'
import { folder } from '../support/store-disk.ts'

/** A log at 6 that is open, beside a copy of it at 3. */
async function openLog (t: Test): Promise<{ path: string, older: string, log: SqliteChangeLog }> {
  const path = join(folder(t), 'log.db')
  const older = join(dirname(path), 'older.db')
  const log = new SqliteChangeLog(path, { ballastBytes: 0 })
  t.teardown(() => log.close())
  await write(log, ['a', 'b', 'c'].map(id => put(id, 1)))
  await log.backup(older)
  await write(log, ['d', 'e', 'f'].map(id => put(id, 1)))
  return { path, older, log }
}

async function noticed (log: SqliteChangeLog): Promise<void> {
  while (log.health().writable) await sleep(20)
}

const ways: ReadonlyArray<readonly [string, (path: string, older: string) => void, number]> = [
  ['replaced', (path, older) => { renameSync(older, path) }, 3],
  ['removed', path => { rmSync(path) }, 0]
]

for (const [how, harm, head] of ways) {
  t.test(`promise 9 (Clear): a file that is ${how} under a running server is noticed: nothing is written, all is still read and can be saved`, async t => {
    const { path, older, log } = await openLog(t)
    harm(path, older)
    await noticed(log)
    t.match(log.health(), { writable: false, detail: new RegExp(`was ${how} while the server had it open.*backup\\(\\)`) })
    await t.rejects(write(log, [put('g', 1)]), { code: 'storage_unavailable' })
    await t.rejects(log.clear(), { code: 'storage_unavailable' })
    t.equal((await follow(log)).length, 6)
    const saved = join(dirname(path), 'saved.db')
    await log.backup(saved)
    await log.close()
    t.notOk(existsSync(`${path}-wal`), 'its WAL is no part of what lies there now')
    if (head === 0) await t.rejects(new SqliteChangeLog(path).open(), { message: /is empty or gone/ })
    for (const [file, count] of [[path, head], [saved, 6]] as const) {
      if (count === 0) continue
      const database = openDatabase(file, {})
      t.equal(database.pragma('integrity_check', { simple: true }), 'ok')
      database.close()
      const next = new SqliteChangeLog(file, { ballastBytes: 0 })
      t.equal((await follow(next)).length, count)
      await next.close()
    }
  })
}

t.test('promise 4 (Safe checkpoints): an older copy put there while the server was stopped is another history from where it ends', async t => {
  const { path, older, log } = await openLog(t)
  const [first] = await log.epochs()
  await log.close()
  copyFileSync(older, path)
  const next = new SqliteChangeLog(path, { ballastBytes: 0 })
  t.teardown(() => next.close())
  t.match(await next.epochs(), [{ id: first!.id, first: 1 }, { first: 4 }])
  t.notOk(readdirSync(dirname(path)).some(name => name.startsWith(`${basename(path)}-wal.`)))
})
