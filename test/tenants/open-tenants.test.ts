import { strict } from 'node:assert'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { SyncError } from '../../src/errors.ts'
import { OpenTenants } from '../../src/tenants/open-tenants.ts'
import { TestClock } from '../support/rules.ts'

/** A log that only knows whether it is open. */
interface Opened {
  readonly name: string
  open: boolean
  kept: boolean
}

/** Tenants whose openings and closings take as long as a test says. */
class World {
  readonly clock = new TestClock()
  readonly open = new Map<string, Opened>()
  readonly opens: string[] = []
  readonly errors: unknown[] = []
  readonly working = new Map<Opened, number>()
  /** Names that cannot be opened. */
  readonly broken = new Set<string>()
  most = 0
  slow: Promise<unknown> | null = null
  readonly tenants: OpenTenants<Opened>

  constructor (most: number) {
    this.tenants = new OpenTenants({
      open: name => this.#open(name),
      close: opened => this.#close(opened),
      isKept: ({ kept }) => kept,
      most,
      clock: this.clock,
      onError: error => { this.errors.push(error) }
    })
  }

  async within<T> (name: string, work: () => Promise<T> | T): Promise<T> {
    return await this.tenants.within(name, async opened => {
      strict.equal(opened.name, name, 'the tenant that was asked for')
      this.working.set(opened, (this.working.get(opened) ?? 0) + 1)
      try {
        return await work()
      } finally {
        strict.ok(opened.open, 'it is open as long as somebody works on it')
        this.working.set(opened, this.working.get(opened)! - 1)
      }
    })
  }

  async #open (name: string): Promise<Opened> {
    strict.equal(this.open.has(name), false, 'nobody has two logs open on one file')
    const opened = { name, open: true, kept: false }
    this.open.set(name, opened)
    this.opens.push(name)
    this.most = Math.max(this.most, this.open.size)
    await (this.slow ?? turn())
    if (!this.broken.has(name)) return opened
    this.open.delete(name)
    throw new SyncError('storage_unavailable', { detail: name })
  }

  async #close (opened: Opened): Promise<void> {
    strict.equal(this.working.get(opened) ?? 0, 0, 'nothing works on it')
    strict.equal(opened.kept, false, 'nothing keeps it')
    opened.open = false
    await turn()
    this.open.delete(opened.name)
  }
}

async function settled (): Promise<void> {
  for (let i = 0; i < 20; i++) await turn()
}

t.test('promise 7 (Isolated): never are more logs open than may be, none twice, and none is closed under who uses it', async () => {
  const op = fc.record({ kind: fc.constantFrom('begin', 'begin', 'end', 'keep', 'free', 'break', 'mend', 'turn'), nth: fc.nat(7) })
  await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(op, { maxLength: 60 }), async (most, ops) => {
    const world = new World(most)
    const ends: Array<() => void> = []
    const works: Array<Promise<unknown>> = []
    const steps: Record<string, (nth: number) => unknown> = {
      begin: nth => works.push(world.within(`t${nth}`, () => new Promise<void>(resolve => { ends.push(resolve) })).catch((error: unknown) => {
        strict.match((error as SyncError).code, /^(overloaded|storage_unavailable)$/)
      })),
      end: nth => ends.splice(nth % Math.max(1, ends.length), 1)[0]?.(),
      keep: nth => { const opened = world.open.get(`t${nth}`); if (opened !== undefined && (world.working.get(opened) ?? 0) > 0) opened.kept = true },
      free: nth => { const opened = world.open.get(`t${nth}`); if (opened !== undefined) opened.kept = false; world.tenants.freed() },
      break: nth => world.broken.add(`t${nth}`),
      mend: nth => world.broken.delete(`t${nth}`),
      turn: () => turn()
    }
    for (const { kind, nth } of ops) await steps[kind]!(nth)
    for (const opened of world.open.values()) opened.kept = false
    world.tenants.freed()
    for (let i = 0; i < 100 && works.length > 0; i++) {
      for (const end of ends.splice(0)) end()
      await turn()
    }
    await Promise.all(works)
    strict.ok(world.most <= most, `${world.most} were open, of ${most}`)
    await world.tenants.close()
    strict.deepEqual([world.open.size, world.tenants.size, world.errors], [0, 0, []])
  }), { numRuns: 150 })
})

