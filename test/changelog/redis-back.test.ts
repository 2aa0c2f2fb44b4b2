/** A log that goes back: by a backup that is put back while Redis runs, or by a fail-over and the way back. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { keysOf } from '../../src/changelog/redis/layout.ts'
import { openRedis } from '../../src/drivers/redis.ts'
import { newPush, put, read, write } from '../../src/conformance/changelog/harness.ts'
import { resyncReason } from '../../src/sync/validity.ts'
import { requireRedis } from '../support/programs.ts'
import { persist } from '../support/persist.ts'
import { startRedis } from '../support/services/redis.ts'

if (requireRedis(t)) {
  const [server, other] = await Promise.all([1, 2].map(() => startRedis(t, { settings: { 'repl-diskless-sync-delay': '0' } })))
  const [redis, second] = await Promise.all([openRedis(server!.url), openRedis(other!.url)])
  t.teardown(() => Promise.all([redis.close(), second.close()]))
  let logs = 0

  const opened = (t: Test, prefix = `back${++logs}`): RedisChangeLog => {
    const log = new RedisChangeLog(server!.url, { prefix })
    t.teardown(() => log.close())
    return log
  }

  const backup = async (): Promise<() => Promise<void>> => {
    const keys = Object.values(keysOf(`back${logs}`, ''))
    const values = await Promise.all(keys.map(key => redis.command(['DUMP', key], { binary: true }) as Promise<Buffer | null>))
    return async () => {
      await redis.command(['DEL', ...keys])
      for (const [i, value] of values.entries()) if (value !== null) await redis.command(['RESTORE', keys[i]!, 0, value])
    }
  }

  const at = (after: number, epoch: string) => ({ after, epoch, snapshot: null }) as never

  t.test('promise 4 (Safe checkpoints): keys put back from a backup under running nodes begin an epoch, whoever writes first', async t => {
    for (const overwrites of ['the node that knows', 'a node that had not looked']) {
      const knowing = opened(t)
      const behind = opened(t, `back${logs}`)
      await write(knowing, [put('a', 1), put('b', 1)])
      await behind.open()
      const restore = await backup()
      await behind.getCurrentSequence()
      const [, lost] = await write(knowing, [put('c', 1), put('d', 1)])
      const epoch = (await knowing.epochs()).at(-1)!.id
      await restore()
      const writer = overwrites === 'the node that knows' ? knowing : behind
      for (let i = 1; i <= 3; i++) await persist(writer, newPush([put(`other${i}`, i)]))
      await read(knowing)
      for (const node of [knowing, behind]) {
        const page = await read(node)
        t.equal(page.head, 5)
        t.equal(resyncReason(at(lost!, epoch), page, undefined), 'epoch-changed', overwrites)
        t.equal(page.epochs.length, 3, 'two that were opened, and one')
      }
    }
  })

  t.test('promise 4 (Safe checkpoints): an epoch that is not in the log any more begins another one', async t => {
    const node = opened(t)
    await write(node, [put('a', 1)])
    const restore = await backup()
    const later = opened(t, `back${logs}`)
    await write(later, [put('b', 1)])
    await restore()
    await persist(later, newPush([put('c', 1)]))
    t.equal((await read(later)).epochs.length, 2)
    t.equal(resyncReason(at(1, (await node.epochs())[0]!.id), await read(later), undefined), 'epoch-changed', 'nobody knows what of the first was lost')
  })

  t.test('promise 4 (Safe checkpoints): a fail-over and back again begins an epoch, though the server never stopped', async t => {
    const node = opened(t)
    const follow = async (from: typeof redis, port: number): Promise<void> => {
      await from.command(['REPLICAOF', '127.0.0.1', port])
      while (!String(await from.command(['INFO', 'replication'])).includes('master_link_status:up')) await sleep(50)
      await from.command(['REPLICAOF', 'NO', 'ONE'])
    }
    await write(node, [put('a', 1)])
    const idle = opened(t, `back${logs}`)
    const epoch = (await idle.epochs()).at(-1)!.id
    await follow(second, server!.port)
    const [lost] = await write(node, [put('b', 1)])
    await node.close()
    await follow(redis, other!.port)
    await persist(idle, newPush([put('c', 1)]))
    t.equal(resyncReason(at(lost!, epoch), await read(idle), undefined), 'epoch-changed')
  })

  t.test('a log that is opened without end keeps a thousand epochs in which nothing was written, and every other', async t => {
    const node = opened(t)
    await write(node, [put('a', 1)])
    const { epochs } = keysOf(`back${logs}`, '')
    await redis.command(['RPUSH', epochs, ...Array.from({ length: 1200 }, (_, i) => `empty${i} 2 1`)])
    for (let i = 0; i < 25; i++) {
      const again = new RedisChangeLog(server!.url, { prefix: `back${logs}` })
      await again.open()
      await again.close()
    }
    const kept = await node.epochs()
    t.ok(kept.length >= 1000 && kept.length <= 1001, `${kept.length}`)
    t.equal(kept[0]!.first, 1)
    t.equal((await node.getSince(0))[0]!.id, `${kept[0]!.id}-1`)
  })
}
