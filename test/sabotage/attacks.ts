import type { Sabotage } from './sabotage.ts'

const heldUp = 'test/security/held-up.test.ts'
const erased = 'test/security/erased.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 7 (Isolated): a push gives way to nobody until all its changes are decided',
    file: 'src/sync/plan.ts',
    find: 'if (others !== undefined) await others',
    replace: 'if (others !== undefined) await null',
    test: heldUp,
    title: 'threat: to stop the server by a push'
  },
  {
    breaks: 'promise 7 (Isolated): a push waits for as long as another one that names its document takes',
    file: 'src/sync/push.ts',
    find: ', free => inTime(() => free, PATIENCE_MS, this.#deps.clock))',
    replace: ')',
    test: heldUp,
    title: 'threat: to keep somebody from writing a document'
  },
  {
    breaks: 'promise 7 (Isolated): one reader may take all that read the store for streams',
    file: 'src/sync/delivery.ts',
    find: 'const READS_UNDER_RULES = 64',
    replace: 'const READS_UNDER_RULES = READS',
    test: heldUp,
    title: 'threat: to keep others from catching up'
  },
  {
    breaks: 'promise 6 (Private): a long poll outlives the credential',
    file: 'src/http/pull.ts',
    find: 'exchange.expiresAt - clock.now()',
    replace: 'Infinity',
    test: heldUp,
    title: 'threat: to wait beyond the end'
  },
  {
    breaks: 'promise 6 (Private): what was erased stays in the ring',
    file: 'src/sync/feed.ts',
    find: 'this.#tail.forget()',
    replace: 'this.#tail.look()',
    test: erased,
    title: 'threat: to read what was erased'
  },
  {
    breaks: 'promise 6 (Private): nobody looks whether the evidence of removals was still kept',
    file: 'src/sync/page.ts',
    find: 'gathered.looked > gathered.rows.length',
    replace: 'gathered.looked < gathered.rows.length',
    test: erased,
    title: 'threat: a removal that nobody is told of'
  }
]
