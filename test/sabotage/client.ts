import type { Sabotage } from './sabotage.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 3 (Once): the client sends a message again under another id',
    file: 'src/client/link.ts',
    find: 'bodySerializer: () => text }',
    replace: 'bodySerializer: () => text.replace(\'"id":"\', \'"id":"\' + Math.random()) }',
    test: 'test/client/push.test.ts',
    title: 'promise 3 (Once): a push whose answer is lost'
  },
  {
    breaks: 'promise 5 (Live is pull): the client reconnects from where it began',
    file: 'src/client/stream.ts',
    find: "if (id !== undefined && id !== '') this.#cursor = id",
    replace: "if (id === '') this.#cursor = id",
    test: 'test/client/stream.test.ts',
    title: 'promise 5 (Live is pull): cut anywhere'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): the client takes the rest of a snapshot that was cut for read',
    file: 'src/client/snapshot.ts',
    find: '...this.#place.checkpoint, global: sequence',
    replace: '...this.#place.checkpoint, global: this.#place.checkpoint.snapshot ?? sequence',
    test: 'test/client/snapshot.test.ts',
    title: 'promise 4 (Safe checkpoints): a snapshot that is cut'
  },
  {
    breaks: 'promise 7 (Isolated): the client lets one change that is too large dam up the others',
    file: 'src/client/push.ts',
    find: 'else answers.refuse(part, message, error)',
    replace: 'else throw error',
    test: 'test/client/push.test.ts',
    title: 'promise 7 (Isolated): where less gets through'
  }
]
