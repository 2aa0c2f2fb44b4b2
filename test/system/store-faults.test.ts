import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { requirePowerCut, requireProgram, strace } from '../support/programs.ts'
import { Acknowledged, count, judge, startChild, startWriter } from '../support/store-child.ts'
import { folder, poweredDisk } from '../support/store-disk.ts'
import { pushOf } from '../support/store-pushes.ts'

const KILLS = Number(process.env['POCKET_KILLS'] ?? 20)
const TASKS = 6
const START = Array.from({ length: TASKS }, () => 0)

t.test(`promise 1 (Durable) and 3 (Once): ${KILLS} times kill -9 at random loses nothing that was answered and doubles nothing`, async t => {
  const path = join(folder(t), 'log.db')
  const acknowledged = new Acknowledged()
  for (let kill = 0; kill < KILLS; kill++) {
    const child = startWriter(t, path, { from: acknowledged.next(TASKS) })
    await child.until(lines => count(lines, 'ack') > 0)
    await sleep(Math.random() * 150)
    await child.kill()
    acknowledged.add(child.lines)
    t.equal(count(child.lines, 'fail'), 0, 'a log that was killed opens and goes on')
  }
  t.ok(await judge(t, path, acknowledged) >= acknowledged.first.size)
})

/** @returns how many answered documents the power cut took */
async function cutPower (t: Test, synchronous: 'full' | 'normal'): Promise<number> {
  const disk = poweredDisk(t)
  const path = join(disk.path, 'log.db')
  // Slow enough that no checkpoint comes before the cut: it would sync what `normal` has not.
  const child = startWriter(t, path, { from: START, log: { synchronous }, rest: 10 })
  await child.until(lines => count(lines, 'ack') > 100)
  await child.freeze()
  disk.cut()
  await child.kill()
  disk.powerUp()
  const acknowledged = new Acknowledged()
  acknowledged.add(child.lines)
  rmSync(`${path}.mark`, { force: true })
  const log = new SqliteChangeLog(path)
  const missing = await acknowledged.missing(log).finally(() => log.close())
  return missing.length
}

t.test('promise 1 (Durable): a power cut loses nothing that was answered', async t => {
  if (!requirePowerCut(t)) return
  t.equal(await cutPower(t, 'full'), 0)
})

t.test('synchronous normal, as its option says, loses what was answered when the power goes', async t => {
  if (!requirePowerCut(t)) return
  t.ok(await cutPower(t, 'normal') > 0, 'this test can tell a lost push from a kept one')
})

t.test('promise 1 (Durable): an I/O error at the disk is told as storage_unavailable, then the log goes on and has lost nothing', async t => {
  if (!requireProgram(t, 'strace', 'apt-get install strace')) return
  const path = join(folder(t), 'log.db')
  const child = startWriter(t, path, { from: START }, strace('error=EIO:when=40..42'))
  await child.until(lines => {
    const failed = lines.findLastIndex(([word]) => word === 'fail')
    return failed >= 0 && count(lines.slice(failed), 'ack') > 50
  })
  await child.kill()
  const failures = child.lines.filter(([word]) => word === 'fail')
  t.ok(failures.every(([, , , code]) => code === 'storage_unavailable'), 'every failure is storage_unavailable')
  const acknowledged = new Acknowledged()
  acknowledged.add(child.lines)
  await judge(t, path, acknowledged)
})

t.test('one writer per file: a second process is refused by name, and kill -9 frees the lock', async t => {
  const path = join(folder(t), 'log.db')
  const child = startWriter(t, path, { from: [0] })
  await child.until(lines => count(lines, 'ack') > 0)
  const pid = child.lines.find(([word]) => word === 'pid')![1]
  const log = new SqliteChangeLog(path)
  await t.rejects(log.open(), { code: 'storage_unavailable', message: `already open for writing by process ${pid}: one process per file` })
  await child.kill()
  await log.open()
  await log.close()
})

t.test('migrations: kill -9 in the middle of one leaves the file at a whole step', async t => {
  const path = join(folder(t), 'log.db')
  const log = new SqliteChangeLog(path)
  await log.commit(pushOf(0, 0))
  await log.close()
  const child = startChild(t, 'store-migration.ts', [path])
  const [, signal] = await new Promise<[number | null, string | null]>(resolve => child.process.on('exit', (...how) => resolve(how)))
  t.equal(signal, 'SIGKILL')
  t.ok(statSync(`${path}-wal`).size > 0, 'it was in the middle')
  const acknowledged = new Acknowledged()
  acknowledged.first.set('0 0', 1)
  await judge(t, path, acknowledged)
})
