/** Promises on a log that moves to another store; for stores that are movable. */
import assert from 'node:assert/strict'
import { contentOf } from '../../changelog/entry.ts'
import { isMovable, sourceOf, type LogFacts, type MovableStore, type MovedRecord } from '../../changelog/moving.ts'
import type { ChangeStore, NewEntry, Push } from '../../changelog/changelog.ts'
import { digest, newPush, NOW, promise, put, remove, seeded, write } from './harness.ts'
import type { ChangeLogSuiteOptions, OpenedLog, Promised } from './harness.ts'
import { portraitOf, type Asked } from './portrait.ts'

const CHANNELS = ['red', 'blue', 'ünï']
const WHO = { userId: 'user ☃', clientId: 'client', address: '::1' }

/** As a push makes it: its identity is that of its content. */
function sent (documentId: string, value: unknown, more: Partial<NewEntry> = {}): ReturnType<typeof put> {
  const document = JSON.stringify({ _id: documentId, value, ...more.rev && { _rev: more.rev } })
  return { documentId, document, timestamp: NOW, ...contentOf({ document, timestamp: NOW }), ...more }
}

/** A log with everything in it that a log can hold. @returns the store that holds it now */
async function fill (opened: OpenedLog): Promise<{ store: MovableStore, asked: Asked }> {
  let { store } = opened
  const pushes: Push[] = []
  const commit = async (changes: Parameters<typeof newPush>[0], more: Partial<Push> = {}): Promise<void> => {
    const heads = await store.heads(changes.map(({ collection = 'todos', documentId }) => ({ collection, documentId })))
    const push = newPush(changes.map((change, index) => ({ expected: heads[index]!.head?.sequence ?? 0, ...change })), { messageId: `message ${pushes.length}`, outcome: `["${pushes.length}"]`, ...more })
    assert.equal((await store.commit(push)).status, 'committed')
    pushes.push(push)
  }
  const row = (documentId: string, raw: string): Push['journal'][number] => ({ collection: 'todos', documentId, status: 'rejected', code: 'invalid_document', raw })
  await commit([sent('gone', 1, { channels: ['red'] }), sent('a', 1, { channels: ['red', 'ünï'] }), sent('b', 'ünï☃😀', { channels: ['blue'], rev: '1-x' })], WHO)
  await commit([remove('gone')])
  await store.compact({ tombstonesBefore: NOW + 1 })
  await commit([sent('a', 2, { channels: ['blue'], operation: 'update' }), sent('a', 3, { channels: ['blue', 'red'], operation: 'update', exact: false })], { serverTimestamp: NOW + 2 })
  await commit([], { journal: [row('x', '{"a":"\\ud800'), row('y', ''), row('z', 'last')] })
  await store.append({ id: 'my-own-id', sequence: 0, collection: 'other', documentId: '__proto__', operation: 'insert', document: '{"_id":"__proto__"}', data: null, timestamp: 7 })
  if (store.supports.channels) await store.file('by hand', ({ documentId }) => documentId === 'b' ? ['blue'] : ['red'])
  if (store.supports.durable) store = await opened.reopen()
  await commit([sent('deleted', [null, 1.5], { collection: 'other', channels: ['ünï'] }), sent('b', 2, { channels: [] })], WHO)
  await commit([remove('deleted', { collection: 'other', channels: [] })])
  for (let n = 0; n < 9; n++) await commit([sent(`n${n}`, n, { channels: n % 2 === 0 ? ['blue'] : [] })])
  await store.discardJournal([(await store.journal())[0]!.id])
  return { store: store as MovableStore, asked: { documents: documentsOf(pushes), channels: CHANNELS, pushes } }
}

/** Every document with every identity that was ever sent of it, and with none. */
function documentsOf (pushes: readonly Push[]): Asked['documents'] {
  const own = { collection: 'other', documentId: '__proto__' }
  return [own, { ...own, identity: contentOf({ document: '{"_id":"__proto__"}', timestamp: 7 }).identity }, ...pushes.flatMap(({ entries }) => entries.flatMap(({ collection, documentId, identity }) => [{ collection, documentId, identity }, { collection, documentId }]))]
}

/** An object for a place that was filled, or is being filled; without a disk there is only the one. */
async function anew (opened: OpenedLog, current: ChangeStore): Promise<MovableStore> {
  return (current.supports.durable ? await opened.reopen() : current) as MovableStore
}

/**
 * Moves a log as a process does that is killed after any part, before and after it noted what it did: parts of random
 * size, some twice, each by a new object where the store is durable.
 */
export async function moveInterrupted (source: MovableStore, target: OpenedLog, random: (bound: number) => number): Promise<MovableStore> {
  await source.openAtRest()
  const facts = await source.facts()
  let store = await anew(target, target.store)
  let { progress } = await store.begin(sourceOf(facts))
  assert.equal(progress, null)
  for (;;) {
    const { records, next } = await source.part(progress, 1 + random(6))
    if (next === null) break
    for (let times = 1 + random(2); times > 0; times--) await store.take(records, next)
    await assert.rejects(store.open(), 'half a log is not served')
    store = await anew(target, store)
    progress = (await store.begin(sourceOf(await source.facts()))).progress
    assert.equal(progress, next, 'it goes on after what has come')
  }
  await store.end(facts)
  return store
}

