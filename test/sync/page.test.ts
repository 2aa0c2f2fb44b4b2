import t, { type Test } from 'tap'
import type { Checkpoint } from '../../schema/checkpoint.ts'
import { apply, openRules, pull, push, replicate, START, type Rules, type TestPage } from '../support/rules.ts'

async function opened (t: Test, limits = {}): Promise<Rules> {
  const rules = await openRules({ limits })
  t.teardown(() => rules.close())
  return rules
}

/** One push per document, so that every one has a sequence of its own and a base. */
async function write (rules: Rules, ...ids: string[]): Promise<void> {
  for (const name of ids) {
    const [collection = '', documentId = ''] = name.split('/')
    await push(rules, { collection, changes: [{ documentId, document: { n: rules.clock.time++ }, timestamp: rules.clock.time }] })
  }
}

async function remove (rules: Rules, collection: string, documentId: string): Promise<void> {
  const [answer] = await rules.store.heads([{ collection, documentId }])
  await push(rules, { collection, changes: [{ operation: 'delete', documentId, base: answer!.head!.sequence, timestamp: rules.clock.time++ }] })
}

/** Purges everything that is deleted by now. */
async function purge (rules: Rules): Promise<void> {
  rules.clock.advance(10)
  await rules.store.compact({ tombstonesBefore: rules.clock.now(), historyBefore: rules.clock.now() })
}

function sequencesIn (page: TestPage): number[] {
  return Object.values(page.changes).flat().map(({ sequence }) => sequence).sort((a, b) => a - b)
}

t.test('promise 4 (Safe checkpoints): the checkpoint is the last position scanned: of a cut page its last row, else the head, whatever was visible', async t => {
  const rules = await opened(t)
  await write(rules, 'todos/a', 'others/x', 'todos/b', 'others/y', 'todos/c', 'others/z')
  t.match(await pull(rules, { limit: 2, checkpoint: { global: 1 } }), { checkpoint: { global: 6 }, hasMore: false })
  const cut = await pull(rules, { limit: 1, checkpoint: { global: 1 } })
  t.same([sequencesIn(cut), cut.checkpoint, cut.hasMore], [[3], { global: 3, head: `6.${cut.epoch}` }, true])
  t.match(await pull(rules, { collections: ['unknown'] }), { changes: {}, checkpoint: { global: 6 }, hasMore: false })
  t.match(await pull(rules, { checkpoint: { global: 6 } }), { changes: {}, checkpoint: { global: 6 }, hasMore: false })
})

t.test('promise 4 (Safe checkpoints): hasMore is true only when the checkpoint moved, also where one document is larger than a page', async t => {
  const rules = await opened(t, { pageBytes: 1 })
  await write(rules, 'todos/a', 'todos/b', 'todos/c')
  let checkpoint: Checkpoint = { global: 0 }
  for (const expected of [1, 2, 3]) {
    const page: TestPage = await pull(rules, { checkpoint, limit: 100 })
    t.same([page.checkpoint.global, page.hasMore], [expected, expected < 3])
    checkpoint = page.checkpoint
  }
})

t.test('promise 4 (Safe checkpoints): a first sync that passes the horizon while it is under way carries the mark that proves it complete', async t => {
  const rules = await opened(t)
  await write(rules, 'todos/a', 'todos/b', 'todos/c', 'todos/gone')
  const first = await pull(rules, { limit: 1 })
  t.same(first.checkpoint, { global: 1, snapshot: 4, head: `4.${first.epoch}` })
  const second = await pull(rules, { limit: 1, checkpoint: first.checkpoint })
  t.same(second.checkpoint, { global: 2, snapshot: 4, head: `4.${first.epoch}` }, 'the mark stays as it was')
  await remove(rules, 'todos', 'gone')
  await purge(rules)
  t.equal(await rules.store.horizon(), 5)
  await t.rejects(pull(rules, { checkpoint: second.checkpoint }), { code: 'resync_required', facts: { reason: 'compacted' } }, 'it began before the purged deletion')
  const anew = await pull(rules, { limit: 1 })
  t.same(anew.checkpoint, { global: 1, snapshot: 5, head: `5.${anew.epoch}` })
  const last = await pull(rules, { limit: 5, checkpoint: anew.checkpoint })
  t.same([sequencesIn(last), last.checkpoint, last.hasMore], [[2, 3], { global: 5 }, false], 'the mark goes with the last page')
  await t.rejects(pull(rules, { checkpoint: { global: 4 } }), { code: 'resync_required', facts: { reason: 'compacted' } })
  t.equal((await pull(rules, { checkpoint: { global: 5 } })).hasMore, false)
})

