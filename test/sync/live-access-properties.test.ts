import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { AccessModel, IDS, regimes, ROOMS, USERS, type Regime } from '../support/access-model.ts'
import { openFeed, type TestFeed } from '../support/feed.ts'
import { Follower, Watch } from '../support/live-access.ts'
import { push } from '../support/rules.ts'

const RUNS = Number(process.env['POCKET_RUNS'] ?? 100)
const HEARTBEAT = 400
/** Two for each user: they share what is asked and made for it. */
const FOLLOWERS = [...USERS, ...USERS]

const follower = fc.nat(FOLLOWERS.length - 1)
const rooms = fc.subarray([...ROOMS])
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), id: fc.constantFrom(...IDS), owner: fc.constantFrom(...USERS), rooms, deletes: fc.constantFrom(false, false, false, true) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 10, 20, 60, 300, 600) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), follower, share: fc.double({ min: 0, max: 1, noNaN: true }), lifetime: fc.constantFrom(Infinity, Infinity, 50, 300) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('move' as const), user: fc.constantFrom(...USERS), rooms, grants: fc.subarray([...USERS]) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stall' as const), follower }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact' as const), history: fc.nat(400), tombstones: fc.option(fc.nat(400)) }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

const limits = fc.record({
  frameEntries: fc.integer({ min: 1, max: 4 }),
  frameBytes: fc.integer({ min: 0, max: 300 }),
  ringBytes: fc.constantFrom(0, 800, 2500, 1_000_000)
})

class Play {
  readonly feed: TestFeed
  readonly model: AccessModel
  readonly watch: Watch
  readonly followers: Follower[]
  constructor (feed: TestFeed, model: AccessModel) {
    this.feed = feed
    this.model = model
    this.watch = new Watch(model)
    this.watch.quiet(USERS)
    this.followers = FOLLOWERS.map(user => new Follower(feed, user, this.watch))
  }

  async step (one: Step, n: number): Promise<void> {
    const { rules: { clock, store } } = this.feed
    clock.advance(1)
    const now = clock.now()
    if (one.kind === 'wait') await this.wait(one.ms)
    else if (one.kind === 'cut') this.followers[one.follower]!.cut(one.share, one.lifetime)
    else if (one.kind === 'stall') this.#stall(this.followers[one.follower]!)
    else if (one.kind === 'compact') await store.compact({ historyBefore: now - one.history, ...one.tombstones !== null && { tombstonesBefore: now - one.tombstones } })
    else if (one.kind === 'move') {
      // Of two things in the same turn neither is the first.
      for (let i = 0; i < 4; i++) await turn()
      this.model.move(one.user, one)
      this.watch.note(USERS)
    } else await this.#write(one, n)
  }

  async #write ({ id, deletes, owner, rooms }: Step & { kind: 'write' }, n: number): Promise<void> {
    const now = this.feed.rules.clock.now()
    const document = deletes ? null : { owner, rooms, n }
    // Noted before: streams may be as fast as the answer.
    this.model.write(id, document, now)
    this.watch.note(USERS)
    const { results: [result] } = await push(this.feed.rules, { changes: [{ operation: deletes ? 'delete' : 'update', documentId: id, document, timestamp: now }] }, { operator: true })
    if (result!.status !== 'applied') throw new Error(`a write is ${result!.status}`)
  }

  #stall ({ sink }: Follower): void {
    if (sink.stalled) sink.drain()
    else sink.stalled = true
  }

  async wait (ms: number): Promise<void> {
    await this.feed.settle(ms)
    // Whoever heard a goodbye comes back, with a new credential.
    for (const follower of this.followers) if (follower.sink.ended) follower.cut()
    // What comes from now on, nobody may show that is not to be seen now.
    if (ms > 20) this.watch.quiet(USERS)
  }

  async end (): Promise<void> {
    for (const { sink } of this.followers) if (sink.stalled) sink.drain()
    for (let i = 0; i < 3; i++) await this.wait(HEARTBEAT + 100)
    for (const follower of this.followers) follower.take()
  }
}

async function holds (regime: Regime, { limits, steps }: { limits: Record<string, number>, steps: readonly Step[] }): Promise<void> {
  const model = new AccessModel(regime)
  const feed = await openFeed({ limits, access: regime.options(model), heartbeatInterval: HEARTBEAT })
  try {
    const play = new Play(feed, model)
    for (const [n, one] of steps.entries()) await play.step(one, n)
    await play.end()
    for (const { user, held, faults, live } of play.followers) {
      const wanted = model.visible(user)
      if (faults.length > 0) throw new Error(faults.map(String).join('; '))
      if (JSON.stringify(held) !== JSON.stringify(wanted) || !live) throw new Error(`${user} holds ${held.join()} and may see ${wanted.join()}`)
    }
    if (feed.errors.length > 0) throw feed.errors[0]
  } finally {
    await feed.close()
  }
}

type Id = typeof IDS[number]
type User = typeof USERS[number]
const put = (id: Id, owner: User): Step => ({ kind: 'write', id, owner, rooms: [], deletes: false })
const write = put('a', 'ann')
const cut = (lifetime: number, follower = 2): Step => ({ kind: 'cut', follower, share: 0, lifetime: lifetime as 50 })
const wait = (ms: 0 | 20): Step => ({ kind: 'wait', ms })
const move = (user: User, ...grants: User[]): Step => ({ kind: 'move', user, rooms: [], grants })
/** Rights change, and who comes back with them is told to start over while the ring still has what was overwritten before. */
const OVERWRITTEN: readonly Step[] = [
  ...Array<Step>(7).fill(write), cut(50), write, wait(20), write, write, move('cat', 'ann'), cut(Infinity), write, write
]
/** Rights come between the question what a batch is made under and those about its documents, one of which was overwritten before. */
const BETWEEN: readonly Step[] = [
  write, cut(Infinity, 0), wait(0), { kind: 'compact', history: 0, tombstones: null }, cut(Infinity, 0), move('ann'),
  put('b', 'cat'), put('c', 'cat'), put('d', 'ann'), put('b', 'ann'), put('c', 'ann'), move('bob', 'cat'), cut(Infinity, 0), move('ann'), wait(0), wait(0), cut(Infinity, 0)
]
const examples = [
  [{ frameEntries: 1, frameBytes: 0, ringBytes: 1_000_000 }, [...OVERWRITTEN]],
  [{ frameEntries: 1, frameBytes: 0, ringBytes: 2500 }, [...BETWEEN]]
] satisfies Array<[Record<string, number>, Step[]]>

for (const regime of regimes) {
  t.test(`promise 5 (Live is pull) and promise 6 (Private): whatever moves and wherever streams are cut, each shows what its user may see, and no byte else: ${regime.title}`, async t => {
    await fc.assert(fc.asyncProperty(limits, fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), (limits, steps) =>
      holds(regime, { limits, steps })), { numRuns: RUNS, includeErrorInReport: true, examples: [...examples] })
    t.pass()
  })
}