t.test('who waits for the same tenant shares its opening, and one that failed is tried again after a pause', async t => {
  const world = new World(2)
  await Promise.all(Array.from({ length: 20 }, () => world.within('a', () => turn())))
  t.strictSame(world.opens, ['a'])
  world.broken.add('b')
  const failures = await Promise.allSettled(Array.from({ length: 20 }, () => world.within('b', () => turn())))
  t.ok(failures.every(({ status }) => status === 'rejected'))
  await t.rejects(world.within('b', () => turn()), { code: 'storage_unavailable' }, 'at once, without a look at the disk')
  t.strictSame(world.opens, ['a', 'b'])
  world.broken.delete('b')
  world.clock.advance(1000)
  await t.resolves(world.within('b', () => turn()))
  t.strictSame(world.opens, ['a', 'b', 'b'])
})

t.test('the least recently used is closed first, never one in use', async t => {
  const world = new World(3)
  for (const name of ['a', 'b', 'c', 'a']) await world.within(name, () => {})
  await world.within('d', () => {})
  t.strictSame([...world.open.keys()].sort(), ['a', 'c', 'd'])
  await world.within('c', async () => {
    world.open.get('a')!.kept = true
    await world.within('e', () => {})
    t.strictSame([...world.open.keys()].sort(), ['a', 'c', 'e'])
  })
})

t.test('promise 7 (Isolated): while all are in use the next waits for a moment, gets the first place that is free, and else hears of it', async t => {
  const world = new World(1)
  let end = (): void => {}
  const busy = world.within('a', () => new Promise<void>(resolve => { end = resolve }))
  const next = world.within('b', () => 'served')
  await settled()
  t.strictSame(world.opens, ['a'])
  end()
  t.equal(await next, 'served')
  await busy
  const long = world.within('b', () => new Promise<void>(resolve => { end = resolve }))
  const late = world.within('c', () => 'never')
  await settled()
  world.clock.advance(2000)
  await t.rejects(late, { code: 'overloaded' })
  end()
  await long
  await settled()
  t.strictSame(world.opens, ['a', 'b'], 'who gave up is not opened for nobody')
})

t.test('promise 7 (Isolated): tenants without end that ask to be opened are told to come later', async t => {
  const world = new World(1)
  let end = (): void => {}
  world.slow = new Promise<void>(resolve => { end = resolve })
  const asked = Promise.allSettled(Array.from({ length: 3000 }, (_, nth) => world.within(`${nth}`, () => {})))
  await settled()
  t.equal(world.open.size, 1)
  world.clock.advance(2000)
  await settled()
  world.slow = null
  end()
  const refused = (await asked).filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 3000)
  t.ok(refused.every(one => ((one as PromiseRejectedResult).reason as SyncError).code === 'overloaded'))
  await settled()
  t.strictSame([world.opens, world.tenants.names], [['0'], ['0']], 'and what was opened meanwhile is there for the next')
})

t.test('closing ends what waits, waits for what is being opened, and nothing is opened afterwards', async t => {
  const world = new World(1)
  let end = (): void => {}
  world.slow = new Promise<void>(resolve => { end = resolve })
  const first = t.rejects(world.within('a', () => {}), { code: 'draining' })
  const second = t.rejects(world.within('b', () => {}), { code: 'draining' })
  const closed = world.tenants.close()
  await second
  end()
  await first
  await closed
  t.equal(world.open.size, 0)
  await t.rejects(world.within('c', () => {}), { code: 'draining' })
})
