import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { apply, openRules, pull, push, replicate, START, type Rules, type TestChange } from '../support/rules.ts'
import { overFile, type World } from '../support/world.ts'
import type { Checkpoint } from '../../schema/checkpoint.ts'

const RUNS = Number(process.env['POCKET_RUNS'] ?? 150)

async function withRules<T> (run: (rules: Rules) => Promise<T>): Promise<T> {
  const rules = await openRules()
  try {
    return await run(rules)
  } finally {
    await rules.close()
  }
}

/** How a client says which version it edited. */
const knowledge = fc.constantFrom('base', 'rev', 'checkpoint')
const edit = fc.record({
  delete: fc.boolean(),
  value: fc.integer({ min: 0, max: 3 }),
  // Few instants, so that ties happen, before and after the version that all of them edited.
  timestamp: fc.integer({ min: START - 3, max: START + 3 }),
  knows: knowledge
})

/** Two deletions of the same instant are one change, by its identity. */
const edits = fc.uniqueArray(edit, { minLength: 2, maxLength: 4, selector: one => one.delete ? one.timestamp : one })

/** Once diverged: the later deletion found a tombstone and was forgotten, so that the edit rose above it. */
const deletionsAroundAnEdit = [
  { delete: true, value: 0, timestamp: START - 3, knows: 'base' },
  { delete: true, value: 0, timestamp: START + 2, knows: 'base' },
  { delete: false, value: 0, timestamp: START + 2, knows: 'base' }
]

t.test('promise 8 (Convergent): mutually concurrent changes to a document that exists end the same in every order of arrival', async t => {
  await fc.assert(fc.asyncProperty(edits, fc.boolean(), async (edits, clientIds) => {
    const endings = new Set<string>()
    for (const order of permutations(edits.map((_, i) => i))) {
      endings.add(await withRules(async rules => {
        await push(rules, { changes: [{ documentId: 'a', document: { _rev: '1-base', value: 'base' } }] })
        for (const i of order) {
          const { delete: deleted, value, timestamp, knows } = edits[i]!
          const change: TestChange = deleted
            ? { operation: 'delete', documentId: 'a', timestamp }
            : { documentId: 'a', document: { value, by: i }, timestamp }
          if (knows === 'base') change.base = 1
          if (knows === 'rev') change.previousDocument = { _rev: '1-base' }
          await push(rules, { changes: [change], checkpoint: { global: 1 } }, { clientId: clientIds ? `c${i}` : null })
        }
        return JSON.stringify([...(await replicate(rules)).documents])
      }))
    }
    return endings.size === 1
  }), { numRuns: RUNS, examples: [[deletionsAroundAnEdit, false]] })
  t.pass()
})

function permutations<T> (items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) => permutations([...items.slice(0, i), ...items.slice(i + 1)]).map(rest => [item, ...rest]))
}

/** A client as WIRE describes one: it applies what it is told, keeps the higher checkpoint, and echoes it whole. */
class Replica {
  documents = new Map<string, string>()
  sequences = new Map<string, number>()
  checkpoint: Checkpoint = { global: 0 }
  epoch: string | undefined
  /** Every checkpoint the server ever handed it, with what it held at that moment. */
  readonly handed: Array<{ checkpoint: Checkpoint, epoch: string, documents: Map<string, string> }> = []
  readonly #world: World
  readonly #name: string | null

  constructor (world: World, name: string | null) {
    this.#world = world
    this.#name = name
  }

  get #state () {
    return { checkpoint: this.checkpoint, ...(this.epoch === undefined ? {} : { epoch: this.epoch }) }
  }

  async pull (limit: number): Promise<void> {
    const page = await pull(this.#world.rules, { limit, ...this.#state })
    apply(this.documents, page.changes)
    for (const change of page.changes['todos'] ?? []) this.sequences.set(change.documentId, change.sequence)
    this.#adopt(page.checkpoint, page.epoch)
  }

  /** Names the versions that this replica holds as those that the changes edited. */
  based (changes: TestChange[]): TestChange[] {
    return changes.map(change => ({ ...change, base: this.sequences.get(change.documentId) ?? 0 }))
  }

  async push (id: string, changes: TestChange[]): Promise<void> {
    const answer = await push(this.#world.rules, { id, changes, ...this.#state }, { clientId: this.#name })
    for (const { index, status, sequence } of answer.results) {
      const change = changes[index]!
      if (status !== 'applied' || sequence === undefined || sequence < (this.sequences.get(change.documentId) ?? 0)) continue
      apply(this.documents, { todos: [{ ...change, operation: change.operation ?? 'update', document: change.document ?? null, timestamp: 0, sequence }] })
      this.sequences.set(change.documentId, sequence)
    }
    for (const { documentId, serverDocument, serverChange } of answer.conflicts ?? []) {
      apply(this.documents, { todos: [{ operation: serverDocument === null ? 'delete' : 'update', documentId, document: serverDocument, timestamp: 0, sequence: 0 }] })
      if (serverChange !== undefined) this.sequences.set(documentId, serverChange.sequence)
    }
    this.#adopt(answer.checkpoint, answer.epoch)
  }

  #adopt (checkpoint: Checkpoint, epoch: string): void {
    if ((checkpoint.global ?? 0) < (this.checkpoint.global ?? 0)) return
    this.checkpoint = checkpoint
    this.epoch = epoch
    this.handed.push({ checkpoint, epoch, documents: new Map(this.documents) })
  }

  async catchUp (): Promise<void> {
    const { documents, checkpoint, epoch } = await replicate(this.#world.rules, { into: this.documents, from: this.#state })
    this.documents = documents
    this.checkpoint = checkpoint
    this.epoch = epoch
  }
}

const ids = ['a', 'b', 'c', 'd']
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      client: fc.nat(2),
      withBase: fc.boolean(),
      again: fc.boolean(),
      changes: fc.array(fc.record({ id: fc.constantFrom(...ids), value: fc.nat(5), delete: fc.boolean(), skew: fc.integer({ min: -5, max: 5 }) }), { minLength: 1, maxLength: 3 })
    })
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pull' as const), client: fc.nat(2), limit: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), client: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), client: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), client: fc.constant(0) }) }
)

