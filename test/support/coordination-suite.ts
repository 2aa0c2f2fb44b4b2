/** What every coordination must hold, whichever server it lies on. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Coordination, Draw, SharedTicket } from '../../src/coordination/coordination.ts'

/** Two nodes' ends of one new, empty place. */
export type OpenCoordination = () => Promise<{ readonly here: Coordination, readonly there: Coordination }>

const draw = (account: string, more: Partial<Draw> = {}): Draw => ({ account, perMinute: 60, charge: 0, want: 1, least: 1, ...more })
const ticket = (hash: string, more: Partial<SharedTicket> = {}): SharedTicket => ({ hash, owner: 'ann', text: `{"of":"${hash}"}`, livesFor: 30_000, most: 100, mostOfOwner: 10, ...more })
const QUIET = { streams: [], orders: [] }
/** ms; of a lease that must not end while a test runs. */
const LONG = 60_000

async function until (done: () => Promise<boolean>): Promise<void> {
  while (!await done()) await sleep(10)
}

type Opened = Awaited<ReturnType<OpenCoordination>>

interface Promised {
  readonly title: string
  readonly run: (opened: Opened) => Promise<void>
}

function promise (title: string, run: Promised['run']): Promised {
  return { title, run }
}

const promises: readonly Promised[] = [
  promise('draw: the shares of all nodes are never more than the account\'s budget, however many ask at once', async ({ here, there }) => {
    const began = performance.now()
    const answers = await Promise.all(Array.from({ length: 60 }, async (_, i) => {
      const [one, other] = await [here, there][i % 2]!.draw([draw('a', { want: 4 }), draw('b', { want: 7 })])
      return [one!.taken, other!.taken] as const
    }))
    const refilled = (performance.now() - began) / 1000 + 0.1
    for (const which of [0, 1] as const) {
      const sum = answers.reduce((all, taken) => all + taken[which], 0)
      assert.ok(sum >= 59 && sum <= 60 + refilled, `${sum} of 60`)
    }
  }),

  promise('draw: what is charged goes below nothing and is waited for; what is given back may be spent again, and no more than the budget', async ({ here, there }) => {
    const [debt] = await here.draw([draw('a', { charge: 90, want: 0, least: 0 })])
    assert.equal(debt!.taken, 0)
    assert.ok(debt!.waitMs > 25_000 && debt!.waitMs <= 30_000, `${debt!.waitMs}`)
    const [refused, other] = await there.draw([draw('a', { want: 5 }), draw('b', { want: 60 })])
    assert.ok(refused!.taken === 0 && refused!.waitMs > 25_000)
    assert.deepEqual(other, { taken: 60, waitMs: 0 })
    const [back] = await here.draw([draw('b', { charge: -20, want: 0, least: 0 })])
    assert.equal(back!.waitMs, 0)
    const [again] = await there.draw([draw('b', { want: 100 })])
    assert.ok(again!.taken >= 20 && again!.taken < 30, `${again!.taken}`)
    await there.draw([draw('c', { charge: -1000, want: 0, least: 0 })])
    assert.equal((await here.draw([draw('c', { want: 1000 })]))[0]!.taken, 60)
  }),

  promise('draw: accounts refill evenly, by the time where they lie, and answers come in the order of the questions', async ({ here }) => {
    await here.draw([draw('a', { perMinute: 60_000, want: 60_000 })])
    const [soon] = await here.draw([draw('a', { perMinute: 60_000, want: 60_000, least: 60_000 })])
    assert.ok(soon!.taken === 0 && soon!.waitMs > 55_000)
    await until(async () => (await here.draw([draw('a', { perMinute: 60_000, want: 10, least: 10 })]))[0]!.taken === 10)
    const names = ['z', 'b', 'y', 'a2', '__proto__']
    const drawn = await here.draw(names.map((name, i) => draw(name, { want: i + 1 })))
    assert.deepEqual(drawn.map(({ taken }) => taken), [1, 2, 3, 4, 5])
    assert.deepEqual(await here.draw([]), [])
  }),

  promise('promise 6 (Private): of all nodes that take a ticket at once one gets it, as it was put, and nobody does later', async ({ here, there }) => {
    for (let round = 0; round < 10; round++) {
      const text = JSON.stringify({ user: { id: 'ü ☃ "\'\\', round }, expiresAt: null })
      assert.equal(await here.putTicket(ticket(`t${round}`, { text })), true)
      const taken = await Promise.all(Array.from({ length: 12 }, (_, i) => [here, there][i % 2]!.takeTicket(`t${round}`)))
      assert.deepEqual(taken.filter(found => found !== null), [text])
      assert.equal(await there.takeTicket(`t${round}`), null)
    }
    assert.equal(await here.takeTicket('unknown'), null)
  }),

  promise('promise 7 (Isolated): tickets lapse, the oldest of an owner go first, and all together are bounded', async ({ here, there }) => {
    for (const hash of ['a1', 'a2', 'a3']) assert.equal(await here.putTicket(ticket(hash, { mostOfOwner: 2 })), true)
    assert.equal(await there.takeTicket('a1'), null, 'the oldest made room')
    assert.notEqual(await there.takeTicket('a2'), null)
    assert.equal(await here.putTicket(ticket('a4', { mostOfOwner: 2 })), true)
    assert.notEqual(await there.takeTicket('a3'), null, 'a spent one takes no room')
    assert.equal(await here.putTicket(ticket('b1', { owner: 'bob', most: 1 })), false, 'no room')
    assert.equal(await there.takeTicket('b1'), null)
    await there.takeTicket('a4')
    assert.equal(await here.putTicket(ticket('c1', { most: 1, livesFor: 30 })), true)
    await until(() => there.putTicket(ticket('d1', { owner: 'dan', most: 1 })))
    assert.equal(await there.takeTicket('c1'), null, 'too old')
    assert.notEqual(await here.takeTicket('d1'), null)
  }),

  promise('promise 7 (Isolated): an owner never has more streams than one may over all nodes, however many come at once', async ({ here, there }) => {
    const enter = (i: number, owner: string): Promise<boolean> => [here, there][i % 2]!.enter({ node: `n${i % 2}`, owner, most: 5, lease: LONG })
    // The first of them wait for a connection, one after the other; it is the later ones that come at once.
    for (const pair of [['a', 'b'], ['c', 'd'], ['e', 'f'], ['ann', 'bob']]) {
      const entered = await Promise.all(Array.from({ length: 40 }, (_, i) => enter(i, pair[i % 4 < 2 ? 0 : 1]!)))
      assert.equal(entered.filter(Boolean).length, 10)
    }
    assert.equal(await enter(0, 'ann'), false)
    await here.report({ node: 'n0', lease: LONG, streams: [['ann', 0]], orders: [] })
    await there.report({ node: 'n1', lease: LONG, streams: [['ann', 2]], orders: [] })
    assert.deepEqual([await enter(0, 'ann'), await enter(1, 'ann'), await enter(0, 'ann'), await enter(1, 'ann')], [true, true, true, false])
    assert.equal(await enter(0, 'bob'), false, 'who was not named stays as before')
  }),

  promise('a node whose lease is over counts no more, and must say all again', async ({ here, there }) => {
    const report = { node: 'dead', streams: [['ann', 5]] as const, orders: [] }
    assert.equal((await here.report({ ...report, lease: LONG })).known, false, 'the first word of a node')
    assert.equal((await here.report({ ...report, ...QUIET, lease: LONG })).known, true)
    const enter = (): Promise<boolean> => there.enter({ node: 'alive', owner: 'ann', most: 5, lease: LONG })
    assert.equal(await enter(), false)
    await here.report({ ...report, ...QUIET, lease: 50 })
    await until(enter)
    assert.equal(await here.enter({ node: 'dead', owner: 'bob', most: 5, lease: LONG }), true)
    assert.equal((await here.report({ ...report, ...QUIET, lease: LONG })).known, false, 'one stream is not all')
    assert.equal(await there.enter({ node: 'alive', owner: 'ann', most: 2, lease: LONG }), true, 'and what it said before is gone')
    await there.report({ node: 'alive', ...QUIET, lease: 0 })
    assert.equal(await here.enter({ node: 'dead', owner: 'ann', most: 1, lease: LONG }), true, 'who goes takes its streams along')
  }),

  promise('orders reach their node once, in order, also one that has not been heard of; a crowd of them keeps the newest', async ({ here, there }) => {
    const order = (node: string, ...texts: string[]): Promise<unknown> => here.report({ node: 'chief', lease: LONG, streams: [], orders: texts.map(text => ({ node, text })) })
    await order('worker', 'one', '{"two":"ü \' \\\\"}')
    await order('worker', 'three')
    await order('other', 'for another')
    const taken = await Promise.all(Array.from({ length: 4 }, () => there.report({ node: 'worker', lease: LONG, ...QUIET })))
    assert.deepEqual(taken.flatMap(({ orders }) => orders), ['one', '{"two":"ü \' \\\\"}', 'three'])
    await order('worker', ...Array.from({ length: 1200 }, (_, i) => String(i)))
    const { orders } = await there.report({ node: 'worker', lease: LONG, ...QUIET })
    assert.deepEqual([orders.length, orders[0], orders.at(-1)], [1000, '200', '1199'])
  })
]

export function coordinationSuite (t: Test, open: OpenCoordination): void {
  for (const { title, run } of promises) {
    t.test(title, async () => {
      const opened = await open()
      await run(opened)
      await Promise.all([opened.here.close(), opened.there.close()])
    })
  }
}
