/** Promises of `compact` and `horizon`. */
import assert from 'node:assert/strict'
import { apply, contents, digest, follow, newPush, NOW, promise, put, read, remove, seeded, sequences, where, write } from './harness.ts'
import type { ChangeStore, CompactPolicy } from '../../changelog/changelog.ts'
import type { Promised, Replica } from './harness.ts'

const todo = (documentId: string) => ({ collection: 'todos', documentId })
const at = (time: number) => ({ serverTimestamp: NOW + time })

export const compactionPromises: readonly Promised[] = [
  promise('compact: without a policy superseded entries go at once, and nothing else', async ({ store }) => {
    const push = newPush([put('a', 1), put('b', 1), put('c', 1)], { journal: [{ ...todo('x'), status: 'rejected', code: 'c', raw: '' }] })
    await store.commit(push)
    const [a, body] = await write(store, [put('a', 2), put('c', 2)])
    const [gone] = await write(store, [remove('c')])
    const before = await read(store)
    await store.compact()
    assert.deepEqual(sequences(await store.history(todo('a'))), [a])
    assert.deepEqual(sequences(await store.history(todo('c'))), [gone, body], 'the last body of a tombstone: readers are authorized by it')
    const after = await read(store)
    assert.deepEqual(sequences(after.rows.map(row => row.entry)), sequences(before.rows.map(row => row.entry)))
    assert.deepEqual([after.head, after.horizon, after.epochs], [before.head, before.horizon, before.epochs])
    assert.equal((await store.commit(push)).status, 'seen')
    assert.equal((await store.journal()).length, 1)
    assert.equal((await store.getSince(0)).length, 4)
    const [kept] = await store.entries([before.rows[0]!.entry.sequence])
    assert.notEqual(await store.get(kept!.id), null)
  }),

  ...where(supports => supports.facts, [
    promise('compact: what was superseded before a time goes; what stood at that time stays, however old it is', async ({ store }) => {
      const kept: number[] = []
      for (const time of [0, 1, 2, 3]) kept.unshift((await write(store, [put('a', time)], at(time)))[0]!)
      const [old, young] = [...await write(store, [put('b', 1)], at(0)), ...await write(store, [put('b', 2)], at(9))]
      for (const policy of [{ historyBefore: NOW + 3 }, { historyBefore: NOW + 3 }, {}]) {
        await store.compact(policy)
        assert.deepEqual(sequences(await store.history(todo('a'))), kept.slice(0, 2))
        assert.deepEqual(sequences(await store.history(todo('b'))), [young, old], 'an edit of today can be taken back')
      }
      await store.compact({ historyBefore: NOW + 4 })
      assert.deepEqual(sequences(await store.history(todo('a'))), kept.slice(0, 1))
      await store.compact({ historyBefore: NOW + 10 })
      assert.deepEqual(sequences(await store.history(todo('b'))), [young])
    }),

    promise('compact: a deletion stays with what it deleted, and goes with it once a new birth has superseded both', async ({ store }) => {
      const [, body] = [...await write(store, [put('a', 0)], at(0)), ...await write(store, [put('a', 1)], at(1))]
      const [gone] = await write(store, [remove('a')], at(2))
      const [later] = await write(store, [remove('a')], at(3))
      await store.compact({ historyBefore: NOW + 4 })
      assert.deepEqual(sequences(await store.history(todo('a'))), [later, gone, body])
      const [born] = await write(store, [put('a', 2)], at(4))
      await store.compact({ historyBefore: NOW + 4 })
      assert.deepEqual(sequences(await store.history(todo('a'))), [born, later, gone, body])
      await store.compact({ historyBefore: NOW + 5 })
      assert.deepEqual(sequences(await store.history(todo('a'))), [born])
    }),

    promise('compact: a clock that was ahead for a while keeps no history for longer than it was ahead, and leaves no gap in one', async ({ store }) => {
      const ahead = Date.now() + 1e9
      const a: number[] = []
      for (const time of [NOW, ahead, NOW + 1, NOW + 2]) a.unshift((await write(store, [put('a', time)], { serverTimestamp: time }))[0]!)
      for (const time of [0, 1, 2]) await write(store, [put('b', time)], at(time))
      await store.compact({ historyBefore: NOW + 9 })
      assert.equal((await store.history(todo('b'))).length, 1, 'others are not held up')
      assert.deepEqual(sequences(await store.history(todo('a'))), a, 'the first was superseded by one of the future')
      await store.compact({ historyBefore: ahead + 1 })
      assert.deepEqual(sequences(await store.history(todo('a'))), a.slice(0, 1))
    }),

    promise('compact: purging tombstones moves the horizon to the newest that is gone; live documents stay', async ({ store }) => {
      const identity = digest('this change')
      await write(store, [put('a', 1, { identity }), put('b', 1), put('live', 1)], at(0))
      const [a] = await write(store, [remove('a')], at(1))
      const [b] = await write(store, [remove('b', { identity })], at(5))
      assert.ok(await store.horizon() < a!)
      await store.compact({ tombstonesBefore: NOW + 1 })
      assert.equal((await store.heads([todo('a')]))[0]!.head?.sequence, a, 'what was committed at that time stays')
      for (const before of [NOW + 2, NOW + 5]) await store.compact({ tombstonesBefore: before })
      assert.equal(await store.horizon(), a)
      assert.equal((await read(store)).horizon, a)
      const [gone, kept, live] = await store.heads([{ ...todo('a'), identity }, { ...todo('b'), identity }, todo('live')])
      assert.deepEqual([gone!.head, gone!.duplicateOf], [null, 0], 'identities go with the tombstones')
      assert.deepEqual([kept!.head?.sequence, kept!.duplicateOf], [b, b])
      assert.notEqual(live!.head, null)
      assert.deepEqual(await store.history(todo('a')), [])
      assert.equal((await store.entries([b!]))[0]?.previous !== 0, true)
      assert.deepEqual((await read(store)).rows.map(row => row.entry.documentId), ['live', 'b'])
      const [born] = await write(store, [put('a', 2)])
      assert.deepEqual((await store.entries([born!]))[0]?.previous, 0, 'born anew')
    }),

    promise('promise 6 (Private): where a version goes, the history horizon says up to where what readers were shown is not known any more', async ({ store }) => {
      const historyHorizon = async (): Promise<number> => (await read(store)).historyHorizon
      await write(store, [put('a', 1), put('live', 1)], at(0))
      const [a2] = await write(store, [put('a', 2)], at(1))
      const [a3] = await write(store, [put('a', 3)], at(5))
      await write(store, [put('b', 1)], at(5))
      const [b] = await write(store, [remove('b')], at(6))
      assert.equal(await historyHorizon(), 0)
      await store.compact({ historyBefore: NOW + 2 })
      assert.deepEqual([await historyHorizon(), await store.horizon()], [a2, 0])
      await store.compact({ historyBefore: NOW + 9 })
      assert.equal(await historyHorizon(), a3, 'a deletion keeps what it deleted')
      await store.compact({ historyBefore: NOW + 9, tombstonesBefore: NOW + 9 })
      assert.deepEqual([await historyHorizon(), await store.horizon()], [b, b])
    }),

    promise('compact: purged documents leave their collections and channels', async ({ store }) => {
      await write(store, [put('a', 1, { collection: 'c', channels: ['red'] })], at(0))
      await write(store, [remove('a', { collection: 'c' })], at(1))
      await store.compact({ historyBefore: NOW + 9, tombstonesBefore: NOW + 9 })
      assert.deepEqual(await store.collections(), [])
      assert.deepEqual(await store.getSince(0), [])
      if (store.supports.channels) assert.deepEqual((await read(store, { channels: ['red'] })).rows, [])
    }),

    promise('compact: push records and journal go by the time of their commit', async ({ store }) => {
      const journal = [{ ...todo('x'), status: 'rejected' as const, code: 'c', raw: '' }]
      const old = newPush([], { ...at(0), journal })
      const young = newPush([], { ...at(5), journal })
      await store.commit(old)
      await store.commit(young)
      await store.compact({ pushesBefore: NOW + 5 })
      assert.equal((await store.journal()).length, 2)
      assert.deepEqual([(await store.commit(young)).status, (await store.commit({ ...old, journal: [] })).status], ['seen', 'committed'])
      await store.compact({ journalBefore: NOW + 5 })
      assert.deepEqual((await store.journal()).map(row => row.serverTimestamp), [NOW + 5])
    }),

    promise('promise 8 (Convergent): compaction changes nothing that a reader at a valid checkpoint ends up with', async ({ store }) => {
      const random = seeded(5)
      const readers = Array.from({ length: 8 }, (): Reader => ({ after: 0, replica: new Map() }))
      for (let time = 0; time < 240; time++) {
        const id = `document-${random(25)}`
        await write(store, [random(3) === 0 ? remove(id) : put(id, time)], at(time))
        if (random(8) === 0) await store.compact(policy(random, time))
        const reader = readers[random(readers.length)]!
        if (random(4) === 0) await catchUp(store, reader, 1 + random(5))
        if (random(12) === 0) await agrees(store, reader)
      }
      for (const reader of readers) await agrees(store, reader)
    }),

    promise('compact: commits go on meanwhile and none is lost', async ({ store }) => {
      for (let i = 0; i < 30; i++) await write(store, Array.from({ length: 20 }, (_, n) => put(`${n}`, i)), at(i))
      const [, ...written] = await Promise.all([
        store.compact({ historyBefore: NOW + 100, tombstonesBefore: NOW + 100 }),
        ...Array.from({ length: 20 }, (_, n) => write(store, [put(`${n}`, 'new')], at(200)))
      ])
      const rows = (await read(store)).rows
      assert.deepEqual(rows.map(row => row.position), written.flat().sort((a, b) => a - b))
      await store.compact()
      assert.equal((await store.getSince(0, 1000)).length, 20)
    })])
]

interface Reader {
  after: number
  replica: Replica
}

/** One page for a reader, who starts over below the horizon. @returns whether something is left */
async function catchUp (store: ChangeStore, reader: Reader, limit: number): Promise<boolean> {
  const page = await read(store, { after: reader.after, limit })
  if (reader.after < page.horizon && reader.after > 0) {
    reader.replica.clear()
    apply(reader.replica, await follow(store))
    reader.after = await store.getCurrentSequence()
    return false
  }
  apply(reader.replica, page.rows)
  reader.after = page.scanned
  return page.scanned < page.head
}

async function agrees (store: ChangeStore, reader: Reader): Promise<void> {
  const truth: Replica = new Map()
  apply(truth, await follow(store))
  while (await catchUp(store, reader, 3));
  assert.deepEqual(contents(reader.replica), contents(truth))
}

function policy (random: (bound: number) => number, time: number): CompactPolicy {
  const before = () => NOW + Math.max(0, time - random(12))
  return { ...random(3) > 0 && { historyBefore: before() }, ...random(3) > 0 && { tombstonesBefore: before() }, pushesBefore: before() }
}
