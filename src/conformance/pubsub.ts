/**
 * The suite that holds every pubsub to the promises of its port. It ships with the package and knows no runner:
 * give it one, and a way to open two ends of your pubsub, as two nodes have them.
 *
 *     import { test } from 'node:test'
 *     await pubSubSuite({ test, open: async () => ({ here, there, destroy }) })
 */
import assert from 'node:assert/strict'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import type { PubSub } from '../pubsub/pubsub.ts'

export interface OpenedPubSub {
  /** Two nodes that are to hear each other's hints; the same object where hints never leave the process. */
  readonly here: PubSub
  readonly there: PubSub
  /** Closes both. */
  destroy (): Promise<void>
}

export interface PubSubSuiteOptions {
  /** Registers a test with the runner, e.g. `test` of node:test or `(title, run) => t.test(title, run)` of tap. */
  readonly test: (title: string, run: () => Promise<void>) => unknown
  /** Opens a pubsub that nobody else speaks on; called once per test. */
  readonly open: () => Promise<OpenedPubSub>
}

/** How long a hint may take on a busy machine, ms: it is waited for, and seldom so long. */
const PATIENCE_MS = 20_000

/** Whoever takes a topic for a name, a pattern, a path or SQL would mix these up. */
const TOPICS = ['changes', 'Changes', 'changes ', 'changes:a', 'changes:b', '__proto__', '*', 'a"; drop table x; --', "it's", 'ü☃😀', 'x'.repeat(300), `${'x'.repeat(300)}y`]

interface Counter {
  readonly listener: () => void
  count: number
}

function counter (): Counter {
  const counted = { count: 0, listener: () => { counted.count++ } }
  return counted
}

async function until (done: () => boolean, what: string): Promise<void> {
  for (const limit = performance.now() + PATIENCE_MS; !done(); await sleep(2)) assert.ok(performance.now() < limit, what)
}

/** What was published before has arrived, or will not. */
async function settled ({ here, there }: OpenedPubSub): Promise<void> {
  for (const pubsub of [here, there]) {
    const fence = counter()
    const end = await there.subscribe('fence', fence.listener)
    pubsub.publish('fence')
    await until(() => fence.count > 0, 'the fence is heard')
    await end()
  }
}

const promises: ReadonlyArray<{ readonly title: string, readonly run: (opened: OpenedPubSub) => Promise<void> }> = [
  {
    title: 'publish: every listener of the topic hears of it, on every node, and none of another topic',
    async run (opened) {
      const { here, there } = opened
      for (const topic of TOPICS) {
        const [one, two, near] = [counter(), counter(), counter()]
        const others = TOPICS.filter(other => other !== topic).map(other => ({ other, heard: counter() }))
        const ends = [await there.subscribe(topic, one.listener), await there.subscribe(topic, two.listener), await here.subscribe(topic, near.listener)]
        for (const { other, heard } of others) ends.push(await there.subscribe(other, heard.listener))
        here.publish(topic)
        await until(() => one.count > 0 && two.count > 0 && near.count > 0, `${topic} is heard`)
        await settled(opened)
        assert.deepEqual(others.filter(({ heard }) => heard.count > 0).map(({ other }) => other), [], `${topic} alone`)
        for (const end of ends) await end()
      }
    }
  },
  {
    title: 'publish: no listener is called before whoever published goes on',
    async run ({ here }) {
      const heard = counter()
      await here.subscribe('a', heard.listener)
      here.publish('a')
      assert.equal(heard.count, 0)
      await until(() => heard.count > 0, 'then it is')
    }
  },
  {
    title: 'publish: several hints at once may be one; one that follows a delivered one is delivered too',
    async run ({ here, there }) {
      const heard = counter()
      await there.subscribe('a', heard.listener)
      for (let round = 0; round < 20; round++) {
        const before = heard.count
        for (let i = 0; i < 50; i++) here.publish('a')
        await until(() => heard.count > before, `round ${round} is heard`)
      }
      await settled({ here, there, destroy: async () => {} })
      assert.ok(heard.count <= 1000, `${heard.count} of 1,000 hints`)
    }
  },
  {
    title: 'publish: a hint given by a listener is delivered',
    async run ({ here, there }) {
      const heard = counter()
      await there.subscribe('first', () => there.publish('second'))
      await here.subscribe('second', heard.listener)
      here.publish('first')
      await until(() => heard.count > 0, 'the second is heard')
    }
  },
  {
    title: 'promise 7 (Isolated): a listener that throws takes no hint from the others',
    async run ({ here, there }) {
      const heard = counter()
      await there.subscribe('a', () => { throw new Error('on purpose') })
      await there.subscribe('a', heard.listener)
      here.publish('a')
      await until(() => heard.count > 0, 'the other hears it')
      here.publish('a')
      await until(() => heard.count > 1, 'and goes on to')
    }
  },
  {
    title: 'subscribe: the same listener twice is two subscriptions, each ended by itself, once',
    async run (opened) {
      const { here, there } = opened
      const [twice, ended] = [counter(), counter()]
      const end = await there.subscribe('a', twice.listener)
      await there.subscribe('a', twice.listener)
      const over = await there.subscribe('b', ended.listener)
      await end()
      await end()
      await over()
      here.publish('a')
      here.publish('b')
      await until(() => twice.count > 0, 'the one that is left hears')
      await settled(opened)
      assert.equal(ended.count, 0)
      await there.subscribe('b', ended.listener)
      here.publish('b')
      await until(() => ended.count > 0, 'who subscribes again hears again')
    }
  },
  {
    title: 'close: idempotent; no listener is called afterwards, and nothing throws',
    async run ({ here, there }) {
      const heard = counter()
      const end = await here.subscribe('a', heard.listener)
      here.publish('a')
      await here.close()
      await here.close()
      const { count } = heard
      const late = await here.subscribe('a', heard.listener)
      here.publish('a')
      if (there !== here) there.publish('a')
      for (let i = 0; i < 5; i++) await turn()
      await end()
      await late()
      assert.equal(heard.count, count)
    }
  }
]

/** Registers a test for each promise. */
export async function pubSubSuite ({ test, open }: PubSubSuiteOptions): Promise<void> {
  for (const { title, run } of promises) {
    test(title, async () => {
      const opened = await open()
      try {
        await run(opened)
      } finally {
        await opened.destroy()
      }
    })
  }
}