t.test('one position per collection: each goes on from its own, the others stay, unknown members of the checkpoint are kept', async t => {
  const rules = await opened(t)
  await write(rules, 'todos/a', 'notes/x', 'todos/b', 'notes/y', 'lists/l')
  const checkpoint = { id: 'cp', sequences: { todos: 1, notes: 4, archive: 2 }, timestamp: 7, nodeId: 'n' }
  const page = await pull(rules, { collections: ['todos', 'notes'], checkpoint })
  t.same(sequencesIn(page), [3])
  t.same(page.checkpoint, { ...checkpoint, global: 5, sequences: { todos: 5, notes: 5, archive: 2 } })
  t.equal(page.hasMore, false)
  const unknown = await pull(rules, { collections: ['nowhere'], checkpoint: { sequences: {} } })
  t.same([unknown.changes, unknown.checkpoint.sequences], [{}, { nowhere: 5 }])
})

t.test('one position per collection: a cut page moves nobody back and hands out what is exact for it', async t => {
  const rules = await opened(t)
  await write(rules, 'todos/a', 'notes/x', 'todos/b', 'notes/y', 'todos/c')
  const page = await pull(rules, { collections: ['todos', 'notes'], limit: 1, checkpoint: { sequences: { notes: 4 } } })
  t.same([sequencesIn(page), page.checkpoint.sequences, page.hasMore], [[1], { notes: 4, todos: 1 }, true])
  const rest = await pull(rules, { collections: ['todos', 'notes'], checkpoint: page.checkpoint })
  t.same(sequencesIn(rest), [3, 5])
})

t.test('one position per collection: no collections means all, also those that come later', async t => {
  const rules = await opened(t)
  const empty = await pull(rules, { collections: [], checkpoint: { sequences: {} } })
  t.same([empty.changes, empty.checkpoint, empty.hasMore], [{}, { global: 0, sequences: {} }, false])
  await write(rules, 'todos/a')
  const first = await pull(rules, { collections: [], checkpoint: { sequences: {} } })
  t.same([sequencesIn(first), first.checkpoint.sequences], [[1], { todos: 1 }])
  await write(rules, 'notes/x', 'todos/b')
  const second = await pull(rules, { collections: [], checkpoint: first.checkpoint })
  t.same([sequencesIn(second), second.checkpoint.sequences], [[2, 3], { todos: 3, notes: 3 }])
})

t.test('one position per collection: a deletion comes as a tombstone document, else as null', async t => {
  const rules = await opened(t)
  await push(rules, { changes: [{ documentId: 'a', document: { _rev: '1-a' } }, { documentId: 'b', document: { _rev: '1-b' } }] })
  await remove(rules, 'todos', 'a')
  const own = await pull(rules, { checkpoint: { sequences: { todos: 2 } } })
  t.match(own.changes['todos'], [{ operation: 'delete', documentId: 'a', document: { _id: 'a', _rev: '1-0', _deleted: true, _updatedAt: Number } }])
  const plain = await pull(rules, { checkpoint: { global: 2 } })
  t.match(plain.changes['todos'], [{ operation: 'delete', documentId: 'a', document: null }])
})

