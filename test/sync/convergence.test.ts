import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { CollectionOptions, Conflict } from '../../src/collections.ts'
import { OfflineClient } from '../support/offline-client.ts'
import { openRules, pull, push, replicate, START, type TestChange } from '../support/rules.ts'
import { inMemory, overFile, type World } from '../support/world.ts'

const RUNS = Number(process.env['POCKET_RUNS'] ?? 100)
const RETENTION = 10

/** Deletes some, fails on some, chooses some, unites the rest. */
async function ownRule ({ stored, incoming }: Conflict): Promise<object | null> {
  await Promise.resolve()
  const value = Number(incoming?.['x'] ?? 0) + Number(stored?.['x'] ?? 0)
  if (value % 5 === 1) throw new Error('on purpose')
  if (value % 5 === 2) return null
  return value % 5 === 3 ? incoming : { ...incoming, ...stored }
}

const strategies: ReadonlyArray<[string, CollectionOptions]> = [
  ['last-write-wins', {}],
  ['server-wins', { conflictStrategy: 'server-wins' }],
  ['client-wins', { conflictStrategy: 'client-wins' }],
  ['merge', { conflictStrategy: 'merge' }],
  ['resolveConflict', { resolveConflict: ownRule }]
]

const client = fc.nat(2)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('edit' as const), client, id: fc.constantFrom('a', 'b'), field: fc.constantFrom('x', 'y', 'z'), deletes: fc.constantFrom(true, false, false, false, false, false), skew: fc.integer({ min: -9, max: 9 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('push' as const), client, lost: fc.boolean(), renamed: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pull' as const), client, limit: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('save' as const), client }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), client }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), client, tombstones: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const), client }) }
)
type Steps = ReadonlyArray<typeof step extends fc.Arbitrary<infer S> ? S : never>
const steps = fc.array(step, { minLength: 10, maxLength: 80, size: 'max' })

/** A client that takes nothing but pages pushes what is then merged: its checkpoint must not pass that. */
const mergedUnread: Steps = [
  { kind: 'edit', client: 2, id: 'b', field: 'z', deletes: false, skew: 0 },
  { kind: 'edit', client: 0, id: 'b', field: 'x', deletes: false, skew: 0 },
  { kind: 'push', client: 0, lost: false, renamed: false },
  { kind: 'pull', client: 2, limit: 1 }
]

/** @returns what was committed before this may be gone from the history */
async function play (world: World, clients: readonly OfflineClient[], steps: Steps): Promise<number> {
  let gone = 0
  for (const [number, one] of steps.entries()) {
    const { clock, store } = world.rules
    clock.advance(1)
    const actor = clients[one.client]!
    // Every value is another one, so that it can be found again.
    if (one.kind === 'edit') actor.edit(one.id, one.deletes ? null : { [one.field]: 1000 + number }, clock.now() + one.skew)
    else if (one.kind === 'push') await actor.push(world.rules, one)
    else if (one.kind === 'pull') await actor.pull(world.rules, one.limit)
    else if (one.kind === 'save') actor.save()
    else if (one.kind === 'restart') actor.restart()
    else if (one.kind === 'reopen') await world.reopen()
    else {
      gone = clock.now() - RETENTION
      await store.compact({ historyBefore: gone, ...one.tombstones && { tombstonesBefore: gone } })
    }
  }
  return gone
}

/** Nothing that was answered is gone before its time: it is in the history, or as a loser in the journal. */
async function keptAll ({ rules: { store } }: World, clients: readonly OfflineClient[], gone: number): Promise<void> {
  const histories = new Map(await Promise.all(['a', 'b'].map(async documentId => [documentId, await store.history({ collection: 'todos', documentId }, { limit: 1000 })] as const)))
  const journal = (await store.journal({ limit: 1000 })).map(({ raw }) => raw).join('\n')
  for (const { change, result, at } of clients.flatMap(({ answered }) => answered)) {
    if (at < gone) continue
    const kept = histories.get(change.documentId)!
    const entry = kept.find(({ sequence }) => sequence === result.sequence)
    if (result.status === 'applied' && result.sequence !== undefined) same(entry?.document ?? null, change.document ?? null)
    if (result.status === 'merged' && result.document !== undefined) same(entry?.document ?? null, result.document)
    // Of the values in it the newest is its own.
    const value = Object.values(change.document ?? {}).map(String).sort().at(-1) ?? ''
    if (result.status !== 'duplicate' && !kept.some(({ document }) => document?.includes(value)) && !journal.includes(value)) {
      throw new Error(`${value} of a change that was ${result.status} is neither in the history nor in the journal`)
    }
  }
}

function same (text: string | null, document: unknown): void {
  if (JSON.stringify(text === null ? null : JSON.parse(text)) !== JSON.stringify(document)) throw new Error(`${JSON.stringify(document)} was acknowledged, ${text} is in the history`)
}

async function endsAlike (world: World, steps: Steps): Promise<boolean> {
  const clients = [new OfflineClient('phone'), new OfflineClient('laptop'), new OfflineClient(null, { lazy: true })]
  await push(world.rules, { changes: ['a', 'b'].map(documentId => ({ documentId, document: { x: 0, y: 0, z: 0 } })) })
  for (const client of clients) await client.catchUp(world.rules)
  const gone = await play(world, clients, steps)
  await keptAll(world, clients, gone)
  for (const client of clients) await client.settle(world.rules)
  for (const client of clients) await client.catchUp(world.rules)
  const truth = (await replicate(world.rules)).documents
  return clients.every(({ documents }) => sorted(documents) === sorted(new Map([...truth].map(([key, text]) => [key.slice(6), JSON.parse(text)]))))
}

for (const [name, options] of strategies) {
  t.test(`promise 8 (Convergent): with ${name} every interleaving of edits, pushes, lost answers, pulls, restarts and compactions ends with equal replicas, and nothing answered is gone before its time`, async t => {
    await fc.assert(fc.asyncProperty(steps, async steps => {
      const world = await inMemory(options)
      try {
        return await endsAlike(world, steps)
      } finally {
        await world.rules.close()
      }
    }), { numRuns: RUNS, examples: [[mergedUnread]] })
    t.pass()
  })

  t.test(`promise 8 (Convergent): with ${name} the same over a file, with restarts of the server`, async t => {
    let files = 0
    t.testdir()
    await fc.assert(fc.asyncProperty(steps, async steps => {
      const path = join(t.testdirName, `${++files}.db`)
      const world = await overFile(path, options)
      try {
        return await endsAlike(world, steps)
      } finally {
        await world.rules.close()
      }
    }), { numRuns: Math.ceil(RUNS / 20) })
    t.pass()
  })
}

const paths = ['x', 'y', 'o.x', 'o.y', 'new', 'o.new']
/** Few instants, so that ties happen, before and after the version that all of them edited. */
const edit = fc.record({ paths: fc.subarray(paths, { minLength: 1, maxLength: 4 }), timestamp: fc.integer({ min: START - 3, max: START + 3 }) })

t.test('promise 8 (Convergent): merged edits of one version end the same in every order of arrival', async t => {
  await fc.assert(fc.asyncProperty(fc.array(edit, { minLength: 2, maxLength: 4 }), async edits => {
    const endings = new Set<string>()
    for (const order of permutations(edits.map((_, i) => i))) {
      const rules = await openRules({ conflictStrategy: 'merge' })
      await push(rules, { changes: [{ documentId: 'a', document: edited([], 0) }] })
      for (const i of order) await push(rules, { changes: [{ documentId: 'a', document: edited(edits[i]!.paths, i + 1), timestamp: edits[i]!.timestamp, base: 1 }] })
      endings.add(canonical((await pull(rules)).changes['todos']![0]!.document))
      await rules.close()
    }
    return endings.size === 1
  }), { numRuns: RUNS })
  t.pass()
})

/** Two edits of one version are merged, in any order; a change without a base comes before, between or after them. */
async function withBlind (order: readonly TestChange[]): Promise<unknown> {
  const rules = await openRules({ conflictStrategy: 'merge' })
  await push(rules, { changes: [{ documentId: 'a', document: edited([], 0), timestamp: START }] })
  for (const change of order) await push(rules, { changes: [change] })
  const [change] = (await pull(rules)).changes['todos']!
  await rules.close()
  return change!.document
}

const newer = { documentId: 'a', document: edited(['x'], 1), timestamp: START + 20, base: 1 }
const older = { documentId: 'a', document: edited(['y'], 2), timestamp: START + 10, base: 1 }
const oldest = { documentId: 'a', document: edited(['o.x'], 3), timestamp: START + 9, base: 1 }
const blind = (timestamp: number): TestChange => ({ documentId: 'a', document: { blind: true }, timestamp })

t.test('promise 8 (Convergent): a change without a base that lost to a version does not beat what that version was merged into', async t => {
  for (const order of [[newer, older, blind(START + 15)], [older, newer, blind(START + 15)]]) t.strictSame(await withBlind(order), { ...edited(['x'], 1), y: 2 })
})

t.test('promise 8 (Convergent): a change without a base that is newer than all that was merged wins', async t => {
  for (const order of [[newer, older, oldest, blind(START + 21)], [oldest, older, newer, blind(START + 21)]]) t.strictSame(await withBlind(order), { blind: true })
})

/** No two edits write the same value. */
function edited (paths: readonly string[], by: number): Record<string, unknown> {
  const document: Record<string, any> = { x: 0, y: 0, o: { x: 0, y: 0 } }
  for (const path of paths) {
    const [name = '', ...outer] = path.split('.').reverse()
    outer.reduce((object, name) => object[name], document)[name] = by
  }
  return document
}

function permutations<T> (items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) => permutations([...items.slice(0, i), ...items.slice(i + 1)]).map(rest => [item, ...rest]))
}

function sorted (documents: Map<string, Record<string, unknown>>): string {
  return canonical(Object.fromEntries(documents))
}

function canonical (value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => typeof member === 'object' && member !== null && !Array.isArray(member)
    ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => a < b ? -1 : 1))
    : member)
}
