/**
 * Whether a log holds together: the file, each entry's checksums, heads, chains, counters. Read in slices, so that
 * it can run beside a server that writes: what moves meanwhile is looked at again before it is called wrong.
 */
import type { Finding, Progress } from '../view.ts'
import { EntryCheck } from './check-entries.ts'
import { checkCounters } from './check-counters.ts'
import type { Database } from './driver.ts'
import { codeOf } from './failure.ts'

/** Lines of SQLite's own check; a file with more than these is beyond them. */
const FILE_FINDINGS = 20

export function * checkLog (database: Database): Generator<Progress | Finding, void> {
  // SQLite's own look at the file is one statement, however long.
  yield { done: 0, total: 1 }
  for (const part of [checkFile, checkCounters, checkEntries]) {
    try {
      yield * part(database)
    } catch (error) {
      // Where a page cannot be read what lies behind it cannot either: the other parts may.
      if (!/^SQLITE_(CORRUPT|NOTADB|IOERR)/.test(codeOf(error))) throw error
      yield fileFinding(`${(error as Error).message} (${codeOf(error)})`)
    }
  }
}

function checkEntries (database: Database): Generator<Progress | Finding, void> {
  return new EntryCheck(database, newest(database)).run()
}

function newest (database: Database): number {
  const given = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").pluck().get() ?? 0
  const written = database.prepare('SELECT max(sequence) FROM log').pluck().get() ?? 0
  return Math.max(Number(given), Number(written))
}

function * checkFile (database: Database): Generator<Finding> {
  const verdicts = database.prepare(`PRAGMA integrity_check(${FILE_FINDINGS})`).pluck().all() as string[]
  for (const verdict of verdicts) if (verdict !== 'ok') yield fileFinding(verdict)
}

function fileFinding (problem: string): Finding {
  return {
    about: 'file',
    sequence: null,
    collection: null,
    documentId: null,
    problem: problem.trim(),
    advice: 'look at the disk and restore a backup; export saves first what can still be read'
  }
}
