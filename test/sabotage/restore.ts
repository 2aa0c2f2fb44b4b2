import type { Sabotage } from './sabotage.ts'

const kept = 'test/client/kept.test.ts'

export const sabotages: readonly Sabotage[] = [
  {
    breaks: 'promise 4 (Safe checkpoints): between pages only the place is proven, not the head that they were read under',
    file: 'src/sync/validity.ts',
    find: 'return end !== undefined && Number(sequence) <= end',
    replace: 'return end !== undefined || Number(sequence) <= end!',
    test: 'test/sync/restored.test.ts',
    title: 'promise 4 (Safe checkpoints): who is between two pages'
  },
  {
    breaks: 'promise 4 (Safe checkpoints), restore: no epoch begins at the start of a log that is there',
    file: 'src/changelog/sqlite/start.ts',
    find: 'writer.transaction(() => beginEpoch(writer, options.now())).immediate()',
    replace: "if (writer.prepare('SELECT count(*) FROM epochs').pluck().get() === 0) writer.transaction(() => beginEpoch(writer, options.now())).immediate()",
    test: kept,
    title: 'promise 4 (Safe checkpoints): sequences that a restored log'
  },
  {
    breaks: 'promise 8 (Convergent), restore: what was lost is not offered again',
    file: 'src/client/kept.ts',
    find: 'if (sequence <= lostAfter || safe) continue',
    replace: 'if (sequence > 0) continue',
    test: kept,
    title: 'promise 8 (Convergent): after a restore'
  },
  {
    breaks: 'restore: what is offered again says that it believes its document new',
    file: 'src/client/push.ts',
    find: "change.operation === 'insert' && !again ? 0",
    replace: "change.operation === 'insert' ? 0",
    test: kept,
    title: 'of several versions of a document'
  },
  {
    breaks: 'restore: a client below the fork does not see that the log ends before what it answered',
    file: 'src/client/kept.ts',
    find: 'if (sequence <= head || answer > before) continue',
    replace: 'if (sequence > 0) continue',
    test: kept,
    title: 'a client below the fork'
  },
  {
    breaks: 'restore: a client below the fork does not see that the log has gone on in another stretch',
    file: 'src/client/kept.ts',
    find: 'if (epoch !== undefined && now !== undefined && epoch !== now)',
    replace: 'if (epoch === null)',
    test: kept,
    title: 'a client below the fork'
  },
  {
    breaks: 'promise 1 (Durable), restore: the WAL of the old log stays beside the new file',
    file: 'src/changelog/sqlite/restored.ts',
    find: "for (const suffix of ['-wal', ''])",
    replace: "for (const suffix of [''])",
    test: 'test/changelog/backup.test.ts',
    title: 'promise 1 (Durable): a restore that is cut when it was decided'
  },
  {
    breaks: 'promise 1 (Durable), restore: a start does not finish what was cut short',
    file: 'src/changelog/sqlite/start.ts',
    find: 'return begin(path, start)\n  finishRestore(path)\n',
    replace: 'return begin(path, start)\n',
    test: 'test/changelog/backup.test.ts',
    title: 'promise 1 (Durable): a restore that is cut when the old log is aside'
  },
  {
    breaks: 'backup: it is written under its own name',
    file: 'src/changelog/sqlite/backup.ts',
    find: "const partial = `${path}.${randomBytes(6).toString('hex')}.partial`", // eslint-disable-line no-template-curly-in-string
    replace: 'const partial = path; randomBytes(6)',
    test: 'test/system/restore.test.ts',
    title: 'a backup that is killed at any step'
  },
  {
    breaks: 'promise 9 (Clear), backup: what is there is replaced unasked',
    file: 'src/changelog/sqlite/backup.ts',
    find: 'if (!force && existsSync(path)) throw',
    replace: 'if (force === null) throw',
    test: 'test/changelog/backup.test.ts',
    title: 'promise 9 (Clear): a backup never replaces'
  },
  {
    breaks: 'promise 9 (Clear), SQLite file: the WAL of a file that was replaced stays beside the new one',
    file: 'src/changelog/sqlite/presence.ts',
    find: 'if (this.#wal !== null && fileAt(wal) === this.#wal)',
    replace: 'if (this.#wal === null)',
    test: 'test/changelog/presence.test.ts',
    title: 'promise 9 (Clear): a file that is replaced'
  },
  {
    breaks: 'a stream of the client relies on fetch alone to end it',
    file: 'src/client/stream.ts',
    find: 'reader.cancel().catch(() => {})',
    replace: '',
    test: 'test/client/abort.test.ts',
    title: 'a stream ends when its signal aborts'
  }
]
