import type { Sabotage } from './sabotage.ts'

const test = 'test/changelog/sqlite.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 1 (Durable), SQLite file: synchronous is left as the driver sets it for a WAL',
    file: 'src/changelog/sqlite/connection.ts',
    find: 'database.pragma(`synchronous = ${synchronous}`)', // eslint-disable-line no-template-curly-in-string
    replace: '',
    test,
    title: 'promise 1 (Durable): every connection keeps synchronous=full'
  },
  {
    breaks: 'promise 9 (Clear), SQLite file: checksums of documents are not compared',
    file: 'src/changelog/sqlite/rows.ts',
    find: 'bodyChecksum(entry, document) !== row[16]',
    replace: 'row[16] < 0',
    test,
    title: 'promise 9 (Clear): a flipped bit in a document'
  },
  {
    breaks: 'promise 9 (Clear), SQLite file: a log that is gone is begun anew',
    file: 'src/changelog/sqlite/start.ts',
    find: 'if (fileBytes(path) > 0 || !existsSync(markOf(path))) return',
    replace: 'if (existsSync(markOf(path))) return',
    test,
    title: 'promise 9 (Clear): an empty or missing file'
  },
  {
    breaks: 'promise 9 (Clear), SQLite file: a file that failed is trusted again unseen',
    file: 'src/changelog/sqlite/start.ts',
    find: 'if (distrust) verify(writer, path)',
    replace: '',
    test,
    title: 'promise 9 (Clear): after damage to a page'
  },
  {
    breaks: 'promise 7 (Isolated), SQLite file: a push that cannot be stored takes its transaction with it',
    file: 'src/changelog/sqlite/queue.ts',
    find: 'group.length > 1 && !concernsAll(error)',
    replace: 'group.length < 0',
    test,
    title: 'promise 7 (Isolated): a push that cannot be stored'
  },
  {
    breaks: 'promise 3 (Once), SQLite file: the identity of an entry is forgotten with the next one',
    file: 'src/changelog/sqlite/writer.ts',
    find: 'if (replaced.exact)',
    replace: 'if (!replaced.exact)',
    test,
    title: 'promise 3 (Once): a change is known while it stands'
  },
  {
    breaks: 'promise 3 (Once), SQLite file: what came of a merge is taken for what was sent',
    file: 'src/changelog/sqlite/reader.ts',
    find: 'head?.exact === true',
    replace: 'head !== null',
    test,
    title: 'promise 3 (Once): a change is known while it stands'
  },
  {
    breaks: 'promise 3 (Once), SQLite file: pushes that layout 1 recorded are looked for under their message id alone',
    file: 'src/changelog/sqlite/writer.ts',
    find: "this.#push.get('', key)",
    replace: 'undefined',
    test,
    title: 'layout 1: a log that an earlier build wrote'
  }
]
