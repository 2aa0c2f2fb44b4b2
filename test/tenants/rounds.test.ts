import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Parts } from '../../src/compose.ts'
import { Rounds } from '../../src/tenants/rounds.ts'
import { TestClock } from '../support/rules.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Tenants that note what is done with them. */
function opened (interval = HOUR) {
  const clock = new TestClock()
  const names = new Set<string>()
  const done: string[] = []
  let atOnce = 0
  const note = (what: string) => ({
    round: async () => {
      if (++atOnce > 1) throw new Error('one after the other')
      await turn()
      atOnce--
      done.push(what)
    }
  })
  const rounds = new Rounds({
    clock,
    interval,
    tenants: {
      get names () { return [...names] },
      whileOpen: async (name, work) => { if (names.has(name)) await work({ housekeeping: note(`compact ${name}`), sealing: note(`seal ${name}`) } as unknown as Parts) }
    }
  })
  const pass = async (ms: number): Promise<string[]> => {
    for (let passed = 0; passed < ms; passed += MINUTE) {
      clock.advance(MINUTE)
      for (let i = 0; i < 20; i++) await turn()
    }
    return done.splice(0)
  }
  return { rounds, names, pass, clock }
}

t.test('each tenant is compacted soon after it is opened and hourly while it is open, and sealed every minute between, one after the other', async t => {
  const { rounds, names, pass } = opened()
  names.add('a').add('b')
  rounds.wake()
  t.strictSame(await pass(MINUTE), ['compact a', 'compact b'])
  t.strictSame(await pass(2 * MINUTE), ['seal a', 'seal b', 'seal a', 'seal b'])
  names.add('c')
  rounds.wake()
  t.strictSame(await pass(MINUTE), ['seal a', 'seal b', 'compact c'])
  const hour = await pass(HOUR)
  for (const name of names) t.equal(hour.filter(what => what === `compact ${name}`).length, 1)
})

t.test('one that is closed and opened again within the hour is not compacted again, and with nothing open no timer runs', async t => {
  const { rounds, names, pass, clock } = opened()
  let timers = 0
  const after = clock.after.bind(clock)
  clock.after = (ms, callback) => { timers++; return after(ms, callback) }
  names.add('a')
  rounds.wake()
  t.strictSame(await pass(MINUTE), ['compact a'])
  names.delete('a')
  await pass(5 * MINUTE)
  t.equal(timers, 2)
  names.add('a')
  rounds.wake()
  t.strictSame(await pass(MINUTE), ['seal a'])
})

t.test('without an interval nothing is compacted by itself, and nothing is done once they are closed', async t => {
  const { rounds, names, pass } = opened(Infinity)
  names.add('a')
  rounds.wake()
  t.strictSame(await pass(MINUTE), ['seal a'])
  rounds.close()
  rounds.wake()
  t.strictSame(await pass(5 * MINUTE), [])
})
