import type { Sabotage } from './sabotage.ts'

const compaction = 'test/sync/compaction.test.ts'
const revival = 'test/sync/revival.test.ts'
const history = 'test/http/history.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 4 (Safe checkpoints), SQLite: purged tombstones do not move the horizon',
    file: 'src/changelog/sqlite/compaction.ts',
    find: 'this.#horizon.run(BigInt(sequence))',
    replace: '',
    test: compaction,
    title: 'promise 4 (Safe checkpoints) and promise 8 (Convergent): compaction at any moment'
  },
  {
    breaks: 'promise 8 (Convergent), memory: a purge drops what stands',
    file: 'src/changelog/memory-compact.ts',
    find: "if (entry.operation !== 'delete') continue",
    replace: '',
    test: compaction,
    title: 'promise 4 (Safe checkpoints) and promise 8 (Convergent): compaction at any moment'
  },
  {
    breaks: 'history, memory: what was superseded goes at once',
    file: 'src/changelog/memory-compact.ts',
    find: 'if (entry.serverTimestamp < before) supersede(',
    replace: 'supersede(',
    test: compaction,
    title: 'nothing acknowledged disappears from the history'
  },
  {
    breaks: 'history, SQLite: tombstones go at once, and the versions of their documents with them',
    file: 'src/changelog/sqlite/compaction.ts',
    find: ' || row[2] >= before) return',
    replace: ') return',
    test: compaction,
    title: 'nothing acknowledged disappears from the history'
  },
  {
    breaks: 'history, SQLite: a purge that is left midway cuts a history in two',
    file: 'src/changelog/sqlite/compaction.ts',
    find: 'this.#deleteAll(chain.slice(1).reverse())',
    replace: 'this.#deleteAll(chain.slice(1))',
    test: 'test/changelog/compaction.test.ts',
    title: 'a purge that is left midway'
  },
  {
    breaks: 'promise 7 (Isolated), SQLite: compaction takes all the time there is',
    file: 'src/changelog/sqlite/compact.ts',
    find: 'const STEP_TIME = 5',
    replace: 'const STEP_TIME = 60_000',
    test: 'test/changelog/compaction.test.ts',
    title: 'promise 7 (Isolated): a document of very many versions'
  },
  {
    breaks: 'history: a purge takes versions before their time',
    file: 'src/sync/housekeeping.ts',
    find: 'Math.max(tombstones, history)',
    replace: 'tombstones',
    test: 'test/sync/housekeeping.test.ts',
    title: 'Infinity keeps for ever'
  },
  {
    breaks: 'journal: a replay has no base and loses again',
    file: 'src/sync/revival.ts',
    find: 'base: head?.sequence }',
    replace: '}',
    test: revival,
    title: 'what a conflict pushed aside wins'
  },
  {
    breaks: 'promise 7 (Isolated): brackets in a journalled text make a message of their own',
    file: 'src/sync/revival.ts',
    find: 'changes.length === 1 && Object.keys(others).length === 0 && isObject(change)',
    replace: 'isObject(change)',
    test: revival,
    title: 'promise 7 (Isolated): a replay takes text that may be anything'
  },
  {
    breaks: 'promise 7 (Isolated): a page of the history has no bound of bytes',
    file: 'src/sync/history.ts',
    find: ' || bytes > bounds.bytes',
    replace: '',
    test: history,
    title: 'promise 7 (Isolated): a page is bounded by bytes'
  },
  {
    breaks: 'promise 9 (Clear): any text is an id in a path',
    file: 'src/http/history.ts',
    find: 'if (documentName.test(id) && Buffer.byteLength(id) <= DocumentId.maxLength!) return id',
    replace: 'return id',
    test: history,
    title: 'promise 9 (Clear): a path that is no name'
  }
]
