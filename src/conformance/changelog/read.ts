/** Promises of `read`, without channels. */
import assert from 'node:assert/strict'
import { apply, brief, contents, follow, meanwhile, promise, put, read, remove, seeded, write } from './harness.ts'
import type { ChangeStore, Page } from '../../changelog/changelog.ts'
import type { Change, Promised, Replica } from './harness.ts'

export const readPromises: readonly Promised[] = [
  promise('read: an empty log is not an error, and a position at or above the head is not one either', async ({ store }) => {
    const empty = await read(store)
    assert.deepEqual(empty.rows, [])
    assert.equal(empty.scanned, empty.head)
    assert.deepEqual(await store.collections(), [])
    const [a] = await write(store, [put('a', 1)])
    for (const after of [a!, a! + 5]) {
      const page = await read(store, { after })
      assert.deepEqual([page.rows, page.scanned, page.head], [[], a, a])
    }
  }),

  promise('read: the newest entry per document with a position after `after`, ascending', async ({ store }) => {
    const [a, b] = await write(store, [put('a', 1), put('b', 1), put('c', 1)])
    const [c] = await write(store, [put('c', 2)])
    const [a2] = await write(store, [put('a', 2)])
    const [gone] = await write(store, [remove('c')])
    assert.deepEqual(brief((await read(store)).rows), [[b, 'b', true], [a2, 'a', true], [gone, 'c', true]])
    assert.deepEqual(brief((await read(store, { after: b! })).rows), [[a2, 'a', true], [gone, 'c', true]])
    assert.deepEqual(brief((await read(store, { after: c! })).rows), [[a2, 'a', true], [gone, 'c', true]])
    assert.deepEqual(brief((await read(store, { after: a2! })).rows), [[gone, 'c', true]])
    const [row] = (await read(store, { after: a! })).rows
    assert.equal(row!.entry.document, '{"_id":"b","value":1}')
  }),

  promise('read: honours limit; `scanned` is the last row of a page that was cut, and the head when nothing is left', async ({ store }) => {
    const written = await write(store, [put('a', 1), put('b', 1), put('c', 1), put('a', 2)])
    const [b, c, a] = written.slice(1)
    const pages = [[1, [b], b], [2, [b, c], c], [3, [b, c, a], a], [4, [b, c, a], a]] as const
    for (const [limit, positions, scanned] of pages) {
      const page = await read(store, { limit })
      assert.deepEqual(page.rows.map(row => row.position), positions)
      assert.deepEqual([page.scanned, page.head], [scanned, a])
    }
    await write(store, [put('z', 1, { collection: 'other' })])
    const full = await read(store, { limit: 3, collections: ['todos'] })
    assert.deepEqual([full.rows.length, full.scanned], [3, full.head], 'what was not asked for is not left')
  }),

  promise('read: stops after the row with which the text passes `bytes` of UTF-8, at least one row', async ({ store }) => {
    const document = JSON.stringify({ text: '€'.repeat(1000) })
    await write(store, [...'abcd'].map(documentId => ({ documentId, document })))
    const size = Buffer.byteLength(document)
    for (const [bytes, rows] of [[0, 1], [1, 1], [size - 1, 1], [2 * size - 1, 2], [3 * size - 1, 3], [4 * size, 4]]) {
      const page = await read(store, { bytes: bytes! })
      assert.equal(page.rows.length, rows)
      assert.equal(page.scanned, page.rows.at(-1)!.position)
    }
  }),

  promise('read: any page size concatenates to the same whole', async ({ store }) => {
    await scribble(store, 200)
    const whole = brief((await read(store)).rows)
    for (const limit of [1, 2, 3, 7, 50]) assert.deepEqual(brief(await follow(store, { limit })), whole)
    for (const bytes of [1, 30, 200]) assert.deepEqual(brief(await follow(store, { bytes })), whole)
  }),

  promise('promise 8 (Convergent): readers that stop anywhere and go on later end with the same documents', async ({ store }) => {
    const random = seeded(7)
    const readers = Array.from({ length: 6 }, () => ({ after: 0, replica: new Map() as Replica }))
    for (let round = 0; round < 12; round++) {
      await scribble(store, 10, round)
      for (const reader of readers) {
        if (random(2) === 0) continue
        const page = await read(store, { after: reader.after, limit: 1 + random(6) })
        apply(reader.replica, page.rows)
        reader.after = page.scanned
      }
    }
    const truth: Replica = new Map()
    apply(truth, await follow(store))
    for (const { after, replica } of readers) {
      apply(replica, await follow(store, { after, limit: 3 }))
      assert.deepEqual(contents(replica), contents(truth))
    }
  }),

  promise('read: only the collections asked for; `collections` names those that have a head', async ({ store }) => {
    const in_ = (collection: string): Change => put('same', collection, { collection })
    const [a, b, c] = await write(store, [in_('a'), in_('b'), in_('c')])
    const positions = async (collections: string[] | null) => (await read(store, { collections })).rows.map(row => row.position)
    assert.deepEqual(await positions(null), [a, b, c])
    assert.deepEqual(await positions(['c', 'a']), [a, c])
    assert.deepEqual(await positions(['a', 'a', 'unknown']), [a])
    assert.deepEqual(await positions([]), [])
    assert.equal((await read(store, { collections: [] })).scanned, c)
    assert.deepEqual((await store.collections()).sort(), ['a', 'b', 'c'])
  }),

  promise('read: one position per collection starts each from its own', async ({ store }) => {
    const changes = ['a', 'b', 'a', 'b', 'c'].map((collection, i) => put(`${i}`, i, { collection }))
    const [, , a2, b2] = await write(store, changes)
    const after = new Map([['a', a2! - 1], ['b', a2!]])
    const page = await read(store, { after })
    assert.deepEqual(page.rows.map(row => row.position), [a2, b2])
    assert.equal(page.scanned, page.head)
    const first = await read(store, { after, limit: 1 })
    assert.deepEqual([first.rows[0]!.position, first.scanned], [a2, a2])
    assert.deepEqual((await read(store, { after: new Map() })).rows, [])
    assert.deepEqual((await read(store, { after: new Map([['b', 0]]), collections: ['a'] })).rows.map(row => row.entry.collection), ['b', 'b'], 'the keys are the collections')
  }),

  promise('read: a page that is asked for again by its stamp is given anew, or said to be as it was, and then it is', async ({ store }) => {
    const random = seeded(11)
    const known = new Map<string, Page>()
    for (let round = 0; round < 60; round++) {
      await scribble(store, random(3), round)
      const query = { after: random(4), limit: 1 + random(3), collections: [null, ['todos'], ['todos', 'todos', 'unknown']][random(3)]! }
      const name = JSON.stringify(query)
      const { stamp, rows } = known.get(name) ?? {}
      const page = await read(store, stamp === undefined ? query : { ...query, stamp })
      const anew = await read(store, query)
      const same = stamp !== undefined && page.stamp === stamp && page.rows.length === 0
      assert.deepEqual(same ? { ...page, rows } : page, anew)
      known.set(name, anew)
    }
  }),

  promise('read: rows, scanned, head, horizon and epochs are of one snapshot', async ({ store }) => {
    await write(store, [put('left', 0), put('right', 0)])
    const writing = async (): Promise<void> => {
      for (let i = 1; i <= 60; i++) await write(store, [put('left', i), put('right', i)])
    }
    await meanwhile(writing(), async () => {
      const page = await read(store)
      const values = page.rows.map(row => JSON.parse(row.entry.document!).value)
      assert.equal(values[0], values[1], 'a push is seen whole or not at all')
      assert.equal(page.rows.at(-1)!.position, page.head)
      assert.equal(page.scanned, page.head)
      return true
    })
    const page = await read(store)
    assert.deepEqual([page.head, page.horizon, page.epochs], [await store.getCurrentSequence(), await store.horizon(), await store.epochs()])
  })
]

/** Writes, rewrites and deletes a few documents, the same ones for the same seed. */
async function scribble (store: ChangeStore, changes: number, seed = 1): Promise<void> {
  const random = seeded(seed)
  for (let i = 0; i < changes; i++) {
    const id = `document-${random(12)}`
    await write(store, [random(5) === 0 ? remove(id) : put(id, `${seed}/${i}`)])
  }
}
