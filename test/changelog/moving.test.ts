import { deepEqual, ok } from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { HeadKey, NewEntry, Push } from '../../src/changelog/changelog.ts'
import { contentOf } from '../../src/changelog/entry.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { moveLog } from '../../src/changelog/move.ts'
import { holdsAll, sourceOf, type MovableStore, type MovedRecord } from '../../src/changelog/moving.ts'
import { openDatabase } from '../../src/changelog/sqlite/driver.ts'
import { openView } from '../../src/changelog/sqlite/view.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import type { OpenedLog } from '../../src/conformance/changelog.ts'
import { newPush, NOW, put, write } from '../../src/conformance/changelog/harness.ts'
import { moveInterrupted } from '../../src/conformance/changelog/moving.ts'
import { portraitOf } from '../../src/conformance/changelog/portrait.ts'

interface Change { document: number, value: number, remove: boolean, exact: boolean, rev: boolean, channels: string[] }

type Action =
  | { do: 'commit', changes: Change[], journal: number }
  | { do: 'append', document: number, own: boolean }
  | { do: 'compact', history: boolean, tombstones: boolean }
  | { do: 'discard' | 'clear' | 'file' }

const change: fc.Arbitrary<Change> = fc.record({ document: fc.nat(3), value: fc.nat(2), remove: fc.boolean(), exact: fc.boolean(), rev: fc.boolean(), channels: fc.subarray(['red', 'blue']) })

const actions: fc.Arbitrary<Action[]> = fc.array(fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('commit' as const), changes: fc.array(change, { maxLength: 4 }), journal: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('append' as const), document: fc.nat(3), own: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const), history: fc.boolean(), tombstones: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('discard' as const, 'clear' as const, 'file' as const) }) }
), { maxLength: 25, size: 'max' })

class Story {
  readonly pushes: Push[] = []
  readonly documents: HeadKey[] = [0, 1, 2, 3].map(document => ({ collection: 'todos', documentId: `${document}` }))
  time = NOW
  readonly #store: MovableStore

  constructor (store: MovableStore) {
    this.#store = store
  }

  async tell (action: Action): Promise<void> {
    const store = this.#store
    this.time++
    if (action.do === 'commit') await this.#commit(action.changes, action.journal)
    else if (action.do === 'append') await this.#append(action)
    else if (action.do === 'compact') await store.compact({ ...action.history && { historyBefore: this.time }, ...action.tombstones && { tombstonesBefore: this.time, pushesBefore: this.time - 5 } })
    else if (action.do === 'discard') await store.discardJournal((await store.journal({ limit: 1 })).map(({ id }) => id))
    else if (action.do === 'clear') await store.clear()
    else await store.file(`by ${this.time}`, ({ documentId }) => [documentId === '1' ? 'red' : 'blue'])
  }

  async #commit (changes: readonly Change[], rows: number): Promise<void> {
    const entries: Array<Partial<NewEntry> & { documentId: string }> = []
    for (const { document, value, remove, exact, rev, channels } of changes) {
      const documentId = `${document}`
      const text = JSON.stringify({ _id: documentId, value, ...rev && { _rev: `${value}-x` } })
      const [answer] = await this.#store.heads([{ collection: 'todos', documentId }])
      const gone = remove && answer!.head !== null && answer!.head.operation !== 'delete' && !entries.some(entry => entry.documentId === documentId)
      const content = contentOf({ document: gone ? null : text, timestamp: NOW + value })
      entries.push({ documentId, document: gone ? null : text, operation: gone ? 'delete' : 'insert', timestamp: NOW + value, ...content, exact, expected: answer!.head?.sequence ?? 0, channels: gone ? [] : channels })
      this.documents.push({ collection: 'todos', documentId, identity: content.identity })
    }
    const journal = Array.from({ length: rows }, (_, n) => ({ collection: 'todos', documentId: `${n}`, status: 'conflict' as const, code: 'older', raw: `{"n":${n}}` }))
    const push = newPush(entries, { journal, messageId: `m${this.pushes.length}`, userId: 'ann', serverTimestamp: this.time, outcome: `["${this.time}"]` })
    const { status } = await this.#store.commit(push)
    ok(status === 'committed')
    this.pushes.push(push)
  }

  async #append ({ document, own }: Extract<Action, { do: 'append' }>): Promise<void> {
    await this.#store.append({ id: own ? `own-${this.time}` : '', sequence: 0, collection: 'todos', documentId: `${document}`, operation: 'update', document: '{"appended":true}', data: null, timestamp: this.time })
  }
}

function place (): OpenedLog & { path: string, store: SqliteChangeLog } {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-move-'))
  const path = join(folder, 'log.db')
  let store = new SqliteChangeLog(path, { ballastBytes: 0 })
  return {
    path,
    store,
    reopen: async () => {
      await store.close()
      store = new SqliteChangeLog(path, { ballastBytes: 0 })
      return store
    },
    destroy: async () => {
      await store.close()
      rmSync(folder, { recursive: true })
    }
  }
}

function inMemory (): OpenedLog & { store: MemoryChangeLog } {
  const store = new MemoryChangeLog()
  return { store, reopen: async () => store, destroy: () => store.close() }
}

