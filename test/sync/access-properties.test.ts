import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Checkpoint } from '../../schema/checkpoint.ts'
import { SyncError } from '../../src/errors.ts'
import { AccessModel, IDS, regimes, ROOMS, USERS, type ModelDocument, type Regime } from '../support/access-model.ts'
import { pull, push, type TestPage } from '../support/rules.ts'
import { inMemory, overFile, type World } from '../support/world.ts'

const RUNS = Number(process.env['POCKET_RUNS'] ?? 100)

const user = fc.nat(USERS.length - 1)
const rooms = fc.subarray([...ROOMS])
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), id: fc.constantFrom(...IDS), owner: fc.constantFrom(...USERS), rooms, deletes: fc.constantFrom(false, false, false, true) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('push' as const), user, id: fc.constantFrom(...IDS), owner: fc.constantFrom(...USERS), rooms }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pull' as const), user, limit: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move' as const), user, rooms, grants: fc.subarray([...USERS]) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), history: fc.nat(12), tombstones: fc.option(fc.nat(12)) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('quiet' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
type Id = typeof IDS[number]
type Name = typeof USERS[number]
type Room = typeof ROOMS[number]

/** A client as WIRE describes one: it keeps its checkpoint whole, and starts over when it is told to. */
class Replica {
  readonly name: string
  readonly documents = new Map<string, number>()
  readonly #model: AccessModel
  readonly #begin: Checkpoint
  #checkpoint: Checkpoint
  #epoch: string | undefined
  #marked: Set<string> | null = null

  constructor (model: AccessModel, name: string, begin: Checkpoint) {
    this.#model = model
    this.name = name
    this.#begin = begin
    this.#checkpoint = begin
  }

  get #place () {
    return { checkpoint: this.#checkpoint, ...this.#epoch !== undefined && { epoch: this.#epoch } }
  }

  /** @returns whether it is at the end */
  async pull (world: World, limit: number): Promise<boolean> {
    // At 0 it begins: what it pushed before may have left its view as well.
    if (Math.max(this.#checkpoint.global ?? 0, ...Object.values(this.#checkpoint.sequences ?? {})) === 0) this.#marked = new Set(this.documents.keys())
    try {
      const page = await pull(world.rules, { limit, user: userOf(this.name), ...this.#place })
      this.#take(page)
      return !page.hasMore
    } catch (error) {
      this.#startOver(error)
      return false
    }
  }

  #startOver (error: unknown): void {
    if (!(error instanceof SyncError) || error.code !== 'resync_required') throw error
    this.#checkpoint = this.#begin
    this.#epoch = undefined
  }

  async push (world: World, change: { documentId: string, document: Record<string, unknown>, timestamp: number }): Promise<boolean> {
    const answer = await push(world.rules, { changes: [change], ...this.#place }, { user: userOf(this.name), clientId: this.name }).catch(error => this.#startOver(error))
    if (answer === undefined) return false
    const applied = answer.results[0]!.status === 'applied'
    // What it may not see it keeps as its own affair.
    if (applied && this.#model.sees(this.name, change.document as unknown as ModelDocument)) {
      this.documents.set(change.documentId, change.document['n'] as number)
      this.#marked?.delete(change.documentId)
    }
    if ((answer.checkpoint.global ?? 0) > (this.#checkpoint.global ?? 0)) {
      this.#checkpoint = answer.checkpoint
      this.#epoch = answer.epoch
    }
    return applied
  }

  #take (page: TestPage): void {
    const legacy = this.#begin.sequences !== undefined
    for (const { operation, documentId, document, timestamp } of page.changes['todos'] ?? []) {
      const known = document as { n: number, _updatedAt?: number } | null
      if (!this.#model.couldSee(this.name, documentId)) throw new Error(`${this.name} is told of ${documentId}`)
      if (!this.#model.mayKnow(this.name, known?._updatedAt ?? timestamp)) throw new Error(`${this.name} is told when others changed ${documentId}`)
      this.#marked?.delete(documentId)
      if (operation !== 'delete') this.documents.set(documentId, known!.n)
      else if ((document === null) === legacy) throw new Error('a deletion in the wrong form')
      else this.documents.delete(documentId)
      if (operation !== 'delete' && !this.#model.visible(this.name).includes(JSON.stringify([documentId, known!.n]))) throw new Error(`${this.name} is shown ${documentId}`)
    }
    this.#checkpoint = page.checkpoint
    this.#epoch = page.epoch
    if (page.hasMore) return
    for (const id of this.#marked ?? []) this.documents.delete(id)
    this.#marked = null
  }
}

function userOf (name: string) {
  return { id: name, userId: name }
}

async function settled (world: World, replica: Replica, model: AccessModel): Promise<void> {
  for (let pages = 0; !await replica.pull(world, 2); pages++) if (pages > 100) throw new Error('it never ends')
  const held = [...replica.documents].map(entry => JSON.stringify(entry)).sort()
  const wanted = model.visible(replica.name)
  if (JSON.stringify(held) !== JSON.stringify(wanted)) throw new Error(`${replica.name} holds ${held.join()} and may see ${wanted.join()}`)
}

/** Ann and Bob keep one position, Cat one per collection. */
async function play (world: World, model: AccessModel, steps: readonly Step[]): Promise<void> {
  const replicas = USERS.map(name => new Replica(model, name, name === 'cat' ? { sequences: {} } : { global: 0 }))
  const quiet = async (): Promise<void> => { for (const replica of replicas) await settled(world, replica, model) }
  for (const [n, one] of steps.entries()) {
    const { clock, store } = world.rules
    clock.advance(1)
    const now = clock.now()
    if (one.kind === 'pull') await replicas[one.user]!.pull(world, one.limit)
    else if (one.kind === 'move') model.move(USERS[one.user]!, one)
    else if (one.kind === 'compact') await store.compact({ historyBefore: now - one.history, ...one.tombstones !== null && { tombstonesBefore: now - one.tombstones } })
    else if (one.kind === 'quiet') await quiet()
    else if (one.kind === 'reopen') await world.reopen()
    else {
      const document = one.kind === 'write' && one.deletes ? null : { owner: one.owner, rooms: one.rooms, n }
      const change = { operation: document === null ? 'delete' : 'update', documentId: one.id, document, timestamp: now }
      if (one.kind === 'write') {
        const { results: [result] } = await push(world.rules, { changes: [change] }, { operator: true })
        if (result!.status !== 'applied') throw new Error(`a write is ${result!.status}`)
        // A deletion of what is not there writes nothing.
        if (result!.sequence !== undefined) model.write(one.id, document, now)
      } else {
        // Noted before: its own document is nothing that a user must not know.
        if (await replicas[one.user]!.push(world, { ...change, document: document! })) model.write(one.id, document, now)
      }
    }
  }
  await quiet()
}

const write = (id: Id, owner: Name, rooms: Room[] = []): Step => ({ kind: 'write', id, owner, rooms, deletes: false })
const remove = (id: Id): Step => ({ kind: 'write', id, owner: 'ann', rooms: [], deletes: true })
const page = (user: number, limit = 4): Step => ({ kind: 'pull', user, limit })
const compact = (history: number): Step => ({ kind: 'compact', history, tombstones: null })

/** What chance finds seldom; Ann and Bob are users 0 and 1. */
const hard: Step[][] = [
  // A → B → A between two pulls, and a leave that a later update elsewhere hides.
  [write('a', 'ann', ['red']), page(0), write('a', 'bob', ['blue']), write('a', 'ann', ['red']), page(0), write('a', 'bob', ['blue']), write('a', 'bob', ['blue']), page(0)],
  // Deleted, and born again for somebody else.
  [write('a', 'ann', ['red']), page(0), remove('a'), write('a', 'bob', ['blue']), page(0), page(1)],
  // More versions of others than are read at once.
  [write('a', 'ann', ['red']), page(0), ...Array.from({ length: 9 }, () => write('a', 'bob', ['red']))],
  // A catch-up that has passed what is dropped while it is under way, and a first sync that has.
  [write('a', 'ann'), page(0), write('a', 'bob'), write('b', 'ann'), write('c', 'ann'), write('a', 'bob'), page(0, 1), compact(3)],
  [write('b', 'ann'), write('c', 'ann'), page(0, 1), write('b', 'bob'), write('d', 'ann'), write('b', 'bob'), page(0, 1), page(0, 1), compact(4)],
  // What is shown is forgotten before the reader comes back.
  [write('a', 'ann'), page(0), write('a', 'bob'), write('a', 'bob'), compact(0)],
  // Others' deletions.
  [page(0), write('a', 'bob', ['blue']), page(0), remove('a'), page(0)],
  // Somebody's rights are gone.
  [write('a', 'ann', ['red']), page(0), { kind: 'move', user: 0, rooms: [], grants: [] }, page(0)]
]

async function holds (open: (regime: Regime, model: AccessModel) => Promise<World>, regime: Regime, steps: readonly Step[]): Promise<void> {
  const model = new AccessModel(regime)
  const world = await open(regime, model)
  try {
    await play(world, model, steps)
  } finally {
    await world.rules.close()
  }
}

const examples = hard.map((steps): [Step[]] => [steps])

for (const regime of regimes) {
  t.test(`promise 6 (Private): whatever moves among owners, rooms and users, each replica ends with what its user may see and is told of nothing else: ${regime.title}`, async t => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), steps =>
      holds((regime, model) => inMemory(regime.options(model)), regime, steps)), { numRuns: RUNS, examples, includeErrorInReport: true })
    t.pass()
  })

  t.test(`promise 6 (Private): whatever moves among owners, rooms and users, each replica ends with what its user may see and is told of nothing else: ${regime.title}, over a file with restarts`, async t => {
    let files = 0
    t.testdir()
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }), steps =>
      holds((regime, model) => overFile(join(t.testdirName, `${++files}.db`), regime.options(model)), regime, steps)), { numRuns: hard.length + Math.ceil(RUNS / 8), examples, includeErrorInReport: true })
    t.pass()
  })
}
