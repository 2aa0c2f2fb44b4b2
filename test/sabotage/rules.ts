import type { Sabotage } from './sabotage.ts'

const push = 'test/sync/push.test.ts'
const properties = 'test/sync/properties.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 4 (Safe checkpoints): a push hands out its own last sequence, whatever lies before it',
    file: 'src/sync/answer.ts',
    find: 'isNext(message, first) ? await followed(deps, message, answered) : 0',
    replace: 'first === 0 ? 0 : first + outcomes.length - 1 - (message.checkpoint?.global ?? 0)',
    test: push,
    title: 'promise 4 (Safe checkpoints): a push moves the checkpoint only over its own entries'
  },
  {
    breaks: 'promise 2 (Ordered): the hint goes out before the commit',
    file: 'src/sync/push.ts',
    find: 'const { committed, plan } = await this.#commit(message,',
    replace: 'this.#deps.bell.ring()\n      const { committed, plan } = await this.#commit(message,',
    test: push,
    title: 'promise 2 (Ordered): nobody is told of an entry'
  },
  {
    breaks: 'promise 3 (Once): a record of the push is kept under a new key each time',
    file: 'src/sync/push.ts',
    find: 'const key = digestOf([message.id,',
    replace: 'const key = digestOf([String(Math.random()),',
    test: push,
    title: 'promise 3 (Once): the same push again gets the same results'
  },
  {
    breaks: 'promise 8 (Convergent): of equal times the one that arrives later wins',
    file: 'src/sync/decide.ts',
    find: 'time - head.effectiveTime || Buffer.compare(change.hash, head.hash)',
    replace: 'time - head.effectiveTime || 1',
    test: properties,
    title: 'promise 8 (Convergent): mutually concurrent changes'
  },
  {
    breaks: 'promise 10 (Not ruled by client clocks): no clock is clamped',
    file: 'src/changelog/entry.ts',
    find: 'return Math.min(timestamp, now + CLOCK_TOLERANCE)',
    replace: 'return timestamp',
    test: push,
    title: 'promise 10 (Not ruled by client clocks): a clock far ahead'
  },
  {
    breaks: 'promise 7 (Isolated): one refused change refuses them all',
    file: 'src/sync/plan.ts',
    find: "if ('refused' in one) planner.refuse(one.refused)",
    replace: "if ('refused' in one) throw new Error(one.refused.raw)",
    test: push,
    title: 'promise 7 (Isolated): one bad change never blocks the others'
  }
]
