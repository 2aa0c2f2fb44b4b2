import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { connect } from '../../src/changelog/sqlite/connection.ts'
import { openDatabase } from '../../src/changelog/sqlite/driver.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { requirePowerCut, requireProgram, requireRoot, run, strace } from '../support/programs.ts'
import { Acknowledged, count, judge, startWriter } from '../support/store-child.ts'
import { poweredDisk, smallDisk } from '../support/store-disk.ts'
import { pushOf } from '../support/store-pushes.ts'

const TASKS = 6
const START = Array.from({ length: TASKS }, () => 0)
const ALL = { after: 0, collections: null, limit: 100_000, bytes: Infinity }

t.test('promise 2 (Ordered): nobody reads an entry before its commit is durable, however slow the disk', async t => {
  if (!requirePowerCut(t) || !requireProgram(t, 'strace', 'apt-get install strace')) return
  const disk = poweredDisk(t)
  const path = join(disk.path, 'log.db')
  const child = startWriter(t, path, { from: START }, strace('delay_enter=50000'))
  await child.until(lines => count(lines, 'ack') > 0)
  const other = openDatabase(path, { readonly: true })
  const newest = other.prepare('SELECT max(sequence) FROM log').pluck()
  let seen = 0
  for (let look = 0; look < 200; look++) {
    await sleep(2)
    seen = newest.get() as number
  }
  await child.freeze()
  disk.cut()
  other.close()
  await child.kill()
  disk.powerUp()
  const acknowledged = new Acknowledged()
  acknowledged.add(child.lines)
  t.ok(seen > 0)
  t.ok(await judge(t, path, acknowledged) >= seen, 'what another process saw is still there')
})

/** Leaves not a byte free. */
function fill (disk: string): string {
  const filler = join(disk, 'filler')
  try { run('dd', 'if=/dev/zero', `of=${filler}`, 'bs=4096') } catch {}
  return filler
}

async function pushUntilRefused (t: Test, log: SqliteChangeLog, acknowledged: Acknowledged, from: number): Promise<number> {
  for (let number = from; ; number++) {
    try {
      const result = await log.commit(pushOf(0, number))
      if (result.status === 'committed') acknowledged.first.set(`0 ${number}`, result.first)
    } catch (error) {
      t.match(error, { code: 'storage_unavailable', message: /the disk is (nearly )?full/ })
      return number
    }
  }
}

async function recovered (log: SqliteChangeLog): Promise<void> {
  while (!log.health().writable) await sleep(50)
}

t.test('promise 9 (Clear): on a full disk pushes are refused, reads go on, and writing comes back with the space', async t => {
  if (!requireRoot(t)) return
  const disk = smallDisk(t, '4m')
  const path = join(disk, 'log.db')
  const acknowledged = new Acknowledged()
  let log = new SqliteChangeLog(path, { reserveBytes: 0, ballastBytes: 512 * 1024 })
  await pushUntilRefusedAfter(50)
  t.match(log.health(), { writable: false, detail: /the disk is full/ })
  t.ok((await log.read(ALL)).rows.length > 0, 'reads go on')

  await log.close()
  fill(disk)
  t.throws(() => connect(path, { synchronous: 'full' }), { code: 'SQLITE_FULL' }, 'a start needs room')
  log = new SqliteChangeLog(path, { reserveBytes: 0, ballastBytes: 512 * 1024 })
  await log.open()
  t.match(log.health(), { writable: true }, 'the ballast makes it')
  t.strictSame(await acknowledged.missing(log), [], 'a restart on the full disk has everything')
  fill(disk)
  const refused = await pushUntilRefused(t, log, acknowledged, next())
  t.strictSame(await acknowledged.missing(log), [])

  rmSync(join(disk, 'filler'))
  await recovered(log)
  t.match(await log.commit(pushOf(0, refused)), { status: /committed|seen/ }, 'the refused push goes through')
  t.strictSame(await acknowledged.missing(log), [])
  t.ok(existsSync(`${path}.ballast`), 'the ballast is back')
  await log.close()
  await judge(t, path, acknowledged)

  function next (): number {
    return acknowledged.next(1)[0]!
  }
  async function pushUntilRefusedAfter (pushes: number): Promise<void> {
    for (let number = 0; number < pushes; number++) {
      const result = await log.commit(pushOf(0, number))
      if (result.status === 'committed') acknowledged.first.set(`0 ${number}`, result.first)
    }
    fill(disk)
    await pushUntilRefused(t, log, acknowledged, pushes)
  }
})

t.test('promise 9 (Clear): pushes stop while there is still room to start again', async t => {
  if (!requireRoot(t)) return
  const disk = smallDisk(t, '8m')
  const log = new SqliteChangeLog(join(disk, 'log.db'), { reserveBytes: 2 * 2 ** 20, ballastBytes: 0 })
  t.match(await log.commit(pushOf(0, 0)), { status: 'committed' })
  const filler = join(disk, 'filler')
  writeFileSync(filler, Buffer.alloc(6 * 2 ** 20))
  await sleep(300)
  await t.rejects(log.commit(pushOf(0, 1)), { code: 'storage_unavailable', message: /nearly full/ })
  t.ok((await log.read(ALL)).rows.length > 0, 'reads go on')
  rmSync(filler)
  await recovered(log)
  t.match(await log.commit(pushOf(0, 1)), { status: 'committed' })
  await log.close()
})

for (const killed of [false, true]) {
  t.test(`promise 9 (Clear): a read-only folder is served for reading${killed ? ', also after kill -9' : ''}, and for writing when it can be`, async t => {
    if (!requireRoot(t)) return
    const disk = smallDisk(t, '16m')
    const path = join(disk, 'log.db')
    const child = startWriter(t, path, { from: START })
    await child.until(lines => count(lines, 'ack') > 20)
    await child.kill()
    if (!killed) await judge(t, path, new Acknowledged())
    run('mount', '-o', 'remount,ro', disk)
    const acknowledged = new Acknowledged()
    acknowledged.add(child.lines)
    const log = new SqliteChangeLog(path, { reserveBytes: 0 })
    t.strictSame(await acknowledged.missing(log), [], 'everything can be read')
    await t.rejects(log.commit(pushOf(TASKS, 0)), { code: 'storage_unavailable', message: /give the server the right to write/ })
    t.match(log.health(), { writable: false, detail: /give the server the right to write/ })
    run('mount', '-o', 'remount,rw', disk)
    await recovered(log)
    t.match(await log.commit(pushOf(TASKS, 0)), { status: 'committed' })
    await log.close()
  })
}
