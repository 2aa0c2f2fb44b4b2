/** Pages that are kept ready are what would be read at the same moment, whatever happened since they were made. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { ChangeStore } from '../../src/changelog/changelog.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { Pulls } from '../../src/sync/pull.ts'
import { defaultLimits } from '../../src/config.ts'
import { PageCache, ReadyPages } from '../../src/sync/ready.ts'
import { openRules, pull, push, type Rules, type TestPull } from '../support/rules.ts'

const RUNS = Math.ceil(Number(process.env['POCKET_RUNS'] ?? 100) / 2)

type Step =
  | { readonly do: 'write' | 'delete', readonly collection: string, readonly documentId: string }
  | { readonly do: 'forget' | 'clear' | 'reopen' }
  | { readonly do: 'pull', readonly after: number, readonly limit: number, readonly collections: readonly string[] }

const collection = fc.constantFrom('todos', 'notes')
const steps = fc.array(fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('write', 'write', 'delete' as const), collection, documentId: fc.constantFrom('a', 'b', 'c', 'd') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('forget', 'clear', 'reopen' as const) }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('pull' as const), after: fc.constantFrom(0, 1, 2, 5), limit: fc.constantFrom(1, 2), collections: fc.subarray(['todos', 'notes']) }) }
), { minLength: 20, maxLength: 60 }) as fc.Arbitrary<Step[]>

/** One server over a file that is also restarted, with pages kept ready; next to it one that reads every page anew. */
class World {
  readonly #folder = mkdtempSync(join(tmpdir(), 'pocket-ready-'))
  #rules!: Rules
  readyAnswers = 0

  async open (readyBytes: number): Promise<void> {
    this.#rules = await openRules({ store: new SqliteChangeLog(join(this.#folder, 'log.db'), { synchronous: 'normal' }), readyBytes })
    const { store } = this.#rules
    const read = store.read.bind(store)
    store.read = async query => {
      const page = await read(query)
      if (page.stamp !== undefined && page.stamp === query.stamp && page.rows.length === 0) this.readyAnswers++
      return page
    }
  }

