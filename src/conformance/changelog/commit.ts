/** Promises of `commit` and `heads`. */
import assert from 'node:assert/strict'
import { ascends, follow, hex, meanwhile, newPush, promise, put, read, remove, sequences, write } from './harness.ts'
import type { ChangeEntry, ChangeStore, Page } from '../../changelog/changelog.ts'
import type { Promised } from './harness.ts'

export const commitPromises: readonly Promised[] = [
  promise('promise 2 (Ordered): sequences rise in commit order, one consecutive run per push', async ({ store }) => {
    const before = await store.getCurrentSequence()
    const one = await write(store, [put('a', 1), put('b', 1), put('c', 1)])
    const two = await write(store, [put('b', 2), put('d', 1)])
    assert.ok(one[0]! > before && two[0]! > one[2]!)
    assert.deepEqual((await store.entries([...one, ...two])).map(entry => entry?.documentId), ['a', 'b', 'c', 'b', 'd'])
    const together = await Promise.all([...'efghijkl'].map(id => write(store, [put(id, 1), put(`${id}2`, 1)])))
    const all = together.flat()
    assert.equal(new Set(all).size, all.length, 'no sequence is given out twice')
    assert.ok(Math.min(...all) > two[1]!)
    assert.equal(await store.getCurrentSequence(), Math.max(...all))
  }),

  promise('commit: a push is all or nothing: when the head under its last entry moved, nothing is written and the moved heads come back', async ({ store }) => {
    const [a] = await write(store, [put('a', 1), put('b', 1)])
    const [moved] = await write(store, [put('b', 2)])
    const journal = [{ collection: 'todos', documentId: 'x', status: 'rejected', code: 'invalid_change', raw: '{' }] as const
    const push = newPush([put('a', 2, { expected: a! }), put('new', 1), put('b', 3, { expected: a! + 1 })], { journal })
    const refused = await store.commit(push)
    assert.equal(refused.status, 'moved')
    assert.deepEqual(refused.status === 'moved' && sequences(refused.heads), [moved])
    assert.equal(await store.getCurrentSequence(), moved)
    assert.deepEqual(await store.journal(), [])
    assert.deepEqual((await read(store)).rows.map(row => row.entry.documentId), ['a', 'b'])
    const [first, second, third] = push.entries
    const again = await store.commit({ ...push, entries: [first!, second!, { ...third!, expected: moved! }] })
    assert.equal(again.status, 'committed', 'the refused push left no record')
  }),

  promise('commit: a head that is expected and missing, or there and not expected, has moved', async ({ store }) => {
    const [a] = await write(store, [put('a', 1)])
    const missing = await store.commit(newPush([put('b', 1, { expected: a! })]))
    assert.deepEqual(missing, { status: 'moved', heads: [] })
    const unexpected = await store.commit(newPush([put('a', 2)]))
    assert.deepEqual(unexpected.status === 'moved' && sequences(unexpected.heads), [a])
    assert.equal(await store.getCurrentSequence(), a)
  }),

  promise('commit: of twenty pushes that expect the same head at once exactly one is committed', async ({ store }) => {
    const [a] = await write(store, [put('a', 0)])
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => store.commit(newPush([put('a', i + 1, { expected: a! })]))))
    assert.equal(results.filter(({ status }) => status === 'committed').length, 1)
    assert.equal(results.filter(({ status }) => status === 'moved').length, 19)
    assert.equal((await store.history({ collection: 'todos', documentId: 'a' })).length, 2)
  }),

  promise('commit: pushes that wait together are apart from each other', async ({ store }) => {
    const seen = newPush([put('a', 1)])
    const { first } = await store.commit(seen) as { first: number }
    const results = await Promise.all([
      store.commit(newPush([put('b', 1)])),
      store.commit(newPush([put('c', 1), put('a', 2)])),
      store.commit(seen),
      store.commit({ ...seen, fingerprint: new Uint8Array(32) }),
      store.commit(newPush([put('d', 1)]))
    ])
    assert.deepEqual(results.map(({ status }) => status), ['committed', 'moved', 'seen', 'reused', 'committed'])
    assert.deepEqual((await read(store)).rows.map(row => row.entry.documentId).sort(), ['a', 'b', 'd'])
    assert.equal((await read(store, { limit: 1 })).rows[0]!.position, first)
  }),

  promise('commit: several changes to one document in one push follow each other, one entry each', async ({ store }) => {
    const [before] = await write(store, [put('a', 0)])
    const run = await write(store, [put('a', 1), put('b', 1), put('a', 2, { expected: 999 }), remove('a'), put('a', 3)])
    const entries = await store.history({ collection: 'todos', documentId: 'a' })
    assert.deepEqual(sequences(entries), [run[4], run[3], run[2], run[0], before])
    assert.deepEqual(entries.map(entry => entry.previous), [run[3], run[2], run[0], before, 0])
    assert.deepEqual(entries.map(entry => entry.document && JSON.parse(entry.document).value), [3, null, 2, 1, 0])
    assert.deepEqual((await read(store)).rows.map(row => row.position), [run[1], run[4]])
  }),

  promise('heads: the newest entry of each document without its body, in the order asked, null of an unknown one', async ({ store }) => {
    const [a, b] = await write(store, [put('a', 1), put('b', 1)])
    const [gone] = await write(store, [remove('b')])
    const keys = [{ collection: 'todos', documentId: 'b' }, { collection: 'other', documentId: 'a' }, { collection: 'todos', documentId: 'a' }]
    const [tombstone, unknown, live] = (await store.heads(keys)).map(answer => answer.head)
    assert.deepEqual([tombstone?.sequence, tombstone?.operation, tombstone?.previous], [gone, 'delete', b])
    assert.equal(unknown, null)
    assert.equal(live?.sequence, a)
    const [stored] = await store.entries([a!])
    assert.equal(hex(live!.hash), hex(stored!.hash))
    assert.ok(!('document' in live!) && !('data' in live!))
  }),

  promise('promise 2 (Ordered): with twenty writers at work a reader that only moves forward gets every entry once and ends with every newest', async ({ store }) => {
    const newest = new Map<string, number>()
    const pages: Glance[] = []
    const seen: number[] = []
    let after = 0
    let since = 0
    const writers = Promise.all(Array.from({ length: 20 }, (_, i) => keepWriting(store, i)))
    const written = await meanwhile(writers, async () => {
      const page = await read(store, { after, limit: 3 + 10 * (pages.length % 5) })
      ascends(page.rows, after)
      pages.push({ after, page })
      for (const { entry } of page.rows) newest.set(entry.documentId, entry.sequence)
      after = page.scanned
      const entries = await store.getSince(since, 50)
      seen.push(...sequences(entries))
      since = entries.at(-1)?.sequence ?? since
      return after === page.head && entries.length === 0
    })
    assert.deepEqual(seen, written.flat().sort((a, b) => a - b), 'every entry once, in order')
    const entries = await store.getSince(0, 10_000)
    for (const glance of pages) withholdsNothing(glance, entries)
    assert.deepEqual([...newest].sort(), (await follow(store)).map(({ entry }) => [entry.documentId, entry.sequence]).sort())
  })
]