t.test('promise 3 (Once), promise 4 (Safe checkpoints) and promise 6 (Private): whatever a log has lived through, it answers in a file as in memory, and back in memory as in the file', async () => {
  await fc.assert(fc.asyncProperty(actions, fc.infiniteStream(fc.nat(1000)), async (actions, numbers) => {
    const random = (bound: number): number => numbers.next().value! % bound
    const places = [inMemory(), place(), inMemory()] as const
    try {
      const story = new Story(places[0].store)
      await places[0].store.open()
      for (const action of actions) await story.tell(action)
      // A push whose record was pruned would be committed anew.
      const pushes = story.pushes.filter(({ serverTimestamp }) => serverTimestamp > story.time - 5)
      // Of a head its facts tell the identity; memory forgets it with the tombstones of its time.
      const documents = actions.some(action => action.do === 'compact' && action.tombstones) ? story.documents.filter(({ identity }) => identity === undefined) : story.documents
      const asked = { documents, channels: ['red', 'blue'], pushes }
      const before = await portraitOf(places[0].store, asked)
      const inFile = await moveInterrupted(places[0].store, places[1], random)
      deepEqual(await portraitOf(inFile, asked), before)
      const back = await moveInterrupted(await places[1].reopen() as MovableStore, places[2], random)
      deepEqual(await portraitOf(back, asked), before)
      deepEqual((await back.epochs()).slice(0, -2), await places[0].store.epochs())
    } finally {
      for (const { destroy } of places) await destroy()
    }
  }), { numRuns: 25 })
})

t.test('promise 9 (Clear): an entry whose checksum is wrong ends the move with its sequence, and the target stays closed', async t => {
  const source = place()
  const target = new MemoryChangeLog()
  t.teardown(() => source.destroy())
  await write(source.store, [put('a', 1), put('b', 2)])
  await source.store.close()
  const database = openDatabase(source.path, {})
  database.exec("UPDATE log SET document = replace(document, '2', '3') WHERE sequence = 2")
  database.close()
  await t.rejects(moveLog(await source.reopen() as MovableStore, target), { code: 'storage_unavailable', message: /entry 2 .*damaged/ })
  await t.rejects(target.open(), /not ended/)
})

t.test('promise 9 (Clear): text that a file cannot hold ends the move, naming the document, and nothing of its part is kept', async t => {
  const source = new MemoryChangeLog()
  const target = place()
  t.teardown(() => target.destroy())
  await write(source, [put('fine', 1), { documentId: 'half', document: '"\ud800"' }])
  await t.rejects(moveLog(source, target.store), { name: 'TypeError', message: /todos\/half .*surrogate/ })
  t.match(await target.store.begin(sourceOf(await source.facts())), { progress: null })
  await t.rejects((await target.reopen()).open(), /has not ended/)
  t.throws(() => openView(target.path), /has not ended/, 'nor is half a log looked at')
})

t.test('a source that was served while it was copied is noticed, and the target stays closed', async t => {
  const source = new MemoryChangeLog()
  const target = place()
  t.teardown(() => target.destroy())
  await write(source, [put('a', 1)])
  let written = false
  const onProgress = async (): Promise<void> => {
    if (!written) await write(source, [put('b', 1)])
    written = true
  }
  await t.rejects(moveLog(source, target.store, { onProgress }), { code: 'storage_unavailable', message: /written while/ })
  const store = await target.reopen() as MovableStore
  await t.rejects(store.open(), /has not ended/)
  t.match(await moveLog(source, store), { resumed: false, taken: { entry: 2 } }, 'it begins anew')
})

t.test('one process holds a file that moves: neither end can be served meanwhile', async t => {
  const [source, target] = [place(), place()]
  t.teardown(async () => { await source.destroy(); await target.destroy() })
  await write(source.store, [put('a', 1)])
  const memory = new MemoryChangeLog()
  await source.reopen()
  const resting = await source.reopen() as MovableStore
  await resting.openAtRest()
  await t.rejects(new SqliteChangeLog(source.path).open(), /already open/)
  await moveLog(resting, memory)
  const half = { kind: 'push', push: { messageId: '', key: new Uint8Array(32), fingerprint: new Uint8Array(32), first: 0, outcome: '', serverTimestamp: 1 } } satisfies MovedRecord
  await target.store.begin({ log: 'a', state: 'b' })
  await target.store.take([half], 'c')
  await t.rejects(new SqliteChangeLog(target.path).open(), /already open|has not ended/)
})

t.test('move: a whole copy is known as one, also once it was served, and never where the source went on', async t => {
  const source = new MemoryChangeLog()
  const other = new MemoryChangeLog()
  for (const store of [source, other]) await write(store, [put('a', 1)])
  const target = new MemoryChangeLog()
  await moveLog(source, target)
  const facts = await source.facts()
  await target.open()
  t.ok(holdsAll(facts, facts) && holdsAll(await target.facts(), facts))
  await write(target, [put('b', 1)])
  t.ok(holdsAll(await target.facts(), facts), 'served since')
  t.notOk(holdsAll(await target.facts(), await other.facts()), 'another log')
  await write(source, [put('b', 2)])
  t.notOk(holdsAll(await target.facts(), await source.facts()), 'written since')
  t.notOk(holdsAll(facts, await source.facts()))
})
