import type { Sabotage } from './sabotage.ts'

const strategies = 'test/sync/strategies.test.ts'
const resolver = 'test/sync/resolver.test.ts'
const convergence = 'test/sync/convergence.test.ts'

const arrival = 'promise 8 (Convergent): merged edits of one version end the same'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 8 (Convergent): of a contested path the newest edit of the whole document decides',
    file: 'src/sync/settle.ts',
    find: 'const later = time - times.at(path)',
    replace: 'const later = time - clash.head.effectiveTime',
    test: convergence,
    title: arrival
  },
  {
    breaks: 'promise 8 (Convergent): of edits of one path at the same time the one that arrives later wins',
    file: 'src/sync/settle.ts',
    find: 'Buffer.compare(valueHash(incoming), valueHash(stored))',
    replace: '1',
    test: convergence,
    title: arrival
  },
  {
    breaks: 'promise 8 (Convergent): an entry that settled a conflict has the time of the change alone',
    file: 'src/sync/decide.ts',
    find: 'return Math.max(effectiveTime(change, now, base), head.effectiveTime)',
    replace: 'return effectiveTime(change, now, base)',
    test: convergence,
    title: 'promise 8 (Convergent): a change without a base that lost to a version'
  },
  {
    breaks: 'promise 8 (Convergent): an entry that settled a conflict is later than both that met',
    file: 'src/sync/decide.ts',
    find: 'return Math.max(effectiveTime(change, now, base), head.effectiveTime)',
    replace: 'return Math.max(effectiveTime(change, now, base), head.effectiveTime + 1)',
    test: convergence,
    title: 'promise 8 (Convergent): a change without a base that is newer'
  },
  {
    breaks: 'promise 8 (Convergent): a merged entry counts as stored exactly as sent',
    file: 'src/sync/plan.ts',
    find: 'exact: altered === null, expected',
    replace: 'exact: true, expected',
    test: strategies,
    title: 'a merge does not count as the client\'s own change'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): a push moves the checkpoint over what came of a merge',
    file: 'src/sync/answer.ts',
    find: "if (outcome.status === 'applied' && outcome.offset !== null) exact.set",
    replace: "if ((outcome.status === 'applied' || outcome.status === 'merged') && outcome.offset !== null) exact.set",
    test: strategies,
    title: 'promise 4 (Safe checkpoints): a push moves the checkpoint over no entry'
  },
  {
    breaks: 'promise 8 (Convergent): the same, and a client that takes nothing but pages never learns of it',
    file: 'src/sync/answer.ts',
    find: "if (outcome.status === 'applied' && outcome.offset !== null) exact.set",
    replace: "if ((outcome.status === 'applied' || outcome.status === 'merged') && outcome.offset !== null) exact.set",
    test: convergence,
    title: 'promise 8 (Convergent): with merge every interleaving'
  },
  {
    breaks: 'promise 3 (Once): the identity of a merged entry is that of the merged document',
    file: 'src/sync/plan.ts',
    find: 'effectiveTime, rev, hash, identity, exact',
    replace: 'effectiveTime, rev, hash, identity: altered === null ? identity : made.hash, exact',
    test: strategies,
    title: 'promise 3 (Once): a repeated merged change'
  },
  {
    breaks: 'promise 7 (Isolated): what the application\'s rule throws fails the push',
    file: 'src/sync/resolve.ts',
    find: 'onError(error, { collection, documentId })\n',
    replace: 'if (error !== null) throw error\n',
    test: resolver,
    title: 'promise 7 (Isolated): a rule that fails'
  },
  {
    breaks: 'promise 7 (Isolated): the application\'s rule may take for ever',
    file: 'src/sync/in-time.ts',
    find: 'if (ms !== Infinity) cancel',
    replace: 'if (ms === Infinity) cancel',
    test: resolver,
    title: 'promise 7 (Isolated): a rule that never answers'
  },
  {
    breaks: 'promise 6 (Private): the client is told what the application\'s rule threw',
    file: 'src/sync/resolve.ts',
    find: "return { failed: 'It threw or did not answer in time.' }",
    replace: 'return { failed: String(error) }',
    test: resolver,
    title: 'promise 7 (Isolated): a rule that fails'
  },
  {
    breaks: 'promise 8 (Convergent): losers leave no trace',
    file: 'src/sync/plan.ts',
    find: 'if (loses.incoming) this.#beaten.push',
    replace: 'if (loses.incoming && loses.stored) this.#beaten.push',
    test: strategies,
    title: 'merge: of a path that both changed'
  }
]