interface Glance {
  readonly after: number
  readonly page: Page
}

/** A page may leave out only what a later entry, of the same snapshot, replaces. */
function withholdsNothing ({ after, page }: Glance, entries: readonly ChangeEntry[]): void {
  const given = new Set(page.rows.map(row => row.position))
  const newest = new Map(entries.filter(({ sequence }) => sequence <= page.head).map(({ documentId, sequence }) => [documentId, sequence]))
  for (const { documentId, sequence } of entries) {
    if (sequence <= after || sequence > page.scanned || given.has(sequence)) continue
    assert.ok(newest.get(documentId)! > sequence, `${sequence} was withheld by a page from ${after} to ${page.scanned}`)
  }
}

/** Twelve pushes of two entries to documents that others write too; those whose heads moved are decided again. */
async function keepWriting (store: ChangeStore, writer: number): Promise<number[]> {
  const written: number[] = []
  for (let round = 0; round < 12;) {
    const ids = [`shared-${(writer + round) % 5}`, `own-${writer}`]
    const heads = await store.heads(ids.map(documentId => ({ collection: 'todos', documentId })))
    const result = await store.commit(newPush(ids.map((id, i) => put(id, `${writer}/${round}`, { expected: heads[i]!.head?.sequence ?? 0 }))))
    if (result.status !== 'committed') continue
    written.push(result.first, result.first + 1)
    round++
  }
  return written
}
