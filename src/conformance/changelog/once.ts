/** Promises by which a push and a change take effect once. */
import assert from 'node:assert/strict'
import { digest, newPush, promise, put, remove, where, write } from './harness.ts'
import type { Committed, JournalRow } from '../../changelog/changelog.ts'
import type { Promised } from './harness.ts'

const todo = (documentId: string) => ({ collection: 'todos', documentId })

export const oncePromises: readonly Promised[] = [
  promise('promise 3 (Once): the same key again returns the first sequence and outcome and writes nothing', async ({ store }) => {
    const journal = [{ ...todo('x'), status: 'conflict', code: 'older', raw: '{}' }] as const
    const push = newPush([put('a', 1), put('b', 1)], { outcome: '["first answer"]', journal })
    const first = await store.commit(push)
    assert.equal(first.status, 'committed')
    await write(store, [put('a', 2)])
    const head = await store.getCurrentSequence()
    const again = await store.commit({ ...push, outcome: '["another"]', serverTimestamp: push.serverTimestamp + 1 })
    assert.deepEqual(again, { status: 'seen', first: (first as { first: number }).first, outcome: '["first answer"]' })
    assert.equal(await store.getCurrentSequence(), head)
    assert.equal((await store.journal()).length, 1)
  }),

  promise('promise 3 (Once): the same push twenty times at once is committed once, and all learn the same sequence', async ({ store }) => {
    const push = newPush([put('a', 1), put('b', 1)])
    const results = await Promise.all(Array.from({ length: 20 }, () => store.commit(push)))
    assert.equal(results.filter(({ status }) => status === 'committed').length, 1)
    assert.equal(results.filter(({ status }) => status === 'seen').length, 19)
    assert.equal(new Set(results.map(result => (result as { first: number }).first)).size, 1)
    assert.equal((await store.getSince(0)).length, 2)
  }),

  promise('promise 3 (Once): the same key with another fingerprint is reused, and nothing is written', async ({ store }) => {
    const push = newPush([put('a', 1)])
    await store.commit(push)
    const head = await store.getCurrentSequence()
    const other = newPush([put('b', 1)], { key: push.key, fingerprint: digest('other') })
    assert.deepEqual(await store.commit(other), { status: 'reused' })
    assert.equal(await store.getCurrentSequence(), head)
  }),

  promise('promise 3 (Once): a push without entries is recorded too, under sequence 0', async ({ store }) => {
    const push = newPush([], { outcome: '["nothing"]' })
    assert.deepEqual(await store.commit(push), { status: 'committed', first: 0 })
    assert.deepEqual(await store.commit(push), { status: 'seen', first: 0, outcome: '["nothing"]' })
  }),

  promise('promise 3 (Once): an identity is found under its first sequence, however many entries came after', async ({ store }) => {
    const identity = digest('this change')
    const [first] = await write(store, [put('a', 1, { identity })])
    for (let i = 0; i < 150; i++) await write(store, [put('a', i)])
    await write(store, [put('a', 1, { identity })])
    await write(store, [remove('a')])
    const asked = async () => (await store.heads([{ ...todo('a'), identity }]))[0]!.duplicateOf
    assert.equal(await asked(), first)
    await store.compact()
    assert.equal(await asked(), first, 'identities outlive bodies')
  }),

  promise('promise 3 (Once): an identity counts for its own document only', async ({ store }) => {
    const identity = digest('this change')
    const [sequence] = await write(store, [put('a', 1, { identity }), put('b', 1)])
    const keys = [todo('a'), todo('b'), { collection: 'other', documentId: 'a' }, todo('never written')]
    const answers = await store.heads(keys.map(key => ({ ...key, identity })))
    assert.deepEqual(answers.map(answer => answer.duplicateOf), [sequence, 0, 0, 0])
    const [unasked, unknown] = await store.heads([todo('a'), { ...todo('a'), identity: digest('another') }])
    assert.deepEqual([unasked!.duplicateOf, unknown!.duplicateOf], [0, 0])
  }),

  promise('promise 3 (Once): the same identity on two documents is recorded for each', async ({ store }) => {
    const identity = digest('this change')
    const [a, b] = await write(store, [put('a', 1, { identity }), put('b', 1, { identity })])
    const answers = await store.heads([{ ...todo('b'), identity }, { ...todo('a'), identity }])
    assert.deepEqual(answers.map(answer => answer.duplicateOf), [b, a])
  }),

  promise('journal: rows are kept with their push, newest first, with paging, and their text stays as it came', async ({ store }) => {
    const raw = ['{"a":', '{"__proto__":"\\ud800"}', '"\\u0000"', 'ünï ☃ 😀', '']
    const more = { messageId: 'm-1', userId: 'u', clientId: 'c', address: '127.0.0.1' }
    await store.commit(newPush([put('a', 1)], { ...more, journal: raw.slice(0, 2).map(text => ({ ...todo('a'), status: 'rejected' as const, code: 'invalid_json', raw: text })) }))
    await store.commit(newPush([], { journal: raw.slice(2).map(text => ({ ...todo('b'), status: 'conflict' as const, code: 'older', raw: text })) }))
    const rows = await store.journal()
    assert.deepEqual(rows.map(row => row.raw), [...raw].reverse())
    const oldest = rows.at(-1)!
    const expected: JournalRow = { ...more, ...todo('a'), id: oldest.id, status: 'rejected', code: 'invalid_json', raw: raw[0]!, serverTimestamp: oldest.serverTimestamp }
    assert.deepEqual({ ...oldest }, expected)
    const paged: JournalRow[] = []
    for (let page = await store.journal({ limit: 2 }); page.length > 0; page = await store.journal({ limit: 2, before: page.at(-1)!.id })) paged.push(...page)
    assert.deepEqual(paged, rows)
  }),

  ...where(({ durable, facts }) => durable && facts, [
    promise('promise 3 (Once): push records, identities and journal outlive a restart', async ({ store, reopen }) => {
      const identity = digest('this change')
      const push = newPush([put('a', 1, { identity })], { outcome: '["kept"]', journal: [{ ...todo('x'), status: 'rejected', code: 'c', raw: 'r' }] })
      const { first } = await store.commit(push) as Extract<Committed, { status: 'committed' }>
      const journal = await store.journal()
      const after = await reopen()
      assert.deepEqual(await after.commit(push), { status: 'seen', first, outcome: '["kept"]' })
      assert.deepEqual(await after.commit({ ...push, fingerprint: digest('other') }), { status: 'reused' })
      assert.equal((await after.heads([{ ...todo('a'), identity }]))[0]!.duplicateOf, first)
      assert.deepEqual(await after.journal(), journal)
    })])
]
