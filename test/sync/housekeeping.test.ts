import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import type { CompactPolicy } from '../../src/changelog/changelog.ts'
import { PlainChangeStore } from '../../src/changelog/plain.ts'
import { defaultRetention, resolveConfig, type Retention } from '../../src/config.ts'
import { put, write } from '../../src/conformance/changelog/harness.ts'
import { Housekeeping, policyOf } from '../../src/sync/housekeeping.ts'
import { ArrayLog } from '../support/own-logs.ts'
import { START, TestClock } from '../support/rules.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** A log that notes what it is asked to drop, and fails when told to. */
class Compacted extends MemoryChangeLog {
  readonly policies: Array<CompactPolicy | undefined> = []
  failure: Error | null = null

  override async compact (policy?: CompactPolicy): Promise<void> {
    this.policies.push(policy)
    if (this.failure !== null) throw this.failure
  }
}

function keeping ({ interval = HOUR, random = () => 0, retention = {} }: { interval?: number, random?: () => number, retention?: Partial<Retention> } = {}) {
  const clock = new TestClock()
  const store = new Compacted()
  const errors: object[] = []
  const logger = { debug () {}, error (fields: object) { errors.push(fields) } }
  const housekeeping = new Housekeeping({ store, clock, retention: { ...defaultRetention, ...retention }, interval, random, logger })
  return { clock, store, errors, housekeeping }
}

t.test('a first run some minutes after the start, then one every interval, with what is past its retention by then', async t => {
  const { clock, store, housekeeping } = keeping()
  housekeeping.open()
  clock.advance(5 * MINUTE - 1)
  t.strictSame(store.policies, [])
  clock.advance(1)
  await turn()
  const now = START + 5 * MINUTE
  t.strictSame(store.policies, [{ historyBefore: now - 30 * DAY, tombstonesBefore: now - now % DAY - 90 * DAY, pushesBefore: now - 7 * DAY, journalBefore: now - 30 * DAY }])
  clock.advance(HOUR - 1)
  t.equal(store.policies.length, 1)
  clock.advance(1)
  await turn()
  t.equal(store.policies[1]?.historyBefore, now + HOUR - 30 * DAY)
})

t.test('runs are spread at random, never later than the interval', async t => {
  const { clock, store, housekeeping } = keeping({ interval: 1000, random: () => 0.999 })
  housekeeping.open()
  clock.advance(749)
  t.equal(store.policies.length, 0)
  clock.advance(2)
  t.equal(store.policies.length, 1)
})

t.test('a run that fails is logged, and the next one tries again', async t => {
  const { clock, store, errors, housekeeping } = keeping()
  store.failure = new Error('disk full')
  housekeeping.open()
  clock.advance(5 * MINUTE)
  await turn()
  t.match(errors, [{ err: { message: 'disk full' } }])
  store.failure = null
  clock.advance(HOUR)
  await turn()
  t.equal(store.policies.length, 2)
  t.equal(errors.length, 1)
})

t.test('no run begins after close, nor without an interval; compact() works all the same', async t => {
  for (const close of [true, false]) {
    const { clock, store, housekeeping } = keeping(close ? {} : { interval: Infinity })
    housekeeping.open()
    if (close) housekeeping.close()
    clock.advance(DAY)
    t.equal(store.policies.length, 0)
    await housekeeping.compact()
    await housekeeping.compact({ historyBefore: 7 })
    t.strictSame(store.policies, [policyOf(defaultRetention, clock.now()), { historyBefore: 7 }])
  }
})

t.test('close during a run: nothing more is scheduled, and what the closed log says is no error', async t => {
  const { clock, store, errors, housekeeping } = keeping()
  store.failure = new Error('The change log is closed.')
  housekeeping.open()
  clock.advance(5 * MINUTE)
  housekeeping.close()
  await turn()
  clock.advance(DAY)
  t.equal(store.policies.length, 1)
  t.strictSame(errors, [])
})

t.test('Infinity keeps for ever; tombstones stay at least as long as the history, whose versions would go with them', t => {
  const kept = { history: Infinity, tombstones: 1, pushes: Infinity, journal: Infinity }
  t.strictSame(policyOf(kept, START), {})
  t.strictSame(policyOf({ ...kept, history: 0 }, START), { historyBefore: START, tombstonesBefore: START - 1 })
  t.strictSame(policyOf({ ...defaultRetention, history: 365 * DAY }, START).tombstonesBefore, START - 365 * DAY)
  t.end()
})

t.test('no timer calls compact() of an application\'s own log; pocket.compact() does', async t => {
  let compacted = 0
  class Own extends ArrayLog {
    override async compact (): Promise<void> { compacted++ }
  }
  const clock = new TestClock()
  const store = new PlainChangeStore(new Own(), { now: () => clock.now() })
  await write(store, [put('a', 1)], { serverTimestamp: START, journal: [{ collection: 'todos', documentId: 'a', status: 'rejected', code: 'c', raw: '' }] })
  const housekeeping = new Housekeeping({ store, clock, retention: defaultRetention, interval: HOUR, random: () => 0, logger: { debug () {}, error () {} } })
  housekeeping.open()
  clock.advance(40 * DAY)
  for (let i = 0; i < 20; i++) await turn()
  t.equal(compacted, 0)
  t.strictSame(await store.journal(), [], 'the server\'s own records go')
  await housekeeping.compact()
  t.equal(compacted, 1)
  housekeeping.close()
  await store.close()
})

t.test('options: historyRetention, tombstoneRetention and compactInterval in ms, Infinity allowed', t => {
  t.match(resolveConfig(), { retention: { history: 30 * DAY, tombstones: 90 * DAY, journal: 30 * DAY, pushes: 7 * DAY }, compactInterval: HOUR })
  t.match(resolveConfig({ historyRetention: DAY, tombstoneRetention: Infinity, compactInterval: Infinity }), { retention: { history: DAY, tombstones: Infinity, journal: 30 * DAY }, compactInterval: Infinity })
  t.match(resolveConfig({ historyRetention: DAY, retention: { history: 2 * DAY } }).retention.history, 2 * DAY)
  for (const wrong of [{ historyRetention: -1 }, { tombstoneRetention: NaN }, { retention: { journal: -Infinity } }, { compactInterval: 10 }, { compactInterval: 2 ** 31 }, { compactInterval: NaN }]) {
    t.throws(() => resolveConfig(wrong), TypeError, JSON.stringify(wrong))
  }
  t.end()
})
