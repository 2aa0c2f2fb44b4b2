import type { Sabotage } from './sabotage.ts'

const test = 'test/sync/access-properties.test.ts'
const title = 'promise 6 (Private): whatever moves among owners'
const reads = 'test/sync/access-reads.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 6 (Private): what left a view is left out instead of removed',
    file: 'src/sync/judge.ts',
    find: ': removal(position, found.version)',
    replace: ': null',
    test,
    title
  },
  {
    breaks: 'promise 6 (Private): of earlier versions only a few are asked about',
    file: 'src/sync/judge.ts',
    find: 'if (versions.length < VERSIONS) return null',
    replace: 'return null',
    test,
    title
  },
  {
    breaks: 'promise 6 (Private): a removal tells when somebody else changed the document',
    file: 'src/sync/judge.ts',
    find: ': removal(position, found.version)',
    replace: ': removal(position, entry)',
    test,
    title
  },
  {
    breaks: 'promise 6 (Private): a deletion is told to everybody',
    file: 'src/sync/judge.ts',
    find: '    const found = await this.#lastSeen(row)\n',
    replace: '    if (isDeletion(row)) return row\n    const found = await this.#lastSeen(row)\n',
    test,
    title
  },
  {
    breaks: 'promise 6 (Private): the digest of the rights is not looked at',
    file: 'src/sync/validity.ts',
    find: 'scope !== position.scope ?',
    replace: 'scope !== scope ?',
    test,
    title
  },
  {
    breaks: 'promise 6 (Private): a leave is judged by the newest entry alone, which may have been elsewhere before',
    file: 'src/changelog/memory-state.ts',
    find: 'if (row.member && !now.has(channel)) this.#place(document, channel, { position, member: false })',
    replace: 'if (row.member && !now.has(channel)) { this.#place(document, channel, { position, member: false }) } else if (!row.member) document.channels.delete(channel)',
    test,
    title
  },
  {
    breaks: 'promise 6 (Private): a catch-up goes on although what it was shown is forgotten',
    file: 'src/sync/page.ts',
    find: '{ snapshot: least(position) } : {}',
    replace: '{} : {}',
    test,
    title
  },
  {
    breaks: 'promise 6 (Private): dropped versions move no horizon',
    file: 'src/changelog/memory-compact.ts',
    find: 'if (chain.length > 0) state.historyHorizon',
    replace: 'if (chain.length < 0) state.historyHorizon',
    test,
    title
  },
  {
    breaks: 'promise 6 (Private): channels that cannot be found out are none',
    file: 'src/sync/access.ts',
    find: "onError(error, { rule })\n      throw new SyncError('access_unavailable')",
    replace: 'onError(error, { rule })\n      return check([])',
    test: reads,
    title: 'promise 6 (Private): while the application cannot say'
  },
  {
    breaks: 'promise 7 (Isolated): whoever looks through versions gives nobody else a turn',
    file: 'src/sync/judge.ts',
    find: 'await new Promise<void>(resolve => { setImmediate(resolve) })',
    replace: '',
    test: reads,
    title: 'promise 7 (Isolated): a document of ten thousand hidden versions'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): a page looks on until it finds something',
    file: 'src/sync/judge.ts',
    find: 'this.#questions >= QUESTIONS ||',
    replace: '',
    test: reads,
    title: 'promise 4 (Safe checkpoints): a reader of little'
  }
]
