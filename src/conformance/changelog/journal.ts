/** Promises of `journal` and `discardJournal`. */
import assert from 'node:assert/strict'
import { newPush, NOW, promise } from './harness.ts'
import type { ChangeStore, JournalRow, NewJournalRow } from '../../changelog/changelog.ts'
import type { Promised } from './harness.ts'

/** What a refused change may look like: the journal keeps it to the letter. */
const TEXTS = ['', '{', '{"__proto__":{"x":1}}', '\0\u0001', '"\\ud800"', '\'; DROP TABLE journal; --', 'ünï ☃ 😀', 'x€'.repeat(300_000)]

const row = (documentId: string, raw = '', collection = 'todos'): NewJournalRow =>
  ({ collection, documentId, status: 'rejected', code: 'invalid_change', raw })

async function note (store: ChangeStore, rows: readonly NewJournalRow[], messageId = 'message'): Promise<void> {
  const { status } = await store.commit(newPush([], { journal: rows, messageId, userId: 'user', clientId: 'client', address: '::1' }))
  assert.equal(status, 'committed')
}

const ids = (rows: readonly JournalRow[]): number[] => rows.map(({ id }) => id)
const raws = (rows: readonly JournalRow[]): string[] => rows.map(({ raw }) => raw)

export const journalPromises: readonly Promised[] = [
  promise('journal: every text comes back as it came, newest first, with who, when and why', async ({ store }) => {
    await note(store, TEXTS.map(raw => row('a', raw)), 'm1')
    const rows = await store.journal()
    assert.deepEqual(raws(rows), TEXTS.toReversed())
    assert.ok(ids(rows).every((id, i) => Number.isSafeInteger(id) && (i === 0 || id < rows[i - 1]!.id)), 'ids fall')
    const { id, raw, ...facts } = rows[0]!
    assert.deepEqual(facts, {
      collection: 'todos', documentId: 'a', status: 'rejected', code: 'invalid_change', messageId: 'm1', serverTimestamp: NOW, userId: 'user', clientId: 'client', address: '::1'
    })
  }),

  promise('journal: pages below `before`, a hundred rows unless more are asked for', async ({ store }) => {
    await note(store, Array.from({ length: 120 }, (_, i) => row('a', `${i}`)))
    const all = await store.journal({ limit: 500 })
    assert.equal(all.length, 120)
    assert.deepEqual(await store.journal(), all.slice(0, 100))
    assert.deepEqual(await store.journal({ limit: 7, before: all[2]!.id }), all.slice(3, 10))
    assert.deepEqual(await store.journal({ before: all.at(-1)!.id }), [])
  }),

  promise('journal: rows of one collection, of one document; names that hurt are names', async ({ store }) => {
    const names = ['a', '__proto__', 'A', '%', "'"]
    await note(store, names.flatMap(name => [row(name, `1${name}`), row(name, `2${name}`, 'other'), row('b', `3${name}`, name)]))
    for (const name of names) {
      assert.deepEqual(raws(await store.journal({ collection: 'todos', documentId: name })), [`1${name}`])
      assert.deepEqual(raws(await store.journal({ collection: name })), [`3${name}`])
    }
    const others = await store.journal({ collection: 'other' })
    assert.deepEqual(raws(others), names.map(name => `2${name}`).toReversed())
    assert.deepEqual(await store.journal({ collection: 'other', limit: 2, before: others[1]!.id }), others.slice(2, 4))
    assert.deepEqual(raws(await store.journal({ documentId: 'A' })), ['2A', '1A'])
    assert.deepEqual(await store.journal({ collection: 'todos', documentId: 'unknown' }), [])
  }),

  promise('discardJournal: drops these rows and no others, and says how many there were', async ({ store }) => {
    await note(store, ['1', '2', '3', '4'].map(raw => row('a', raw)))
    const [four, three, two, one] = ids(await store.journal())
    assert.equal(await store.discardJournal([three!, one!, three!, 999_999, -1]), 2)
    assert.deepEqual(ids(await store.journal()), [four, two])
    assert.equal(await store.discardJournal([three!]), 0)
    assert.equal(await store.discardJournal([]), 0)
    assert.equal(await store.discardJournal([four!, two!]), 2)
    await note(store, [row('a', '5')])
    const [five] = await store.journal()
    assert.ok(five!.id > four!, 'an id is not given out again')
  })
]
