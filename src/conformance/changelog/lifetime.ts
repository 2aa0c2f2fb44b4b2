/** Promises on opening, epochs, clearing and closing. */
import assert from 'node:assert/strict'
import { apply, contents, hex, newPush, promise, put, read, remove, where, write } from './harness.ts'
import type { ChangeStore, Epoch } from '../../changelog/changelog.ts'
import type { OpenedLog, Promised } from './harness.ts'

const todo = { collection: 'todos', documentId: 'a' }

export const lifetimePromises: readonly Promised[] = [
  promise('epochs: never empty; opening again begins none; an entry\'s id names the epoch it lies in', async ({ store }) => {
    const epochs = await store.epochs()
    assert.ok(epochs.length > 0)
    for (const { id } of epochs) assert.match(id, /^[a-z0-9]{1,32}$/)
    await store.open()
    await Promise.all([store.open(), store.open()])
    assert.deepEqual(await store.epochs(), epochs)
    const [a] = await write(store, [put('a', 1)])
    const { id, first } = epochs.at(-1)!
    assert.ok(first <= a!)
    assert.equal((await store.get(`${id}-${a}`))?.sequence, a)
    assert.equal((await store.entries([a!]))[0]?.id, `${id}-${a}`)
  }),

  promise('clear: drops every entry; sequences go on, an epoch begins, and no earlier checkpoint stays valid', async ({ store }) => {
    const push = newPush([put('a', 1, { channels: ['red'] }), put('b', 1), put('c', 1)])
    await store.commit(push)
    await write(store, [remove('c')])
    const before = await read(store)
    await store.clear()
    const after = await read(store)
    assert.deepEqual(after.rows, [])
    assert.deepEqual(await store.getSince(0), [])
    assert.deepEqual(await store.history(todo), [])
    assert.deepEqual(await store.collections(), [])
    assert.equal((await store.heads([todo]))[0]!.head, null)
    assert.ok(after.head >= before.head)
    assert.ok(before.head < after.horizon, 'the head of before is too old')
    assert.ok(after.scanned >= after.horizon, 'the checkpoint that a client gets now is valid')
    startsAfter(after.epochs, before.head)
    assert.equal(after.epochs.length, before.epochs.length + 1)
    const [a] = await write(store, [put('a', 2)])
    assert.ok(a! > before.head && a! >= after.epochs.at(-1)!.first)
    assert.deepEqual((await read(store)).rows.map(row => row.position), [a])
    assert.equal((await store.entries([a!]))[0]!.previous, 0)
    const repeated = await store.commit(push)
    assert.equal(repeated.status, 'seen', 'promise 3 (Once): a push of before still takes effect once')
  }),

  promise('secret: 32 bytes, another one for every log', async ({ store }) => {
    const secret = await store.secret()
    assert.equal(secret.length, 32)
    assert.equal(hex(await store.secret()), hex(secret))
    assert.notEqual(hex(secret), '00'.repeat(32))
  }),

  promise('health and stats: an open log says that it is writable, and its figures are numbers', async ({ store }) => {
    await write(store, [put('a', 1)])
    assert.deepEqual(store.health(), { writable: true, detail: null })
    for (const figure of Object.values(store.stats())) assert.equal(typeof figure, 'number')
  }),

  promise('close: idempotent; what was begun before is finished, what comes later is refused as storage_unavailable', async ({ store }) => {
    await write(store, [put('a', 1)])
    const running = store.commit(newPush([put('b', 1)]))
    await Promise.all([store.close(), store.close()])
    await store.close()
    assert.equal((await running).status, 'committed')
    for (const call of calls(store)) {
      await assert.rejects(call, (error: { code?: string }) => error.code === 'storage_unavailable')
    }
    assert.equal(store.health().writable, false)
  }),

  ...where(supports => supports.durable, [promise('promise 1 (Durable): what was answered is there after a restart', durable)]),
  ...where(supports => !supports.durable, [promise('supports.durable is false: after a restart nothing is there, and no epoch of before is known', notDurable)]),

  ...where(({ durable, facts }) => durable && !facts, [promise('supports.facts is false: after a restart no epoch of before is known, so every client starts over', forgetful)]),

  ...where(({ durable, facts }) => durable && facts, [
    promise('epochs: a row more at every start, beginning after the head, the others as they were', async ({ store, reopen }) => {
      const ids: string[] = []
      let open = store
      for (let start = 1; start <= 3; start++) {
        const before = await open.epochs()
        const [sequence] = await write(open, [put('a', start)])
        ids.push((await open.entries([sequence!]))[0]!.id)
        open = await reopen()
        const after = await open.epochs()
        assert.deepEqual(after.slice(0, -1), before)
        startsAfter(after, sequence!)
      }
      const epochs = await open.epochs()
      assert.equal(new Set(epochs.map(({ id }) => id)).size, 4)
      for (const id of ids) assert.equal((await open.get(id))?.id, id)
      assert.deepEqual((await open.getSince(0)).map(({ id }) => id), ids, 'an entry keeps the id it was born with')
    }),

    promise('promise 2 (Ordered): a sequence is never given out again, also after append, compact, restart, append', async ({ store, reopen }) => {
      await write(store, [put('a', 1), put('b', 1)])
      const [tombstone] = await write(store, [remove('b')])
      await store.compact({ historyBefore: Infinity, tombstonesBefore: Infinity })
      assert.equal(await store.getCurrentSequence(), tombstone)
      const restarted = await reopen()
      const { head, scanned, horizon } = await read(restarted)
      assert.deepEqual([head, scanned, horizon], [tombstone, tombstone, tombstone])
      const [next] = await write(restarted, [put('b', 2)])
      assert.ok(next! > tombstone!)
      await restarted.clear()
      const cleared = await read(restarted)
      const again = await reopen()
      assert.deepEqual([(await read(again)).head, await again.horizon()], [cleared.head, cleared.horizon])
      const [last] = await write(again, [put('a', 3)])
      assert.ok(last! > next! && last! > cleared.head)
    }),

    promise('secret: stays over a restart', async ({ store, reopen }) => {
      const secret = hex(await store.secret())
      assert.equal(hex(await (await reopen()).secret()), secret)
    })])
]

