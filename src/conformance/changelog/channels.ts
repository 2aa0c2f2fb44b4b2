/** Promises of `read` with channels. */
import assert from 'node:assert/strict'
import { apply, brief, contents, follow, promise, put, read, remove, seeded, where, write } from './harness.ts'
import type { ChangeStore, Row } from '../../changelog/changelog.ts'
import type { Promised, Replica } from './harness.ts'

/** What a reader of these channels gets, in short. */
async function seen (store: ChangeStore, channels: string[], after = 0): Promise<Array<[number, string, boolean]>> {
  return brief((await read(store, { channels, after })).rows)
}

const filed = (documentId: string, ...channels: string[]) => put(documentId, channels, { channels })

export const channelPromises: readonly Promised[] = [
  ...where(supports => !supports.channels, [
    promise('supports.channels is false: a read by channels is refused rather than shown everything', async ({ store }) => {
      await write(store, [put('a', 1)])
      await assert.rejects(read(store, { channels: ['red'] }))
      await assert.rejects(store.file('by value', () => []))
      assert.equal((await read(store, { filedAfter: 0 })).rows[0]!.filed, undefined)
    })
  ]),
  ...where(supports => supports.channels, [
    promise('channels: only documents filed under one of them now, each once', async ({ store }) => {
      const [a, b, both] = await write(store, [filed('a', 'red'), filed('b', 'blue'), filed('both', 'red', 'blue', 'red'), put('none', 1)])
      assert.deepEqual(await seen(store, ['red']), [[a, 'a', true], [both, 'both', true]])
      assert.deepEqual(await seen(store, ['blue', 'red', 'red', 'unknown']), [[a, 'a', true], [b, 'b', true], [both, 'both', true]])
      assert.deepEqual(await seen(store, []), [])
      const page = await read(store, { channels: [] })
      assert.equal(page.scanned, page.head, 'whoever sees nothing still moves on')
      const [a2] = await write(store, [filed('a', 'red')])
      assert.deepEqual(await seen(store, ['red'], both), [[a2, 'a', true]])
    }),

    promise('promise 6 (Private): a document that left is removed where it left, also when a later update elsewhere would hide the leave', async ({ store }) => {
      await write(store, [filed('a', 'red')])
      const [left] = await write(store, [filed('a', 'blue')])
      const [newest] = await write(store, [filed('a', 'blue')])
      assert.deepEqual(await seen(store, ['red'], left! - 1), [[left, 'a', false]])
      assert.deepEqual(await seen(store, ['red'], left), [])
      assert.deepEqual(await seen(store, ['blue']), [[newest, 'a', true]])
      assert.deepEqual(await seen(store, ['red', 'blue']), [[newest, 'a', true]])
      const [row] = (await read(store, { channels: ['red'] })).rows
      assert.deepEqual([row!.position, row!.entry.sequence], [left, newest])
    }),

    promise('channels: a document that left and came back between two reads is its head, once', async ({ store }) => {
      const [start] = await write(store, [filed('a', 'red')])
      const [between] = await write(store, [filed('a', 'blue')])
      const [back] = await write(store, [filed('a', 'red')])
      assert.deepEqual(await seen(store, ['red'], start), [[back, 'a', true]])
      assert.deepEqual(await seen(store, ['blue'], between), [[back, 'a', false]])
      assert.deepEqual(await seen(store, ['red', 'blue'], start), [[back, 'a', true]])
    }),

    promise('channels: one that left several is removed once, at the last leave', async ({ store }) => {
      await write(store, [filed('a', 'red', 'blue')])
      const [one] = await write(store, [filed('a', 'blue')])
      const [two] = await write(store, [filed('a')])
      assert.deepEqual(await seen(store, ['red', 'blue']), [[two, 'a', false]])
      assert.deepEqual(await seen(store, ['red']), [[one, 'a', false]])
      assert.deepEqual(await seen(store, ['blue', 'red'], one), [[two, 'a', false]])
    }),

    promise('channels: a deletion reaches those who saw the document; a birth elsewhere does not bring it back to them', async ({ store }) => {
      await write(store, [filed('a', 'red')])
      const [gone] = await write(store, [remove('a')])
      const rows = (await read(store, { channels: ['red'] })).rows
      assert.deepEqual(rows.map(row => [row.position, row.entry.operation, row.entry.document]), [[gone, 'delete', null]])
      assert.deepEqual(await seen(store, ['blue']), [])
      const [born] = await write(store, [filed('a', 'blue')])
      assert.deepEqual(await seen(store, ['red']), [[gone, 'a', false]])
      assert.deepEqual(await seen(store, ['blue']), [[born, 'a', true]])
    }),

    promise('promise 6 (Private): a row says each channel that its document is in or left since, also what a later entry left alone', async ({ store }) => {
      const [first] = await write(store, [filed('a', 'red', 'green'), put('b', 1)])
      const [left] = await write(store, [filed('a', 'blue', 'green')])
      const [newest] = await write(store, [filed('a', 'blue')])
      const filedOf = async (filedAfter: number) => (await read(store, { filedAfter })).rows
        .map(({ entry, filed }) => [entry.documentId, filed!.map(({ channel, position, member }) => [channel, position, member]).sort()])
      assert.deepEqual(await filedOf(0), [['b', []], ['a', [['blue', newest, true], ['green', newest, false], ['red', left, false]]]])
      assert.deepEqual(await filedOf(left!), [['b', []], ['a', [['blue', newest, true], ['green', newest, false]]]])
      assert.deepEqual((await read(store, { after: first!, filedAfter: left! })).rows.map(row => row.filed!.length), [0, 2])
      assert.equal((await read(store)).rows[0]!.filed, undefined)
    }),

    promise('channels: a tombstone may stay filed', async ({ store }) => {
      await write(store, [filed('a', 'red')])
      const [gone] = await write(store, [remove('a', { channels: ['red'] })])
      assert.deepEqual(await seen(store, ['red']), [[gone, 'a', true]])
    }),

    promise('channels: changes inside one push count one by one', async ({ store }) => {
      const [, left, last] = await write(store, [filed('a', 'red'), filed('a', 'blue'), filed('a', 'green')])
      assert.deepEqual(await seen(store, ['red']), [[left, 'a', false]])
      assert.deepEqual(await seen(store, ['blue']), [[last, 'a', false]])
      assert.deepEqual(await seen(store, ['green', 'blue']), [[last, 'a', true]])
    }),

    promise('channels: documents that were written without them are filed, once, and again when they are filed by another name', async ({ store, reopen }) => {
      const [a] = await write(store, [put('a', 'red'), put('gone', 'red')])
      const [b] = [...await write(store, [put('b', 'blue')]), ...await write(store, [remove('gone')])]
      assert.equal(await store.filing(), '')
      let asked = 0
      const byValue = (_: unknown, document: string): string[] => {
        asked++
        return [(JSON.parse(document) as { value: string }).value]
      }
      await store.file('by value', byValue)
      assert.deepEqual([await seen(store, ['red']), await seen(store, ['blue'])], [[[a, 'a', true]], [[b, 'b', true]]])
      const filing = await store.filing()
      assert.notEqual(filing, '')
      const again = store.supports.durable ? await reopen() : store
      await again.file('by value', byValue)
      assert.deepEqual([asked, await again.filing()], [2, filing])
      await again.file('as before, by another name', byValue)
      assert.deepEqual([asked, await again.filing()], [4, filing], 'nothing moved')
      await again.file('all', () => ['all'])
      assert.deepEqual([await seen(again, ['red']), await seen(again, ['all'])], [[], [[a, 'a', true], [b, 'b', true]]])
      assert.notEqual(await again.filing(), filing)
    }),

    promise('channels: what was written without them in a filed log is filed at the next start, and what is written with them then leaves as ever', async ({ store }) => {
      await store.file('all', () => ['all'])
      await write(store, [filed('a', 'all'), remove('x')])
      await store.file('all', () => assert.fail('it is filed'))
      const [b] = await write(store, [put('b', 1)])
      assert.deepEqual(await seen(store, ['all'], 1), [])
      await store.file('all', () => ['all'])
      assert.deepEqual(await seen(store, ['all'], 1), [[b, 'b', true]])
      const [left] = await write(store, [put('b', 2, { channels: [] })])
      assert.deepEqual(await seen(store, ['all'], b), [[left, 'b', false]])
    }),

    promise('channels: a reader of many of them gets each document once, at any page size, also where documents lie in several', async ({ store }) => {
      const names = Array.from({ length: 120 }, (_, n) => `room ${n}`)
      const written: number[] = []
      for (let n = 0; n < 40; n++) written.push(...await write(store, [filed(`${n}`, ...names.filter((_, room) => room % 40 === n || room === (n + 1) % 40))]))
      const [left] = await write(store, [filed('0')])
      const wanted = [...written.slice(1), left]
      for (const limit of [1, 7, 1000]) assert.deepEqual((await follow(store, { channels: names, limit })).map(row => row.position), wanted)
    }),

    promise('channels: any text is a name, and collections and positions apply as without channels', async ({ store }) => {
      const channels = ['__proto__', 'constructor', 'ünï', '']
      const [a, b] = await write(store, [put('a', 1, { channels }), put('b', 1, { channels, collection: 'other' })])
      for (const channel of channels) assert.deepEqual(await seen(store, [channel]), [[a, 'a', true], [b, 'b', true]])
      const only = async (query: Parameters<typeof read>[1]) => brief((await read(store, { channels, ...query })).rows)
      assert.deepEqual(await only({ collections: ['other'] }), [[b, 'b', true]])
      assert.deepEqual(await only({ after: new Map([['todos', 0], ['other', b!]]) }), [[a, 'a', true]])
      assert.deepEqual(await only({ limit: 1 }), [[a, 'a', true]])
      assert.equal((await read(store, { channels, limit: 1 })).scanned, a)
    }),

    promise('promise 6 (Private): readers of channels that stop anywhere end with exactly what is filed there, at any page size', async ({ store }) => {
      const names = ['red', 'blue', 'green']
      const readers = names.flatMap((name, i) => [[name], [name, names[(i + 1) % 3]!]])
        .map(channels => ({ channels, after: 0, replica: new Map() as Replica }))
      const filing = new Map<string, string[]>()
      const random = seeded(11)
      for (let i = 0; i < 150; i++) {
        const id = `document-${random(6)}`
        const channels = names.filter(() => random(3) === 0)
        const gone = random(6) === 0
        filing.set(id, gone ? [] : channels)
        await write(store, [gone ? remove(id) : put(id, i, { channels })])
        const reader = readers[random(readers.length)]!
        const page = await read(store, { ...reader, limit: 1 + random(4) })
        apply(reader.replica, page.rows)
        reader.after = page.scanned
      }
      for (const { channels, after, replica } of readers) {
        apply(replica, await follow(store, { channels, after, limit: 2 }))
        const visible = [...filing].filter(([, filed]) => filed.some(name => channels.includes(name)))
        assert.deepEqual(contents(replica).map(([key]) => JSON.parse(key)[1]), visible.map(([id]) => id).sort())
        const pages: Row[][] = await Promise.all([1, 3, 100].map(limit => follow(store, { channels, limit })))
        assert.deepEqual(brief(pages[0]!), brief(pages[2]!))
        assert.deepEqual(brief(pages[1]!), brief(pages[2]!))
      }
    })])
]
