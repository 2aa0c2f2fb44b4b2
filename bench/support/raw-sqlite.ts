/**
 * HELPER: what SQLite alone can do in this process with our files: the same pragmas, layout and rows, without
 * HTTP, JSON, hashing or rules. Values are laid out before the clock runs.
 */
import { randomBytes } from 'node:crypto'
import { connect } from '../../src/changelog/sqlite/connection.ts'
import type { Database } from '../../src/changelog/sqlite/driver.ts'
import { beginEpoch } from '../../src/changelog/sqlite/epochs.ts'
import { migrate } from '../../src/changelog/sqlite/migrations.ts'
import { answerQuestions } from './processes.ts'
import { RowWriter } from './rows.ts'
import type { Sample } from './stats.ts'

export type SqliteQuestion =
  | { readonly work: 'load', readonly path: string, readonly documents: number, readonly versions?: number }
  | { readonly work: 'insert' | 'update' | 'single' | 'commit', readonly path: string, readonly ms: number }
  | { readonly work: 'read', readonly path: string, readonly ms: number, readonly limit: number }

const databases = new Map<string, { database: Database, rows: RowWriter }>()

function open (path: string): { database: Database, rows: RowWriter } {
  const known = databases.get(path)
  if (known !== undefined) return known
  const database = connect(path, { synchronous: 'full' })
  const empty = database.pragma('user_version', { simple: true }) === 0
  migrate(database)
  if (empty) database.transaction(() => beginEpoch(database, Date.now())).immediate()
  database.exec('CREATE TABLE IF NOT EXISTS bare (id INTEGER PRIMARY KEY, document TEXT)')
  const opened = { database, rows: new RowWriter(database) }
  databases.set(path, opened)
  return opened
}

/** Runs `work` over and over; what it returns counts, and only the time between `begin` and its end. */
function measure (ms: number, work: (clock: { begin (): void }) => number): Sample {
  let spent = 0
  let used = 0
  let count = 0
  const end = performance.now() + ms * 1.2
  let start = 0
  let cpu = process.cpuUsage()
  const clock = { begin () { cpu = process.cpuUsage(); start = performance.now() } }
  do {
    clock.begin()
    const done = work(clock)
    spent += performance.now() - start
    const { user, system } = process.cpuUsage(cpu)
    used += user + system
    count += done
  } while (spent < ms && performance.now() < end * 4)
  return { rate: count / spent * 1000, cpuMicros: used / count }
}

function answer (question: SqliteQuestion): object {
  if (question.work === 'load') return load(question)
  const { database, rows } = open(question.path)
  switch (question.work) {
    case 'insert': return measure(question.ms, clock => rows.write(rows.block(false), clock))
    case 'update':
      rows.fillForUpdates()
      return measure(question.ms, clock => rows.write(rows.block(true), clock))
    // As the server: the identity of an insert is left out until it is replaced.
    case 'single': return measure(question.ms, clock => rows.write({ ...rows.block(false, 1), identities: [] }, clock))
    case 'commit': return commits(database, question.ms)
    case 'read': return reads(database, question)
  }
}

/** A log with that many documents, each written `versions` times, closed again, for a server to open. */
function load ({ path, documents, versions = 1 }: { path: string, documents: number, versions?: number }): object {
  const { database, rows } = open(path)
  if (versions > 1) rows.goRound(documents)
  for (let done = 0; done < documents;) done += rows.write(rows.block(false))
  for (let done = documents; done < documents * versions;) done += rows.write(rows.block(true))
  database.exec('DROP TABLE bare')
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
  databases.delete(path)
  return {}
}

/** One row of 300 bytes in a transaction of its own: the fsync and little else. */
function commits (database: Database, ms: number): Sample {
  const insert = database.prepare('INSERT INTO bare (document) VALUES (?)')
  const text = randomBytes(150).toString('hex')
  return measure(ms, () => {
    insert.run(text)
    return 1
  })
}

/** The texts that make up a page, page by page. */
function reads (database: Database, { ms, limit }: { ms: number, limit: number }): Sample {
  const page = database.prepare(`SELECT l.sequence, l.operation, l.document_id, l.timestamp, l.document
    FROM heads h INDEXED BY heads_collection CROSS JOIN log l ON l.sequence = h.sequence
    WHERE h.collection = 1 AND h.sequence > ? ORDER BY h.sequence LIMIT ?`).raw()
  let after = 0
  return measure(ms, () => {
    const rows = page.all(after, limit) as Array<[number, ...unknown[]]>
    after = rows.length < limit ? 0 : rows.at(-1)![0]
    return rows.length
  })
}

answerQuestions(answer)
