import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { User } from '../../src/access.ts'
import { AccessModel, IDS, regimes, ROOMS, USERS, type ModelDocument, type Regime } from '../support/access-model.ts'
import { Newcomer } from '../support/newcomer.ts'
import { push } from '../support/rules.ts'
import { inMemory, overFile, type World } from '../support/world.ts'

const RUNS = Number(process.env['POCKET_RUNS'] ?? 100)

const user = fc.nat(USERS.length - 1)
const rooms = fc.subarray([...ROOMS])
const ids = [...IDS, 'e', 'f', 'g', 'h'] as const
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), id: fc.constantFrom(...ids), owner: fc.constantFrom(...USERS), rooms, deletes: fc.constantFrom(false, false, false, true) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('step' as const), user, lines: fc.constantFrom(Infinity, Infinity, 0, 1, 2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), user }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move' as const), user, rooms, grants: fc.subarray([...USERS]) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), history: fc.nat(12), tombstones: fc.option(fc.nat(12)) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

const everybody: Regime = { title: 'no rules', options: () => ({}), sees: () => true }

function userOf (name: string): User {
  return { id: name, userId: name }
}

async function settled (world: World, newcomer: Newcomer, visible: readonly string[]): Promise<void> {
  for (let steps = 0; !await newcomer.step(world.rules); steps++) if (steps > 200) throw new Error('it never ends')
  const held = [...newcomer.documents].map(([key, text]) => JSON.stringify([key.slice('todos/'.length), (JSON.parse(text) as ModelDocument).n])).sort()
  if (JSON.stringify(held) !== JSON.stringify(visible)) throw new Error(`it holds ${held.join()} and may see ${visible.join()}`)
}

async function play (world: World, model: AccessModel, steps: readonly Step[]): Promise<void> {
  const newcomers = USERS.map(name => new Newcomer(userOf(name)))
  for (const [n, one] of steps.entries()) {
    const { clock, store } = world.rules
    clock.advance(1)
    const now = clock.now()
    if (one.kind === 'step') await newcomers[one.user]!.step(world.rules, one.lines)
    else if (one.kind === 'cut') newcomers[one.user]!.cut()
    else if (one.kind === 'move') model.move(USERS[one.user]!, one)
    else if (one.kind === 'compact') await store.compact({ historyBefore: now - one.history, ...one.tombstones !== null && { tombstonesBefore: now - one.tombstones } })
    else if (one.kind === 'reopen') {
      for (const newcomer of newcomers) newcomer.cut()
      await world.reopen()
    } else {
      const document = one.deletes ? null : { owner: one.owner, rooms: one.rooms, n }
      const { results: [result] } = await push(world.rules, { changes: [{ operation: document === null ? 'delete' : 'update', documentId: one.id, document, timestamp: now }] }, { operator: true })
      if (result!.sequence !== undefined) model.write(one.id, document, now)
    }
  }
  for (const [i, newcomer] of newcomers.entries()) await settled(world, newcomer, model.visible(USERS[i]!))
}

async function holds (world: World, model: AccessModel, steps: readonly Step[]): Promise<void> {
  try {
    await play(world, model, steps)
  } finally {
    await world.rules.close()
  }
}

const write = (id: typeof ids[number], more: object = {}): Step => ({ kind: 'write', id, owner: 'ann', rooms: ['red'], deletes: false, ...more })
const next: Step = { kind: 'step', user: 0, lines: Infinity }
const cut: Step = { kind: 'cut', user: 0 }

/** What chance finds seldom. */
const hard: Step[][] = [
  // Shown, then deleted, and the deletion forgotten before the end.
  [write('a'), write('b'), write('c'), write('d'), next, write('a', { deletes: true }), { kind: 'compact', history: 0, tombstones: 0 }, next, next],
  // The same while it was away; and what it has passed is written meanwhile.
  [write('a'), write('b'), write('c'), next, cut, write('a', { deletes: true }), write('b'), write('e'), { kind: 'compact', history: 0, tombstones: 0 }, cut, next],
  // Gone on with after more was written than there was.
  [write('a'), write('b'), write('c'), next, cut, ...ids.map(id => write(id)), next, next],
  // Rights that change under way.
  [write('a'), write('b'), write('c'), next, { kind: 'move', user: 0, rooms: ['blue'], grants: ['bob'] }, next, write('d', { owner: 'bob', rooms: ['blue'] })]
]

const examples = hard.map((steps): [Step[]] => [steps])

for (const regime of [everybody, ...regimes]) {
  t.test(`promise 4 (Safe checkpoints): a snapshot begun at any moment, cut and gone on with at any line among writes, deletions, compactions and moves, then pulled on, ends with what its reader may see: ${regime.title}`, async t => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async steps => {
      const model = new AccessModel(regime)
      await holds(await inMemory(regime.options(model)), model, steps)
    }), { numRuns: RUNS, examples, includeErrorInReport: true })
    t.pass()
  })
}

t.test('promise 4 (Safe checkpoints): the same over a file with restarts', async t => {
  let files = 0
  t.testdir()
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), fc.constantFrom(everybody, ...regimes), async (steps, regime) => {
    const model = new AccessModel(regime)
    await holds(await overFile(join(t.testdirName, `${++files}.db`), regime.options(model)), model, steps)
  }), { numRuns: Math.ceil(RUNS / 4), includeErrorInReport: true })
  t.pass()
})
