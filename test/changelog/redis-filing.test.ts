/** Several nodes that file all documents anew, and a node that goes on by another rule. */
import t, { type Test } from 'tap'
import { RedisChangeLog } from '../../src/changelog/redis.ts'
import { newPush, put, read, write } from '../../src/conformance/changelog/harness.ts'
import { requireRedis } from '../support/programs.ts'
import { startRedis } from '../support/services/redis.ts'

if (requireRedis(t)) {
  const server = await startRedis(t, { settings: { appendonly: 'no' } })
  let logs = 0
  let late: Promise<unknown> | undefined

  const opened = async (t: Test, count: number): Promise<RedisChangeLog[]> => {
    const prefix = `filing${++logs}`
    const nodes = Array.from({ length: count }, () => new RedisChangeLog(server.url, { prefix }))
    t.teardown(() => Promise.all(nodes.map(node => node.close())))
    await Promise.all(nodes.map(node => node.open()))
    return nodes
  }

  t.test('several nodes that start at once with another `channels` ask it about each document once', async t => {
    const nodes = await opened(t, 3)
    await write(nodes[0]!, Array.from({ length: 1000 }, (_, i) => put(`${i}`, i)))
    let asked = 0
    await Promise.all(nodes.map(node => node.file('together', () => { asked++; return ['a'] })))
    t.equal(asked, 1000)
    t.equal((await read(nodes[2]!, { channels: ['a'], limit: 1000 })).rows.length, 1000)
  })

  t.test('promise 6 (Private): a node that files by a `channels` that another has replaced writes nothing more', async t => {
    const [old, fresh, third] = await opened(t, 3) as [RedisChangeLog, RedisChangeLog, RedisChangeLog]
    await old.file('old', () => ['bob'])
    await old.commit(newPush([put('before', 1, { channels: ['bob'] })]))
    const refused = { code: 'storage_unavailable', message: /restart this one/ }
    await fresh.file('new', () => {
      // The documents that were read are not all there will be.
      late ??= t.rejects(old.commit(newPush([put('during', 1, { channels: ['bob'] })])), refused, 'while it is filed anew')
      return ['eve']
    })
    await late
    await t.rejects(old.commit(newPush([put('after', 1, { channels: ['bob'] })])), refused)
    t.equal((await fresh.commit(newPush([put('own', 1, { channels: ['eve'] })]))).status, 'committed')
    await third.file('new', () => { throw new Error('it is filed') })
    t.strictSame((await read(third, { channels: ['eve'] })).rows.map(({ entry }) => entry.documentId), ['before', 'own'])
    t.equal((await read(third, { channels: ['bob'] })).rows.filter(({ member }) => member).length, 0)
    t.equal((await read(old)).rows.length, 2, 'and reads go on')
  })

  t.test('a push of more channels than a call has room for arguments is committed', async t => {
    const [node] = await opened(t, 1) as [RedisChangeLog]
    const channels = Array.from({ length: 50 }, (_, i) => `channel ${i}, ünï`)
    t.equal((await node.commit(newPush(Array.from({ length: 3000 }, (_, i) => put(`${i}`, i, { channels }))))).status, 'committed')
    t.equal((await read(node, { channels: [channels[49]!], limit: 1000 })).rows.length, 1000)
    t.equal(node.health().writable, true)
  })

  t.test('a reader of many channels and one collection is given every row, in order, in pages that each go on', async t => {
    const [node] = await opened(t, 1) as [RedisChangeLog]
    const channels = Array.from({ length: 1000 }, (_, i) => `c${i}`)
    for (let from = 0; from < 8000; from += 2000) {
      await write(node, Array.from({ length: 2000 }, (_, i) => put(`${from + i}`, i, { collection: `of${i % 20}`, channels: [channels[(from + i) * 13 % 1000]!, channels[i % 3]!] })))
    }
    const met: number[] = []
    for (let after = 0, head = Infinity; after < head;) {
      const page = await read(node, { after, collections: ['of5'], channels, limit: 150 })
      t.ok(page.scanned > after)
      met.push(...page.rows.map(({ entry }) => entry.sequence))
      after = page.scanned
      head = page.head
    }
    t.strictSame(met, Array.from({ length: 400 }, (_, i) => 20 * i + 6))
  })
}
