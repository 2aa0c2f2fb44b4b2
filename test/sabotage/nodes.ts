import type { Sabotage } from './sabotage.ts'

const nodes = 'test/server/nodes.test.ts'
const together = 'test/changelog/together.test.ts'

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
    find: 'await Promise.all([store.getCurrentSequence(),',
    replace: 'await Promise.all([((this as { seen?: unknown }).seen ??= store.getCurrentSequence()) as Promise<number>,',
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
  },
  {
    breaks: 'promise 4 (Safe checkpoints), nodes: whoever asks how the log stands is told what somebody was told before',
    file: 'src/changelog/together.ts',
    find: 'const answer = await ask()',
    replace: 'const answer = await ((ask as { kept?: Promise<Answer> }).kept ??= ask())',
    test: together,
    title: 'promise 4 (Safe checkpoints): no answer is older'
  },
  {
    breaks: 'promise 7 (Isolated), nodes: a question that cannot be asked takes those with it that were put beside it',
    file: 'src/changelog/together.ts',
    find: 'if (group.length > 1 && !(error instanceof SyncError))',
    replace: 'if (group.length > 1 && error === null)',
    test: together,
    title: 'promise 7 (Isolated): a question that cannot be asked'
  },
  {
    breaks: 'promise 7 (Isolated), nodes: what is small waits for all that is large',
    file: 'src/changelog/together.ts',
    find: 'return index > 0 && this',
    replace: 'return index > 1000 && this',
    test: together,
    title: 'a bound holds'
  }
]