async function sameLog ({ store, asked }: { store: MovableStore, asked: Asked }, [source, target]: readonly [OpenedLog, OpenedLog]): Promise<void> {
  const before = await portraitOf(store, asked)
  const resting = await anew(source, store)
  let moved = await moveInterrupted(resting, target, seeded(7))
  await moved.open()
  assert.deepEqual(await portraitOf(moved, asked), before)
  await beginsAfter(moved, await resting.facts())
  if (!moved.supports.durable) return
  moved = await anew(target, moved)
  assert.deepEqual(await portraitOf(moved, asked), before, 'after a restart too')
}

/** The log is whole, and a stretch of its own begins after it. */
async function beginsAfter (store: ChangeStore, { epochs, head }: LogFacts): Promise<void> {
  const found = await store.epochs()
  assert.deepEqual(found.slice(0, epochs.length), epochs)
  assert.ok(found.length > epochs.length && found.at(-1)!.first === head + 1)
}

export const movingPromises: readonly Promised[] = [
  promise('promise 3 (Once), promise 4 (Safe checkpoints) and promise 6 (Private): a log that moves in parts, interrupted after each, answers at the target as it did', async (source, open) => {
    await elsewhere(open, async target => sameLog(await fill(source), [source, target]))
  }),

  promise('move: at the target sequences, ids of the journal and filing go on', async (source, open) => {
    await elsewhere(open, async target => {
      const { store } = await fill(source)
      const resting = await anew(source, store)
      const moved = await moveInterrupted(resting, target, seeded(3))
      const { head, journalHead, filedBy } = await resting.facts()
      if (filedBy !== '') await moved.file(filedBy, () => assert.fail('it is filed'))
      assert.deepEqual(await write(moved, [put('new', 1)]), [head + 1])
      await moved.commit(newPush([], { journal: [{ collection: 'todos', documentId: 'w', status: 'conflict', code: 'older', raw: '' }] }))
      assert.equal((await moved.journal())[0]!.id, journalHead + 1, 'no id is given twice, though the newest row was dropped')
    })
  }),

  promise('promise 9 (Clear): a move refuses a target that holds a log or was begun with another one, and changes nothing there', async (source, open) => {
    await elsewhere(open, async target => {
      const from = { log: 'aa', state: '1' }
      await write(source.store, [put('a', 1)])
      const held = await anew(source, source.store)
      await assert.rejects(held.begin(from), TypeError)
      assert.equal((await (await anew(source, held)).getSince(0)).length, 1)
      const store = await anew(target, target.store)
      await store.begin(from)
      await store.take([entryRecord(1, 'a')], 'one')
      await assert.rejects(store.begin({ log: 'bb', state: '1' }), TypeError)
      assert.deepEqual(await (await anew(target, store)).begin(from), { progress: 'one' })
    })
  }),

  promise('move: what came of another state of the same log is dropped', async (target) => {
    const store = await anew(target, target.store)
    const log = 'aa'
    await store.begin({ log, state: '1' })
    await store.take([entryRecord(1, 'erased since'), entryRecord(9, 'compacted since')], 'one')
    assert.deepEqual(await store.begin({ log, state: '2' }), { progress: null })
    await store.take([entryRecord(2, 'kept')], 'two')
    await store.end({ ...await factsOf(2), horizon: 1 })
    assert.deepEqual((await store.getSince(0)).map(({ documentId }) => documentId), ['kept'])
    assert.deepEqual([await store.getCurrentSequence(), await store.horizon()], [2, 1])
    assert.equal((await store.epochs())[0]!.id, 'e')
  }),

  promise('move: a source is not begun by being read', async (source) => {
    const nothing = await anew(source, source.store)
    await assert.rejects(nothing.openAtRest(), 'there is nothing to move')
    const open = (await anew(source, nothing))
    await write(open, [put('a', 1)])
    const epochs = await open.epochs()
    for (let times = 0; times < 2; times++) {
      const resting = await anew(source, source.store)
      await resting.openAtRest()
      assert.deepEqual((await resting.facts()).epochs, epochs)
      assert.equal((await resting.part(null, 10)).records.filter(({ kind }) => kind === 'entry').length, 1)
    }
  })
].map(movable)

/** Only where the store is movable. */
function movable ({ title, run }: Promised): Promised {
  return { title, run, of: isMovable }
}

async function elsewhere (open: ChangeLogSuiteOptions['open'], work: (target: OpenedLog) => Promise<void>): Promise<void> {
  const target = await open()
  try {
    await work(target)
  } finally {
    await target.destroy()
  }
}

function entryRecord (sequence: number, documentId: string): MovedRecord {
  const document = `{"_id":"${documentId}"}`
  return {
    kind: 'entry',
    givenId: null,
    entry: { id: `e-${sequence}`, sequence, collection: 'todos', documentId, operation: 'insert', document, data: document, timestamp: NOW, effectiveTime: NOW, serverTimestamp: NOW, userId: null, clientId: null, address: null, rev: null, hash: digest(document), previous: 0, exact: true }
  }
}

async function factsOf (head: number): Promise<LogFacts> {
  return { head, horizon: 0, historyHorizon: 0, epochs: [{ id: 'e', first: 1, started: NOW }], secret: digest('secret'), filedBy: '', filing: '', journalHead: 0 }
}
