/** Promises on what is kept of an entry, and of the seven methods every change log has. */
import assert from 'node:assert/strict'
import { digest, follow, hex, NOW, promise, put, read, remove, sequences, where, write } from './harness.ts'
import type { ChangeEntry } from '../../changelog/changelog.ts'
import type { Promised } from './harness.ts'

const TEXTS: Record<string, string> = {
  unicode: '{"a":"ünï ☃ 😀 \u2028 مرحبا é e\u0301"}',
  'escapes that few databases take': '{"a":"\\u0000","b":"\\ud800","c":"\\udc00\\ud800"}',
  'names that hurt': '{"__proto__":{"x":1},"constructor":2,"":3}',
  'numbers beyond a double': '{"a":12345678901234567890.123456789,"b":1e400,"c":-0,"d":1.0}',
  'white space and order': ' { "b" : 1 ,\n\t"a":2 }',
  'nested deep': `${'{"a":'.repeat(64)}1${'}'.repeat(64)}`,
  large: JSON.stringify({ text: 'x€'.repeat(300_000) })
}

const NAMES = ['__proto__', 'constructor', 'toString', 'a', 'A', 'a ', ' a', 'é', 'e\u0301', '😀', '%', '_', "'", '"', '\\', '0', '-1', 'null', '{a}', 'x'.repeat(512)]

const change = (more: Partial<ChangeEntry> = {}): ChangeEntry =>
  ({ id: '', sequence: 0, collection: 'todos', documentId: 'a', operation: 'insert', document: '{"_id":"a"}', data: null, timestamp: NOW, ...more })