  async step (step: Step, readyBytes: number): Promise<void> {
    const { store, clock } = this.#rules
    switch (step.do) {
      case 'write':
      case 'delete': {
        const [head] = await store.heads([step])
        const timestamp = clock.time++
        await push(this.#rules, { collection: step.collection, changes: [{ operation: step.do === 'delete' ? 'delete' : 'update', documentId: step.documentId, document: step.do === 'delete' ? null : { n: timestamp }, timestamp, ...head!.head !== null && { base: head!.head.sequence } }] })
        return
      }
      case 'forget': return await store.compact({ tombstonesBefore: clock.now() + 1, historyBefore: clock.now() + 1 })
      case 'clear': return await store.clear()
      case 'reopen':
        await this.close(false)
        return await this.open(readyBytes)
      case 'pull': return await this.#pull({ checkpoint: { global: Math.min(step.after, await store.getCurrentSequence()) }, limit: step.limit, collections: [...step.collections] })
    }
  }

  async #pull (asked: TestPull): Promise<void> {
    const anew = { ...this.#rules, pulls: pullsAnew(this.#rules) }
    const [got, want] = await Promise.all([this.#rules, anew].map(async rules => JSON.stringify(await pull(rules, asked).catch((error: unknown) => String(error)))))
    if (got !== want) throw new Error(`${JSON.stringify(asked)} was answered ${got!}, there is ${want!}`)
  }

  async close (last = true): Promise<void> {
    await this.#rules.close()
    if (last) rmSync(this.#folder, { recursive: true })
  }
}

/** The same server without anything that is kept. */
function pullsAnew ({ store, bell, clock, views }: Rules): Pulls {
  return new Pulls({ store, bell, clock, views, limits: defaultLimits })
}

/** Pages were asked for again after each kind of change. */
const again = [0, 1].flatMap((): Step[] => [{ do: 'pull', after: 0, limit: 1, collections: ['todos'] }, { do: 'pull', after: 0, limit: 2, collections: [] }])
const written = ['a', 'b', 'c'].map((documentId): Step => ({ do: 'write', collection: 'todos', documentId }))
const examples: Step[][] = [
  [...again, ...written.slice(0, 1), ...again],
  [...again, { do: 'delete', collection: 'todos', documentId: 'a' }, ...again, { do: 'forget' }, ...again],
  [...again, { do: 'delete', collection: 'todos', documentId: 'c' }, { do: 'forget' }, ...again],
  [...again, { do: 'clear' }, ...again, ...written, ...again],
  [{ do: 'write', collection: 'notes', documentId: 'a' }, ...again, ...written.slice(0, 2), ...again]
]

t.test('promise 4 (Safe checkpoints): a page that was kept ready is what is read at the same moment, whatever was written, deleted, forgotten or cleared since', async t => {
  let ready = 0
  await fc.assert(fc.asyncProperty(steps, fc.constantFrom(0, 3000, 1_000_000), async (plan, readyBytes) => {
    const world = new World()
    await world.open(readyBytes)
    try {
      for (const step of [...written, ...plan]) await world.step(step, readyBytes)
      ready += world.readyAnswers
    } finally {
      await world.close()
    }
  }), { numRuns: RUNS, examples: examples.map(plan => [plan, 1_000_000]) })
  t.ok(ready > RUNS / 2, `${ready} pages were ready`)
})

async function filled (t: Test, readyBytes = 1_000_000): Promise<Rules & { readonly asked: Array<string | undefined> }> {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-ready-'))
  const rules = await openRules({ store: new SqliteChangeLog(join(folder, 'log.db'), { synchronous: 'normal' }), readyBytes })
  t.teardown(async () => {
    await rules.close()
    rmSync(folder, { recursive: true })
  })
  for (const documentId of ['a', 'b', 'c', 'd']) await push(rules, { changes: [{ documentId, document: { text: 'x'.repeat(500) } }] })
  const asked: Array<string | undefined> = []
  const read = rules.store.read.bind(rules.store)
  rules.store.read = query => {
    asked.push(query.stamp)
    return read(query)
  }
  return { ...rules, asked }
}

t.test('promise 7 (Isolated): what is kept stays within its bytes: the page that nobody asked for the longest goes, and none that is too large stays', async t => {
  const rules = await filled(t, 3400)
  const first = (after: number): TestPull => ({ checkpoint: { global: after }, limit: 1 })
  for (const after of [0, 1, 0, 2, 0, 1]) await pull(rules, first(after))
  t.same(rules.asked.map(stamp => stamp !== undefined), [false, false, true, false, true, false])
  await pull(rules, { limit: 3 })
  await pull(rules, { limit: 3 })
  t.equal(rules.asked.at(-1) !== undefined, true, 'alone it fits')
  const none = await filled(t, 1000)
  for (let i = 0; i < 2; i++) await pull(none, first(0))
  t.same(none.asked, [undefined, undefined])
})

t.test('promise 7 (Isolated): many logs keep no more than one, and what one forgets the others keep', async t => {
  const cache = new PageCache(3400)
  const form = { name: 'test', textOf: () => 'x'.repeat(500) }
  const logs = [1, 2, 3].map(() => {
    const asked: Array<string | undefined> = []
    const page = { rows: [], scanned: 1, head: 2, horizon: 0, historyHorizon: 0, epochs: [] }
    const ready = new ReadyPages({ read: async query => ({ ...page, stamp: `${asked.push(query.stamp)}` }) }, cache)
    return { asked, ready, read: () => ready.read({ after: 0, collections: null, limit: 1, bytes: 1 }, form) }
  })
  const [first, second, third] = logs as [typeof logs[0], typeof logs[0], typeof logs[0]]
  for (const log of [first, second, third, first]) await log.read()
  t.same([first.asked, second.asked, third.asked], [[undefined, undefined], [undefined], [undefined]], 'the third took the place of the first')
  first.ready.forget()
  for (const log of [first, third]) await log.read()
  t.same([first.asked.at(-1), third.asked.at(-1)], [undefined, '1'])
})

t.test('promise 6 (Private): what was erased is not kept, not even of a page that was being read meanwhile', async t => {
  const rules = await filled(t)
  await pull(rules, { limit: 1 })
  rules.ready.forget()
  await pull(rules, { limit: 1 })
  t.equal(rules.asked.at(-1), undefined)
  rules.ready.forget()
  const reading = pull(rules, { limit: 1 })
  rules.ready.forget()
  await reading
  await pull(rules, { limit: 1 })
  t.equal(rules.asked.at(-1), undefined)
})

t.test('promise 8 (Convergent): a log of another epoch is another log, though as many documents lie in it', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-ready-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const logs = await Promise.all(['one', 'other'].map(async name => {
    const store = new SqliteChangeLog(join(folder, `${name}.db`), { synchronous: 'normal' })
    const rules = await openRules({ store })
    for (const documentId of ['a', 'b', 'c']) await push(rules, { changes: [{ documentId, document: { of: name } }] })
    return store
  }))
  let at = 0
  const store = new Proxy<ChangeStore>(logs[0]!, {
    get: (_, name) => {
      const log = logs[at]!
      const member: unknown = Reflect.get(log, name)
      return typeof member === 'function' ? member.bind(log) as unknown : member
    }
  })
  const rules = await openRules({ store })
  t.teardown(async () => { for (const log of logs) await log.close() })
  t.match((await pull(rules, { limit: 2 })).changes, { todos: [{ document: { of: 'one' } }, { document: { of: 'one' } }] })
  at = 1
  t.match((await pull(rules, { limit: 2 })).changes, { todos: [{ document: { of: 'other' } }, { document: { of: 'other' } }] })
})
