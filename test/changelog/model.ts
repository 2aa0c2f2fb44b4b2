import fc from 'fast-check'
import { deepEqual, equal, ok } from 'node:assert/strict'
import type { Test } from 'tap'
import type { ChangeStore, CompactPolicy, NewEntry, Push } from '../../src/changelog/changelog.ts'
import type { OpenedLog } from '../../src/conformance/changelog.ts'
import { apply, contents, digest, newEntry, newPush, NOW, read } from '../../src/conformance/changelog/harness.ts'
import type { Replica } from '../../src/conformance/changelog/harness.ts'

/** One change: to which of few documents, so that they collide; a value of few, so that changes repeat. */
interface ChangeOf { document: number, value: number, remove: boolean, stale: boolean, channels: string[] }

type Action =
  | { do: 'commit', changes: ChangeOf[] }
  | { do: 'repeat', push: number, altered: boolean }
  | { do: 'read', reader: number, limit: number }
  | { do: 'compact', history: number | null, tombstones: number | null }
  | { do: 'reopen' }
  | { do: 'clear' }

const change: fc.Arbitrary<ChangeOf> = fc.record({
  document: fc.nat(3),
  value: fc.nat(2),
  remove: fc.boolean(),
  stale: fc.nat(15).map(n => n === 0),
  channels: fc.subarray(['red', 'blue'])
})

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('commit' as const), changes: fc.array(change, { maxLength: 4 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('read' as const), reader: fc.nat(READERS().length - 1), limit: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('repeat' as const), push: fc.nat(20), altered: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('compact' as const), history: fc.option(fc.nat(10)), tombstones: fc.option(fc.nat(10)) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'clear' as const }) }
)

/** `snapshot`: the head when a first sync began, until it ends; it keeps the positions below the horizon valid. */
interface Reader { channels?: string[], after: number, snapshot: number, replica: Replica }

function READERS (): Reader[] {
  return [undefined, undefined, ['red'], ['blue'], ['red', 'blue']].map(channels => ({ ...channels && { channels }, after: 0, snapshot: 0, replica: new Map() }))
}

interface Entry { sequence: number, previous: number, document: string | null, channels: string[], time: number, dropped: boolean }

/** The log as one would describe it to a friend: every document with all its entries since its birth. */
class Model {
  documents = new Map<string, Entry[]>()
  identities = new Map<string, Entry>()
  pushes: Array<{ push: Push, first: number }> = []
  readers = READERS()
  head = 0
  horizon = 0
  epochs = 1
  time = NOW

  newest (id: string): Entry | undefined {
    return this.documents.get(id)?.at(-1)
  }

  /** Where a document stands for a reader: its head, or the last entry by which it left every channel read. */
  rows (channels?: string[]): Array<[position: number, id: string, member: boolean, sequence: number]> {
    const rows: Array<[number, string, boolean, number]> = []
    for (const [id, entries] of this.documents) {
      const head = entries.at(-1)!
      const inside = (entry: Entry): boolean => channels === undefined || channels.some(channel => entry.channels.includes(channel))
      const left = entries.findLast((entry, i) => channels?.some(channel => entries[i - 1]?.channels.includes(channel) && !entry.channels.includes(channel)))
      if (inside(head)) rows.push([head.sequence, id, true, head.sequence])
      else if (left !== undefined) rows.push([left.sequence, id, false, head.sequence])
    }
    return rows.sort(([a], [b]) => a - b)
  }

  compact ({ historyBefore = 0, tombstonesBefore = 0 }: CompactPolicy): void {
    for (const [id, entries] of this.documents) {
      const head = entries.at(-1)!
      for (const [i, entry] of entries.entries()) {
        const living = entries.slice(i + 1).find(({ document }) => document !== null)
        if (living !== undefined && living.time < historyBefore) entry.dropped = true
      }
      if (head.document !== null || head.time >= tombstonesBefore) continue
      this.documents.delete(id)
      this.horizon = Math.max(this.horizon, head.sequence)
    }
    for (const [key, { time }] of this.identities) if (time < tombstonesBefore) this.identities.delete(key)
  }
}

