import type { Sabotage } from './sabotage.ts'

const page = 'test/sync/page.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 4 (Safe checkpoints): a page that was cut hands out the head',
    file: 'src/sync/page.ts',
    find: '? Math.max(after, scanned) : scanned',
    replace: '? state.head : scanned',
    test: page,
    title: 'promise 4 (Safe checkpoints): the checkpoint is the last position scanned'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): a first sync under way is not marked',
    file: 'src/sync/page.ts',
    find: '=== 0) return { snapshot: state.head }',
    replace: '=== 0) return {}',
    test: page,
    title: 'promise 4 (Safe checkpoints): with one position per collection a first sync'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): every page that is not the last is marked',
    file: 'src/sync/page.ts',
    find: 'if (highest(position) === 0) return',
    replace: 'if (highest(position) >= 0) return',
    test: page,
    title: 'promise 4 (Safe checkpoints): no mark hides'
  },
  {
    breaks: 'promise 4 (Safe checkpoints): a long poll in vain echoes the checkpoint it came with',
    file: 'src/sync/pull.ts',
    find: 'answer.hasMore || !await rung) return answer',
    replace: 'answer.hasMore || !await rung) return answer.count > 0 ? answer : { ...answer, checkpoint: { global: 0 } }',
    test: 'test/sync/pull.test.ts',
    title: 'promise 4 (Safe checkpoints): a long poll in vain'
  },
  {
    breaks: 'promise 9 (Clear): a cursor beyond what a double holds is taken',
    file: 'src/sync/cursor.ts',
    find: 'if (after > MAX_INTEGER ||',
    replace: 'if (',
    test: 'test/sync/cursor.test.ts',
    title: 'promise 9 (Clear): what is no cursor is refused'
  },
  {
    breaks: 'promise 3 (Once): the time of an edit is not part of its identity',
    file: 'src/changelog/entry.ts',
    find: 'timestamp - high * 2 ** 32',
    replace: '0',
    test: 'test/sync/content.test.ts',
    title: 'promise 3 (Once): without a revision the time tells'
  },
  {
    breaks: 'promise 7 (Isolated): keys of documents that nobody holds are kept',
    file: 'src/sync/locks.ts',
    find: 'this.#tails.get(key) === held',
    replace: 'this.#tails.get(key) !== held',
    test: 'test/sync/locks.test.ts',
    title: 'promise 7 (Isolated): a key that nobody holds'
  }
]