async function durable ({ store, reopen }: OpenedLog): Promise<void> {
  await write(store, [put('a', 1), put('b', 1), put('c', 1)])
  await store.append({ id: 'my-own-id', sequence: 0, ...todo, operation: 'update', document: '{}', data: '{}', timestamp: 1 })
  await write(store, [remove('b')])
  const before = await read(store)
  const after = await read(await reopen())
  assert.deepEqual(shown(after.rows), shown(before.rows))
  assert.deepEqual([after.head, after.horizon], [before.head, before.horizon])
  const replica = new Map<string, string>()
  apply(replica, after.rows)
  assert.equal(contents(replica).length, 2)
}

async function notDurable (opened: OpenedLog): Promise<void> {
  await write(opened.store, [put('a', 1)])
  const after = await forgetful(opened)
  assert.deepEqual((await read(after)).rows, [])
}

async function forgetful ({ store, reopen }: OpenedLog): Promise<ChangeStore> {
  const before = new Set((await store.epochs()).map(({ id }) => id))
  const after = await reopen()
  for (const { id } of await after.epochs()) assert.ok(!before.has(id))
  return after
}

function startsAfter (epochs: readonly Epoch[], head: number): void {
  const [before, newest] = epochs.slice(-2)
  assert.ok(newest!.first > head)
  assert.notEqual(newest!.id, before!.id)
}

/** What a reader is shown; a store may return more of an entry. */
function shown (rows: Awaited<ReturnType<typeof read>>['rows']): unknown {
  return rows.map(({ position, member, entry: { sequence, collection, documentId, operation, document, timestamp } }) =>
    [position, member, sequence, collection, documentId, operation, document, timestamp])
}

/** Every method that can be refused, begun one after the other. */
function calls (store: ChangeStore): Array<() => Promise<unknown>> {
  const change = { id: '', sequence: 0, ...todo, operation: 'insert', document: '{}', data: '{}', timestamp: 1 } as const
  return [
    () => store.open(), () => store.append(change), () => store.getSince(0), () => store.getForCollection('todos', 0),
    () => store.get('a'), () => store.getCurrentSequence(), () => store.compact(), () => store.clear(), () => store.heads([todo]),
    () => store.commit(newPush([put('c', 1)])), () => read(store), () => store.entries([1]), () => store.history(todo),
    () => store.journal(), () => store.discardJournal([1]), () => store.collections(), () => store.horizon(), () => store.epochs(), () => store.secret()
  ]
}