interface World { opened: OpenedLog, store: ChangeStore, model: Model }

/** Any run of commits, repeats, reads, compactions, clearings and restarts does what the naive model says. */
export function modelProperty (t: Test, open: () => Promise<OpenedLog>, runs = 150): Promise<unknown> {
  return t.test('promise 2 (Ordered), promise 3 (Once) and promise 8 (Convergent): the log does what a naive model of it does, whatever happens in whatever order', async () => {
    await fc.assert(fc.asyncProperty(fc.array(action, { maxLength: 60, size: 'max' }), async actions => {
      const opened = await open()
      const world: World = { opened, store: opened.store, model: new Model() }
      try {
        world.model.horizon = await world.store.horizon()
        for (const action of actions) await step(world, action)
        for (const reader of world.model.readers) await catchUp(world, reader)
        await agree(world)
      } finally {
        await opened.destroy()
      }
    }), { numRuns: runs })
  })
}

async function step (world: World, action: Action): Promise<void> {
  const { model, store } = world
  model.time++
  if (action.do === 'commit') return commit(world, action.changes)
  if (action.do === 'repeat') return repeat(world, action)
  if (action.do === 'read') return page(world, model.readers[action.reader]!, action.limit)
  if (action.do === 'reopen') return reopen(world)
  if (action.do === 'clear') return clear(world)
  const policy: CompactPolicy = {
    ...action.history !== null && { historyBefore: model.time - action.history },
    ...action.tombstones !== null && { tombstonesBefore: model.time - action.tombstones }
  }
  await store.compact(policy)
  model.compact(policy)
  await agree(world)
}

async function commit ({ store, model }: World, changes: ChangeOf[]): Promise<void> {
  const entries = changes.map(({ document, value, remove, stale, channels }): NewEntry => {
    const documentId = `${document}`
    const identity = digest(`${document}/${value}`)
    const expected = (model.newest(documentId)?.sequence ?? 0) + (stale ? 1 : 0)
    // Who deletes what is not there writes nothing; a log is never asked to.
    const gone = remove && model.newest(documentId)?.document != null
    return newEntry(gone
      ? { documentId, identity, expected, operation: 'delete', document: null }
      : { documentId, identity, expected, document: `{"value":${value}}`, channels })
  })
  const once = entries.filter((entry, i) => entry.document !== null || !entries.slice(0, i).some(other => other.documentId === entry.documentId))
  const push = newPush([], { entries: once, outcome: `["${model.pushes.length}"]`, serverTimestamp: model.time })
  const first = once.filter((entry, i) => once.findIndex(other => other.documentId === entry.documentId) === i)
  const moved = new Set(first.filter(entry => entry.expected !== (model.newest(entry.documentId)?.sequence ?? 0)).map(entry => entry.documentId))
  const result = await store.commit(push)
  if (result.status === 'moved') {
    const heads = [...moved].flatMap(id => model.newest(id)?.sequence ?? [])
    deepEqual(result.heads.map(head => head.sequence).sort(), heads.sort())
    return
  }
  equal(moved.size, 0)
  ok(result.status === 'committed')
  model.pushes.push({ push, first: result.first })
  once.forEach((entry, i) => record(model, entry, result.first + i))
}

function record (model: Model, { documentId, document, identity, channels = [] }: NewEntry, sequence: number): void {
  ok(sequence > model.head)
  const entry = { sequence, previous: model.newest(documentId)?.sequence ?? 0, document, channels: [...channels], time: model.time, dropped: false }
  model.documents.set(documentId, [...model.documents.get(documentId) ?? [], entry])
  const key = `${documentId}/${Buffer.from(identity).toString('hex')}`
  if (!model.identities.has(key)) model.identities.set(key, entry)
  model.head = sequence
}