export const valuePromises: readonly Promised[] = [
  promise('entry: a document comes back as the very text it was', async ({ store }) => {
    const written = await write(store, Object.entries(TEXTS).map(([documentId, document]) => ({ documentId, document })))
    const expected = Object.values(TEXTS)
    const rows = await follow(store, { limit: 2 })
    assert.deepEqual(rows.map(row => row.entry.document), expected)
    assert.deepEqual((await store.entries(written)).map(entry => entry?.data), expected)
    assert.deepEqual((await store.getSince(written[0]! - 1)).map(entry => entry.document), expected)
  }),

  promise('entry: any text is a name; names that look alike stay apart', async ({ store }) => {
    const pairs = NAMES.flatMap((name, i) => [[name, NAMES[NAMES.length - 1 - i]!], [name, 'same'], ['same', name]] as const)
    const written = await write(store, pairs.map(([collection, documentId], i) => put(documentId, i, { collection })))
    const heads = await store.heads(pairs.map(([collection, documentId]) => ({ collection, documentId })))
    assert.deepEqual(heads.map(answer => answer.head?.sequence), written)
    const rows = (await read(store)).rows
    assert.deepEqual(rows.map(({ entry }) => [entry.collection, entry.documentId]), pairs)
    assert.deepEqual((await store.collections()).sort(), [...NAMES, 'same'].sort())
    assert.equal((await read(store, { collections: ['__proto__'] })).rows.length, 2)
    assert.equal((await read(store, { after: new Map([['__proto__', 0]]) })).rows.length, 2)
    assert.equal((await store.history({ collection: 'a', documentId: 'same' })).length, 1)
  }),

  promise('entry: times round-trip exactly, from 0 to 2^53 − 1', async ({ store }) => {
    const times = [0, 1, 2 ** 31, 2 ** 32 + 1, NOW, Number.MAX_SAFE_INTEGER]
    for (const time of times) {
      await write(store, [put(`${time}`, 1, { timestamp: time, effectiveTime: Number.MAX_SAFE_INTEGER - time })], { serverTimestamp: time })
    }
    const rows = (await read(store)).rows
    assert.deepEqual(rows.map(({ entry }) => entry.timestamp), times)
    if (!store.supports.facts) return
    const entries = await store.entries(rows.map(({ position }) => position))
    assert.deepEqual(entries.map(entry => [entry!.effectiveTime, entry!.serverTimestamp]), times.map(time => [Number.MAX_SAFE_INTEGER - time, time]))
  }),

  promise('entries: whole entries by sequence in the order asked, null for those that are not there', async ({ store }) => {
    const [a, b] = await write(store, [put('a', 1), put('b', 1)])
    assert.deepEqual((await store.entries([b!, 999_999, a!, b!])).map(entry => entry?.documentId ?? null), ['b', null, 'a', 'b'])
    assert.deepEqual(await store.entries([]), [])
  }),

  promise('history: a document\'s entries newest first, below `before`, tombstones included, others\' not', async ({ store }) => {
    const key = { collection: 'todos', documentId: 'a' }
    const own: number[] = []
    for (let i = 0; i < 5; i++) {
      own.unshift((await write(store, [i === 3 ? remove('a') : put('a', i), put('b', i), put('a', i, { collection: 'other' })]))[0]!)
    }
    assert.deepEqual(sequences(await store.history(key)), own)
    assert.deepEqual(sequences(await store.history(key, { limit: 2 })), own.slice(0, 2))
    assert.deepEqual(sequences(await store.history(key, { before: own[1]!, limit: 2 })), own.slice(2, 4))
    assert.deepEqual(sequences(await store.history(key, { before: own.at(-1)! })), [])
    assert.deepEqual(await store.history({ collection: 'todos', documentId: 'unknown' }), [])
    assert.deepEqual((await store.history(key)).map(entry => entry.operation), ['insert', 'delete', 'insert', 'insert', 'insert'])
  }),

  promise('history: a hundred entries unless more are asked for', async ({ store }) => {
    await write(store, Array.from({ length: 120 }, (_, i) => put('a', i)))
    const key = { collection: 'todos', documentId: 'a' }
    assert.equal((await store.history(key)).length, 100)
    assert.equal((await store.history(key, { limit: 500 })).length, 120)
    assert.equal((await store.getSince(0)).length, 100)
    assert.equal((await store.getSince(0, 500)).length, 120)
  }),

  promise('getSince and getForCollection: superseded entries too, exclusive of the sequence, ascending', async ({ store }) => {
    const written = await write(store, [put('a', 1), put('a', 2), put('b', 1, { collection: 'other' }), remove('a')])
    const [a, a2, b, gone] = written
    assert.deepEqual(sequences(await store.getSince(0)), written)
    assert.deepEqual(sequences(await store.getSince(a!, 2)), [a2, b])
    assert.deepEqual(sequences(await store.getForCollection('todos', a!)), [a2, gone])
    assert.deepEqual(await store.getForCollection('unknown', 0), [])
    assert.deepEqual(await store.getSince(gone!), [])
    assert.equal(await store.getCurrentSequence(), gone)
  }),

  promise('append: takes the next sequence, or one above the head that the caller gives, never one that would go back', async ({ store }) => {
    await store.append(change())
    const first = await store.getCurrentSequence()
    await store.append(change({ operation: 'update', document: '{"_id":"a","n":2}', sequence: first + 10, id: 'my-own-id' }))
    assert.equal(await store.getCurrentSequence(), first + 10)
    for (const sequence of [first, first + 10, -1, 1.5, NaN]) {
      await assert.rejects(store.append(change({ sequence })), TypeError)
    }
    const [older, newer] = await store.getSince(0)
    assert.deepEqual([older!.sequence, newer!.sequence, newer!.id], [first, first + 10, 'my-own-id'])
    assert.deepEqual((await read(store)).rows.map(row => row.position), [first + 10])
    const [next] = await write(store, [remove('a')])
    assert.ok(next! > first + 10)
    assert.deepEqual((await store.entries([next!]))[0]?.previous, first + 10)
  }),

  promise('get: finds an entry by the id it carries, its own or the server\'s; an id is given once', async ({ store }) => {
    const [a] = await write(store, [put('a', 1)])
    await store.append(change({ documentId: 'b', id: 'my-own-id' }))
    const [own, foreign] = await store.getSince(0)
    assert.deepEqual([(await store.get(own!.id))?.sequence, (await store.get('my-own-id'))?.documentId], [a, 'b'])
    assert.deepEqual(await store.get(foreign!.id), foreign)
    await assert.rejects(store.append(change({ id: 'my-own-id' })), TypeError)
    for (const id of ['', 'unknown', `${a}`, `unknown-${a}`, `${own!.id}0`, '__proto__', '-', 'a-NaN']) assert.equal(await store.get(id), null)
  }),

  ...where(supports => supports.facts, [promise('entry: who, when, from where, revision, hash, previous and exactness are kept', async ({ store }) => {
    const who = { userId: 'user ☃', clientId: 'client', address: '::1', serverTimestamp: NOW + 5 }
    const [a] = await write(store, [put('a', 1)])
    const [b] = await write(store, [put('a', 2, { operation: 'update', rev: '2-abc', hash: digest('h'), exact: false, timestamp: 7, effectiveTime: 8 })], who)
    const expected = { ...who, rev: '2-abc', exact: false, timestamp: 7, effectiveTime: 8, previous: a, operation: 'update', sequence: b }
    const [stored] = await store.entries([b!])
    const [newest] = await store.history({ collection: 'todos', documentId: 'a' })
    const [answer] = await store.heads([{ collection: 'todos', documentId: 'a' }])
    for (const found of [stored!, newest!, answer!.head!]) {
      assert.deepEqual(Object.fromEntries(Object.keys(expected).map(name => [name, found[name as keyof typeof found]])), expected)
      assert.equal(hex(found.hash), hex(digest('h')))
    }
    const [plain] = await store.entries([a!])
    const { userId, clientId, address, rev, previous, exact } = plain!
    assert.deepEqual({ userId, clientId, address, rev, previous, exact }, { userId: null, clientId: null, address: null, rev: null, previous: 0, exact: true })
  })])
]
