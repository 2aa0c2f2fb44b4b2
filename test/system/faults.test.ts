import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { requirePowerCut, requireProgram, requireRoot, run, strace } from '../support/programs.ts'
import { assertKept, gather, load, scene, type Scene } from '../support/scene.ts'
import { poweredDisk, smallDisk } from '../support/store-disk.ts'

const message = (type: string, rest: object): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ type, id: 'fault', timestamp: Date.now(), ...rest })
})

/** Health and push are refused in words, pulls and streams go on. */
async function assertReadOnly (t: Test, { server: { url } }: Scene, detail: RegExp): Promise<void> {
  const change = { operation: 'insert', documentId: 'refused', document: { marker: 'refused' }, timestamp: Date.now() }
  for (let i = 0; i < 200 && (await fetch(`${url}/health`)).status !== 503; i++) await sleep(50)
  const health = await fetch(`${url}/health`)
  t.equal(health.status, 503)
  t.match(await health.json(), { status: 'degraded', detail })
  const push = await fetch(`${url}/sync/push`, message('push', { collection: 'refused', changes: [change] }))
  t.equal(push.status, 503)
  t.ok(Number(push.headers.get('retry-after')) >= 1, 'and says when to come again')
  t.match(await push.json(), { code: 'storage_unavailable', retryable: true, detail })
  const pull = await fetch(`${url}/sync/pull`, message('pull', { collections: ['todos'] }))
  t.equal(pull.status, 200, 'reads go on')
  t.not(Object.keys((await pull.json() as { changes: object }).changes).length, 0)
}

async function assertRecovers (t: Test, { server: { url } }: Scene): Promise<void> {
  let status = 0
  for (let i = 0; i < 400 && status !== 200; i++) {
    await sleep(50)
    status = (await fetch(`${url}/health`)).status
  }
  t.equal(status, 200, 'writing comes back by itself')
}

t.test('a power cut under load', { timeout: 120_000 }, async t => {
  if (!requirePowerCut(t)) return
  const disk = poweredDisk(t)
  const at = await scene(t, { db: join(disk.path, 'log.db') })
  const crowd = gather(at.target)
  await load(crowd, 100)
  // Frozen first: this way to cut the power lets a flush that is under way return as if all were well.
  at.server.child.kill('SIGSTOP')
  disk.cut()
  await at.server.stop('SIGKILL')
  disk.powerUp()
  await at.start()
  await load(crowd, 20)
  await assertKept(t, at, crowd)
})

t.test('a slow disk, and kill -9 while it is slow', { timeout: 120_000 }, async t => {
  if (!requireProgram(t, 'strace', 'apt-get install strace')) return
  // -D: the tracer is the child, so that signals and the exit code are the program's own.
  const wrap = [...strace('delay_enter=20000'), '-D']
  const at = await scene(t, { wrap })
  const crowd = gather(at.target)
  for (let i = 0; i < 3; i++) {
    await load(crowd, 20 + Math.random() * 30)
    await at.server.stop('SIGKILL')
    await at.start({ wrap })
  }
  await load(crowd, 20)
  await assertKept(t, at, crowd)
})

t.test('a disk that fails to flush now and then', { timeout: 120_000 }, async t => {
  if (!requireProgram(t, 'strace', 'apt-get install strace')) return
  const at = await scene(t, { wrap: [...strace('error=EIO:when=40+60'), '-D'] })
  const crowd = gather(at.target)
  for (let i = 0; i < 100 && !at.server.output().includes('storage_unavailable'); i++) await sleep(100)
  t.match(at.server.output(), /storage_unavailable/, 'the disk has failed')
  await load(crowd, 100)
  await assertKept(t, at, crowd)
})

t.test('a full disk', { timeout: 120_000 }, async t => {
  if (!requireRoot(t)) return
  const disk = smallDisk(t, '48m')
  const at = await scene(t, { db: join(disk, 'log.db') })
  const crowd = gather(at.target)
  await load(crowd, 50)
  try {
    writeFileSync(join(disk, 'filler'), Buffer.alloc(48 * 2 ** 20))
  } catch {
    // Full is what it should be.
  }
  await assertReadOnly(t, at, /disk is (nearly )?full/)
  rmSync(join(disk, 'filler'))
  await assertRecovers(t, at)
  await load(crowd, 50)
  await assertKept(t, at, crowd)
})

t.test('a disk that turns read-only', { timeout: 120_000 }, async t => {
  if (!requireRoot(t)) return
  const disk = smallDisk(t, '48m')
  const at = await scene(t, { db: join(disk, 'log.db') })
  const crowd = gather(at.target)
  await load(crowd, 50)
  await at.server.stop()
  run('mount', '-o', 'remount,ro', disk)
  await at.start()
  await assertReadOnly(t, at, /cannot be written/)
  run('mount', '-o', 'remount,rw', disk)
  await assertRecovers(t, at)
  await load(crowd, 50)
  await assertKept(t, at, crowd)
})