async function repeat ({ store, model }: World, { push: index, altered }: { push: number, altered: boolean }): Promise<void> {
  if (model.pushes.length === 0) return
  const { push, first } = model.pushes[index % model.pushes.length]!
  const result = await store.commit(altered ? { ...push, fingerprint: digest('altered') } : push)
  deepEqual(result, altered ? { status: 'reused' } : { status: 'seen', first, outcome: push.outcome })
}

async function page ({ store, model }: World, reader: Reader, limit: number): Promise<void> {
  if (reader.channels !== undefined && !store.supports.channels) return
  if (reader.after > 0 && Math.max(reader.after, reader.snapshot) < model.horizon) Object.assign(reader, { after: 0, replica: new Map() })
  if (reader.after === 0) reader.snapshot = model.head
  const { channels, after } = reader
  const found = await read(store, { after, limit, ...channels && { channels } })
  const left = model.rows(channels).filter(([position]) => position > after)
  const expected = left.slice(0, limit)
  deepEqual(found.rows.map(({ position, entry, member }) => [position, entry.documentId, member, entry.sequence]), expected)
  deepEqual([found.scanned, found.head, found.horizon], [left.length > limit ? expected.at(-1)![0] : model.head, model.head, model.horizon])
  for (const { entry } of found.rows) equal(entry.document, model.newest(entry.documentId)?.document)
  apply(reader.replica, found.rows)
  reader.after = found.scanned
  if (found.scanned === found.head) reader.snapshot = 0
}

async function catchUp (world: World, reader: Reader): Promise<void> {
  const { store, model } = world
  if (reader.channels !== undefined && !store.supports.channels) return
  do await page(world, reader, 2)
  while (reader.after < model.head)
  const visible = model.rows(reader.channels).filter(([, id, member]) => member && model.newest(id)!.document !== null)
  deepEqual(contents(reader.replica).map(([key]) => JSON.parse(key)[1]), visible.map(([, id]) => id).sort(), 'a caught-up reader holds what it may see')
}

async function reopen (world: World): Promise<void> {
  world.store = await world.opened.reopen()
  const { store } = world
  if (!store.supports.durable) {
    world.model = Object.assign(new Model(), { time: world.model.time, horizon: await store.horizon() })
    return
  }
  if (!store.supports.facts) return
  world.model.epochs++
  await agree(world)
}

async function clear ({ store, model }: World): Promise<void> {
  await store.clear()
  const { head, horizon, scanned } = await read(store)
  ok(horizon > model.head && scanned >= horizon)
  Object.assign(model, { head, horizon, documents: new Map(), identities: new Map(), epochs: model.epochs + 1 })
}

/** Whatever the store can be asked about the present, it answers as the model does. */
async function agree ({ store, model }: World): Promise<void> {
  equal(await store.getCurrentSequence(), model.head)
  equal(await store.horizon(), model.horizon)
  equal((await store.epochs()).length, model.epochs)
  const kept = [...model.documents.values()].flat().filter(entry => !entry.dropped).sort((a, b) => a.sequence - b.sequence)
  deepEqual((await store.getSince(0, 10_000)).map(entry => [entry.sequence, entry.document]), kept.map(entry => [entry.sequence, entry.document]))
  for (const documentId of ['0', '1', '2', '3']) {
    const own = (model.documents.get(documentId) ?? []).filter(entry => !entry.dropped).reverse()
    const history = await store.history({ collection: 'todos', documentId })
    deepEqual(history.map(entry => [entry.sequence, entry.previous]), own.map(entry => [entry.sequence, entry.previous]))
    const identities = [0, 1, 2].map(value => digest(`${documentId}/${value}`))
    const answers = await store.heads(identities.map(identity => ({ collection: 'todos', documentId, identity })))
    for (const [i, { head, duplicateOf }] of answers.entries()) {
      equal(head?.sequence, model.newest(documentId)?.sequence)
      equal(duplicateOf, model.identities.get(`${documentId}/${Buffer.from(identities[i]!).toString('hex')}`)?.sequence ?? 0)
    }
  }
}
