import type { Sabotage } from './sabotage.ts'

const nodes = 'test/server/nodes.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 4 (Safe checkpoints), nodes: a stream whose place the tail has not reached starts over, without a look at the store',
    file: 'src/sync/delivery.ts',
    find: 'this.#greetIfValid(stream, grant, tail.state)) return this.#fetch(stream, grant)',
    replace: "this.#greetIfValid(stream, grant, tail.state)) return this.#startOver(stream, new Place(0, epochOf(tail.state, 0)), 'epoch-changed')",
    test: nodes,
    title: 'promise 4 (Safe checkpoints): what one node answered holds'
  },
  {
    breaks: 'promise 4 (Safe checkpoints), nodes: each remembers the head that it saw first',
    file: 'src/sync/push.ts',
    find: 'head: await store.getCurrentSequence(), horizon:',
    replace: 'head: await ((this as { seen?: unknown }).seen ??= store.getCurrentSequence()) as number, horizon:',
    test: nodes,
    title: 'promise 4 (Safe checkpoints): what one node answered holds'
  },
  {
    breaks: 'promise 5 (Live is pull), nodes: nobody looks at the log without a hint',
    file: 'src/sync/doorbell.ts',
    find: '      this.#poll()\n      this.#wake()\n    })',
    replace: '      this.#poll()\n    })',
    test: nodes,
    title: 'promise 5 (Live is pull): a long poll at one node'
  }
]
