import type { Sabotage } from './sabotage.ts'

const chain = 'test/changelog/audit.test.ts'
const found = 'audit: no fact of a sealed entry, no entry and no block can be changed'
const events = 'test/sync/audit.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'audit: blocks are not chained, so a suffix can be forged alone',
    file: 'src/changelog/sqlite/chain.ts',
    find: 'if (!previous.equals(before.hash)) throw',
    replace: 'if (previous.length === 0) throw',
    test: chain,
    title: 'audit: a block that was forged is found by the next one'
  },
  {
    breaks: 'audit: who wrote an entry is not part of its leaf',
    file: 'src/changelog/sqlite/leaf.ts',
    find: "sha256(['who', salt.toString('hex'), row[10], row[11], row[12]])",
    replace: "sha256(['who', salt.toString('hex')])",
    test: chain,
    title: found
  },
  {
    breaks: 'audit: the text of a document is not part of its leaf',
    file: 'src/changelog/sqlite/leaf.ts',
    find: "document === null ? null : digest('sha256', document)",
    replace: 'null',
    test: chain,
    title: found
  },
  {
    breaks: 'audit: a name can be put where one was forgotten',
    file: 'src/changelog/sqlite/chain.ts',
    find: 'if (leaf.who !== null) this.#requireUnnamed(row)',
    replace: '',
    test: chain,
    title: found
  },
  {
    breaks: 'audit: compaction forgets the hashes of what it drops',
    file: 'src/changelog/sqlite/compaction.ts',
    find: 'this.blocks.settle()',
    replace: '',
    test: chain,
    title: 'audit: whatever is compacted, erased'
  },
  {
    breaks: 'audit: blocks that were cut off are not missed',
    file: 'src/changelog/sqlite/chain.ts',
    find: 'if (given !== newest) throw',
    replace: 'if (given < newest) throw',
    test: chain,
    title: 'audit: a break names its block'
  },
  {
    breaks: 'promise 6 (Private), erase: the journal keeps what it has of the document',
    file: 'src/changelog/sqlite/erasure.ts',
    find: '(row = this.#journal.get(place.collection, documentId) as NoteRow | undefined) !== undefined; yield)',
    replace: 'row !== undefined;)',
    test: chain,
    title: 'erase: nothing of a document is left'
  },
  {
    breaks: 'promise 6 (Private), erase: what was deleted stays in pages that nobody reads',
    file: 'src/changelog/sqlite/audit-work.ts',
    find: "database.exec('VACUUM')",
    replace: "database.exec('')",
    test: chain,
    title: 'erase: nothing of a document is left'
  },
  {
    breaks: 'promise 7 (Isolated): every refusal is a line of its own',
    file: 'src/sync/audit.ts',
    find: 'if (before === undefined) this.#tell(event)',
    replace: 'this.#tell(event)',
    test: events,
    title: 'promise 7 (Isolated): a flood of refusals'
  }
]