t.test('promise 4 (Safe checkpoints): with one position per collection a first sync of many pages ends below the horizon too', async t => {
  const rules = await opened(t)
  await write(rules, 'todos/a', 'todos/b', 'notes/c', 'todos/gone')
  await remove(rules, 'todos', 'gone')
  await purge(rules)
  let checkpoint: Checkpoint = { sequences: {} }
  const documents = new Map<string, string>()
  for (let pages = 1; ; pages++) {
    const page: TestPage = await pull(rules, { collections: ['todos', 'notes'], checkpoint, limit: 1 })
    apply(documents, page.changes)
    checkpoint = page.checkpoint
    if (!page.hasMore) break
    t.ok(pages < 5)
  }
  t.same([...documents.keys()].sort(), ['notes/c', 'todos/a', 'todos/b'])
  t.same(checkpoint, { global: 5, sequences: { todos: 5, notes: 5 } }, 'the mark goes with the last page')
})

t.test('promise 4 (Safe checkpoints): no mark hides that one of several positions lies below the horizon', async t => {
  const rules = await opened(t)
  await write(rules, 'todos/a', 'todos/gone', 'notes/x', 'notes/y')
  const mixed = await pull(rules, { collections: ['todos', 'notes'], limit: 1, checkpoint: { sequences: { todos: 2 } } })
  t.same([sequencesIn(mixed), mixed.hasMore, 'snapshot' in mixed.checkpoint], [[3], true, false])
  await remove(rules, 'todos', 'gone')
  await purge(rules)
  await t.rejects(pull(rules, { collections: ['todos', 'notes'], checkpoint: mixed.checkpoint }), { code: 'resync_required', facts: { reason: 'compacted' } })
})

t.test('an epoch that the log knows goes on up to its end, any other is a resync for that client alone', async t => {
  const rules = await opened(t)
  await write(rules, 'todos/a', 'todos/b')
  const { epoch } = await pull(rules)
  t.equal((await pull(rules, { checkpoint: { global: 1 }, epoch })).hasMore, false)
  await t.rejects(pull(rules, { checkpoint: { global: 3 }, epoch }), { code: 'resync_required', facts: { reason: 'epoch-changed', epoch } })
  await t.rejects(pull(rules, { checkpoint: { global: 1 }, epoch: 'unknown' }), { code: 'resync_required', facts: { reason: 'epoch-changed' } })
  t.equal((await pull(rules, { checkpoint: { global: 0 }, epoch: 'unknown' })).checkpoint.global, 2, 'a client at 0 is welcome')
  await rules.store.clear()
  const cleared = await pull(rules)
  t.not(cleared.epoch, epoch)
  t.match(await pull(rules, { checkpoint: cleared.checkpoint, epoch: cleared.epoch }), { changes: {}, hasMore: false })
  await t.rejects(pull(rules, { checkpoint: { global: 2 }, epoch }), { code: 'resync_required' })
})

t.test('documents are passed on as the text that is stored, lists ascend within their collection', async t => {
  const rules = await opened(t)
  await write(rules, 'todos/a', 'notes/b', 'todos/c', 'notes/d')
  const page = await pull(rules, { collections: [] })
  t.same(Object.entries(page.changes).map(([name, list]) => [name, list.map(({ sequence }) => sequence)]), [['todos', [1, 3]], ['notes', [2, 4]]])
  t.same((await replicate(rules, { collections: ['todos', 'notes'], limit: 1 })).documents.size, 4)
})

t.test('promise 6 (Private): compaction while a page is judged hides no removal', async t => {
  const user = { id: 'ada', userId: 'ada' }
  let meanwhile = async (): Promise<void> => {}
  const rules = await openRules({
    authorize: async (user, _collection, operation, document) => {
      if (operation === 'read') await meanwhile()
      return operation === 'write' || document['owner'] === user.id
    }
  })
  t.teardown(() => rules.close())
  await push(rules, { changes: [{ documentId: 'a', document: { owner: 'ada' } }] }, { user })
  const { checkpoint, epoch } = await pull(rules, { user })
  await push(rules, { changes: [{ documentId: 'a', document: { owner: 'bob' }, base: 1 }] }, { user })
  meanwhile = () => rules.store.compact({ historyBefore: START + 1e6 })
  await t.rejects(pull(rules, { user, checkpoint, epoch }), { code: 'resync_required', facts: { reason: 'compacted' } })
})