async function play (world: World, replicas: Replica[], steps: ReadonlyArray<typeof step extends fc.Arbitrary<infer S> ? S : never>): Promise<void> {
  for (const [number, one] of steps.entries()) {
    const { rules } = world
    rules.clock.advance(1)
    const replica = replicas[one.client]!
    if (one.kind === 'pull') await replica.pull(one.limit)
    else if (one.kind === 'compact') await rules.store.compact()
    else if (one.kind === 'forget') replica.epoch = undefined
    else if (one.kind === 'restart') await world.reopen()
    else {
      const changes = one.changes.map(({ id, value, delete: deleted, skew }) => ({
        operation: deleted ? 'delete' : 'update', documentId: id, document: deleted ? null : { value, number, client: one.client }, timestamp: rules.clock.now() + skew
      }))
      const sent = one.withBase ? replica.based(changes) : changes
      await replica.push(`p${number}`, sent)
      if (one.again) await replica.push(`p${number}`, sent)
    }
  }
}

type Steps = Parameters<typeof play>[2]

/** Caught up from any checkpoint that was ever handed out, every client holds what the server holds. */
async function endsAlike (world: World, steps: Steps): Promise<boolean> {
  const replicas = ['phone', 'laptop', null].map(name => new Replica(world, name))
  await play(world, replicas, steps)
  const truth = sorted((await replicate(world.rules)).documents)
  for (const replica of replicas) {
    for (const { documents, checkpoint, epoch } of replica.handed) {
      const caughtUp = await replicate(world.rules, { into: new Map(documents), from: { checkpoint, epoch } })
      if (sorted(caughtUp.documents) !== truth) return false
    }
    await replica.catchUp()
    if (sorted(replica.documents) !== truth) return false
  }
  return true
}

const TITLE = 'promise 8 (Convergent) and promise 4 (Safe checkpoints): whatever clients do, caught up they hold what the server holds, from every checkpoint ever handed out'

t.test(TITLE, async t => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => withRules(async rules =>
    await endsAlike({ rules, reopen: async () => {} }, steps))), { numRuns: RUNS })
  t.pass()
})

t.test(`${TITLE}: over a file, with restarts`, async t => {
  let files = 0
  t.testdir()
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 20 }), async steps => {
    const path = join(t.testdirName, `${++files}.db`)
    const world = await overFile(path)
    try {
      return await endsAlike(world, steps)
    } finally {
      await world.rules.close()
    }
  }), { numRuns: Math.ceil(RUNS / 10) })
  t.pass()
})

t.test('promise 4 (Safe checkpoints): the size of the pages does not change what is seen', async t => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 20 }), async steps => withRules(async rules => {
    const world = { rules, reopen: async () => {} }
    await play(world, ['phone', 'laptop', null].map(name => new Replica(world, name)), steps)
    const whole = sorted((await replicate(rules)).documents)
    for (const limit of [1, 2, 3]) {
      const { documents, pages } = await replicate(rules, { limit })
      if (sorted(documents) !== whole || pages > ids.length + 1) return false
    }
    return true
  })), { numRuns: RUNS })
  t.pass()
})

t.test('promise 3 (Once): pushes sent again in any order, at once, take effect once', async t => {
  const message = fc.record({ id: fc.constantFrom(...ids), value: fc.nat(3), at: fc.nat(3) })
  await fc.assert(fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 6 }), fc.array(fc.nat(5), { minLength: 1, maxLength: 20 }), async (messages, sends) => withRules(async rules => {
    const first = new Map<number, string>()
    const statuses = new Map<number, Set<string>>()
    await Promise.all(sends.map(async send => {
      const which = send % messages.length
      const { id, value, at } = messages[which]!
      const answer = await push(rules, { id: `m${which}`, changes: [{ documentId: id, document: { value }, timestamp: START + at }] }, { clientId: 'phone' })
      first.set(which, id)
      statuses.set(which, (statuses.get(which) ?? new Set()).add(JSON.stringify(answer.results)))
    }))
    const applied = [...statuses.values()].flatMap(set => [...set]).filter(text => text.includes('"applied"'))
    return [...statuses.values()].every(set => set.size === 1) && applied.length === await rules.store.getCurrentSequence()
  })), { numRuns: RUNS })
  t.pass()
})

function sorted (documents: Map<string, string>): string {
  return JSON.stringify([...documents].sort(([a], [b]) => a < b ? -1 : 1))
}
