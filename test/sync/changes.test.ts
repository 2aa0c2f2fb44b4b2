import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { SyncError } from '../../src/errors.ts'
import { Changes, type ChangesAnswer } from '../../src/sync/changes.ts'
import { parseCursor, type Position } from '../../src/sync/cursor.ts'
import { apply, push, type Rules, type TestPage } from '../support/rules.ts'
import { overFile, type World } from '../support/world.ts'

const RUNS = Math.ceil(Number(process.env['POCKET_RUNS'] ?? 100) / 4)

const ids = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), id: fc.constantFrom(...ids), deletes: fc.constantFrom(false, false, true) }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('read' as const), reader: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('poison' as const), after: fc.nat(12), mark: fc.nat(20), newest: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('compact' as const), tombstones: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('restart' as const, 'save' as const, 'restore' as const) }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

function changesOf ({ pulls }: Rules): Changes {
  return new Changes({ pulls, publicPulls: pulls, publicCollections: new Set(['todos']) })
}

/** Keeps for ever what may be kept for long, and nothing else. */
class Cache {
  readonly #pages = new Map<string, ChangesAnswer>()
  hits = 0

  async ask (rules: Rules, since: string): Promise<ChangesAnswer> {
    const kept = this.#pages.get(since)
    if (kept !== undefined) {
      this.hits++
      return kept
    }
    const position = parseCursor(since) as Position & { after: number }
    const page = await changesOf(rules).read({ position, collections: ['todos'], limit: 1, waitMs: 0 }, null, new AbortController().signal)
    if (page.lasting) this.#pages.set(since, page)
    return page
  }
}

/** Begins at 0, and again where it is told to. */
class Reader {
  readonly #cache: Cache
  #documents = new Map<string, string>()
  #since = '0'

  constructor (cache: Cache) {
    this.#cache = cache
  }

  /** @returns what it holds at the end, null before */
  async read (rules: Rules): Promise<ReadonlyMap<string, string> | null> {
    try {
      const { changes, checkpoint, epoch, hasMore } = await this.#cache.ask(rules, this.#since)
      apply(this.#documents, JSON.parse(String(changes)) as TestPage['changes'])
      this.#since = `${checkpoint.global!}~e${epoch}${checkpoint.snapshot === undefined ? '' : `~s${checkpoint.snapshot}`}`
      return hasMore ? null : this.#documents
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'resync_required') throw error
      this.#since = '0'
      this.#documents = new Map()
      return null
    }
  }
}

async function settled (world: World, reader: Reader): Promise<void> {
  let held: ReadonlyMap<string, string> | null = null
  for (let pages = 0; held === null; pages++) {
    if (pages > 100) throw new Error('it never ends')
    held = await reader.read(world.rules)
  }
  const { pulls } = world.rules
  const whole = new Map<string, string>()
  apply(whole, JSON.parse(String((await pulls.pull({ type: 'pull', id: 'x', timestamp: 0, collections: ['todos'], limit: 1000 }, null)).changes)) as TestPage['changes'])
  const [mine, all] = [held, whole].map(documents => JSON.stringify([...documents].sort()))
  if (mine !== all) throw new Error(`it holds ${mine!}, there is ${all!}`)
}

async function play (world: World, steps: readonly Step[], path: string): Promise<number> {
  const cache = new Cache()
  let readers = [0, 1, 2].map(() => new Reader(cache))
  let saved = false
  for (const [n, one] of steps.entries()) {
    const { rules } = world
    rules.clock.advance(1)
    const now = rules.clock.now()
    if (one.kind === 'write') await push(rules, { changes: [{ operation: one.deletes ? 'delete' : 'update', documentId: one.id, document: one.deletes ? null : { n }, timestamp: now }] })
    else if (one.kind === 'read') await readers[one.reader]!.read(rules)
    else if (one.kind === 'compact') await rules.store.compact({ historyBefore: now, tombstonesBefore: now - one.tombstones })
    else if (one.kind === 'poison') {
      const epochs = await rules.store.epochs()
      await cache.ask(rules, `${one.after}~e${epochs.at(one.newest ? -1 : 0)!.id}~s${one.mark}`).catch(() => {})
    } else if (one.kind === 'restart') await world.reopen()
    else if (one.kind === 'save') {
      await world.reopen(() => copyFile(path, `${path}.saved`))
      saved = true
    } else if (saved) {
      await world.reopen(() => copyFile(`${path}.saved`, path))
      // Others come, to the cache as it is.
      readers = readers.map(() => new Reader(cache))
    }
  }
  for (const reader of [...readers, new Reader(cache)]) await settled(world, reader)
  return cache.hits
}

const write = (...names: Array<typeof ids[number]>): Step[] => names.map(id => ({ kind: 'write', id, deletes: false }))
const read: Step[] = Array.from({ length: 7 }, () => ({ kind: 'read', reader: 0 }))

/** What chance finds seldom. */
const hard: Step[][] = [
  // A page that is read after a backup was made, of documents that stood at the backup and are replaced by then.
  [...write('a', 'b', 'c', 'd'), { kind: 'save' }, ...write('b'), ...read, { kind: 'restore' }],
  // A page made ahead, with a document that is deleted by the time that others come by the same mark.
  [...write('a', 'b', 'c'), ...[4, 5].map((mark): Step => ({ kind: 'poison', after: 1, mark, newest: true })), { kind: 'write', id: 'b', deletes: true }, ...write('d', 'e'), { kind: 'compact', tombstones: 0 }]
]

t.test('promise 8 (Convergent): through a cache that keeps for ever what may be kept, and that anybody fills, readers end with what there is, whatever is deleted, forgotten and restored meanwhile', async t => {
  t.testdir()
  let files = 0
  let hits = 0
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async steps => {
    const path = join(t.testdirName, `${++files}.db`)
    const world = await overFile(path)
    try {
      hits += await play(world, steps, path)
    } finally {
      await world.rules.close()
    }
  }), { numRuns: RUNS, examples: hard.map((steps): [Step[]] => [steps]), includeErrorInReport: true })
  t.ok(hits > RUNS / 2, `the cache was of use ${hits} times`)
})
