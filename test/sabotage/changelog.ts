import type { Sabotage } from './sabotage.ts'

const stores = [
  { name: 'memory', test: 'test/changelog/memory.test.ts' },
  { name: 'SQLite', test: 'test/changelog/sqlite.test.ts' }
] as const
const [memory, sqlite] = stores

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 3 (Once), memory: the key of a push is not looked up',
    file: 'src/changelog/memory-state.ts',
    find: 'if (seen !== undefined) {',
    replace: 'if (seen !== undefined && seen.first < 0) {',
    test: memory.test,
    title: 'promise 3 (Once): the same key again'
  },
  {
    breaks: 'promise 3 (Once), SQLite: the key of a push is not looked up',
    file: 'src/changelog/sqlite/writer.ts',
    find: 'if (seen !== undefined) {',
    replace: 'if (seen !== undefined && seen.first < 0) {',
    test: sqlite.test,
    title: 'promise 3 (Once): the same key again'
  },
  {
    breaks: 'promise 3 (Once), SQLite: pushes of one transaction do not know of each other',
    file: 'src/changelog/sqlite/writer.ts',
    find: 'const seen = group.pushes.get(name) ?? this.#recorded',
    replace: 'const seen = this.#recorded',
    test: sqlite.test,
    title: 'promise 3 (Once): the same push twenty times at once'
  },
  {
    breaks: 'promise 3 (Once), SQLite: an identity is told under its last sequence',
    file: 'src/changelog/sqlite/writer.ts',
    find: "tail: 'ON CONFLICT DO NOTHING'",
    replace: "tail: 'ON CONFLICT DO UPDATE SET sequence = excluded.sequence'",
    test: sqlite.test,
    title: 'promise 3 (Once): an identity is found under its first sequence'
  },
  {
    breaks: 'promise 2 (Ordered), memory: a moved head does not stop a push',
    file: 'src/changelog/memory-state.ts',
    find: 'return any ? moved : null',
    replace: 'return null',
    test: memory.test,
    title: 'commit: of twenty pushes that expect the same head'
  },
  {
    breaks: 'promise 2 (Ordered), SQLite: a moved head does not stop a push',
    file: 'src/changelog/sqlite/writer.ts',
    find: 'return any ? moved : null',
    replace: 'return null',
    test: sqlite.test,
    title: 'commit: of twenty pushes that expect the same head'
  },
  {
    breaks: 'promise 2 (Ordered), SQLite: the next sequence is the highest that is left',
    file: 'src/changelog/sqlite/writer.ts',
    find: "SELECT seq FROM sqlite_sequence WHERE name = 'log'",
    replace: 'SELECT max(sequence) FROM log',
    test: sqlite.test,
    title: 'promise 2 (Ordered): a sequence is never given out again'
  },
  {
    breaks: 'promise 1 (Durable), SQLite: a push is answered and rolled back',
    file: 'src/changelog/sqlite/writer.ts',
    find: 'this.#commit.run()',
    replace: 'this.#rollback.run()',
    test: sqlite.test,
    title: 'promise 1 (Durable): what was answered is there after a restart'
  },
  {
    breaks: 'promise 6 (Private), memory: leaving a channel leaves no row',
    file: 'src/changelog/memory-state.ts',
    find: 'if (row.member && !now.has(channel)) this.#place(document, channel, { position, member: false })',
    replace: 'if (row.member && !now.has(channel)) document.channels.delete(channel)',
    test: memory.test,
    title: 'promise 6 (Private): a document that left is removed where it left'
  },
  {
    breaks: 'promise 8 (Convergent), memory: a page is said to reach the head although it was cut',
    file: 'src/changelog/memory-read.ts',
    find: 'scanned: cut ? rows.at(-1)!.position : head',
    replace: 'scanned: head',
    test: memory.test,
    title: 'promise 8 (Convergent): readers that stop anywhere'
  },
  {
    breaks: 'promise 1 (Durable), SQLite: commits are not flushed to the disk',
    file: 'src/changelog/sqlite/options.ts',
    find: '...options\n  })',
    replace: "...options,\n    synchronous: 'normal'\n  })",
    test: 'test/system/store-faults.test.ts',
    title: 'promise 1 (Durable): a power cut loses nothing that was answered'
  }
]
