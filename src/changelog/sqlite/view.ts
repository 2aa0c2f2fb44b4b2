/** The file as a second process reads it. Read-only: the lock is for writers alone. */
import { existsSync } from 'node:fs'
import type { DocumentKey, EntryFacts, Epoch, JournalQuery, JournalRow, StoredEntry } from '../changelog.ts'
import type { AuditQuery, Figures, Finding, LogView, Progress, Proof } from '../view.ts'
import { SyncError } from '../../errors.ts'
import { AuditReader } from './audit-read.ts'
import { Chain } from './chain.ts'
import { checkLog } from './check.ts'
import type { Database, Statement } from './driver.ts'
import { codeOf, failureOf, unavailable } from './failure.ts'
import { countLog } from './figures.ts'
import { canonicalPath, fileBytes } from './files.ts'
import { Names } from './names.ts'
import { resolveOptions } from './options.ts'
import { Reader } from './reader.ts'
import { SqliteSnapshot } from './snapshot.ts'
import { startReading } from './start.ts'

/** Only another's recovery or the end of its connection keeps a reader waiting, and only for a moment. ms. */
const PATIENCE = 5000
/** The first layout with an audit chain. */
const CHAINED = 3

/** @throws SyncError storage_unavailable when there is no change log, or none that this build can read */
export function openView (given: string): SqliteLogView {
  if (!existsSync(given)) throw new SyncError('storage_unavailable', { detail: `there is no file ${given}: name the change log with --db or POCKET_DB` })
  const path = canonicalPath(given)
  try {
    return new SqliteLogView(path, startReading(path, resolveOptions({})).reader)
  } catch (error) {
    throw told(path, error)
  }
}

class SqliteLogView implements LogView {
  readonly path: string
  readonly #database: Database
  readonly #version: Statement
  /** Made when it is needed: where its pages are damaged, check can still look at the others. */
  #reader: Reader | null = null
  #seenVersion: unknown
  #seenEpochs: unknown

  constructor (path: string, database: Database) {
    this.path = path
    this.#database = database
    database.pragma(`busy_timeout = ${PATIENCE}`)
    this.#version = database.prepare('PRAGMA data_version').pluck()
  }

  head (): number {
    return this.#read(reader => reader.head())
  }

  epochs (): readonly Epoch[] {
    return this.#read(reader => reader.epochs())
  }

  since (sequence: number, limit: number): StoredEntry[] {
    return this.#read(reader => reader.since(sequence, limit))
  }

  moved (): boolean {
    const version = this.#told(() => this.#version.get())
    const moved = version !== this.#seenVersion
    this.#seenVersion = version
    return moved
  }

  entry (sequence: number): StoredEntry | null {
    return this.#read(reader => reader.entries([sequence])[0]!)
  }

  history (key: DocumentKey, before: number, limit: number): StoredEntry[] {
    return this.#read(reader => reader.history(key, before, limit))
  }

  journal (query: JournalQuery & { limit: number }): JournalRow[] {
    return this.#read(reader => reader.journal(query))
  }

  collections (): string[] {
    return this.#read(reader => reader.collections())
  }

  bytes (): number {
    return fileBytes(this.path) + fileBytes(`${this.path}-wal`)
  }

  snapshot (at: number, collection?: string): { next: SqliteSnapshot['next'], late: SqliteSnapshot['late'] } {
    const snapshot = this.#told(() => new SqliteSnapshot(this.#database, { at, collection, read: sequences => this.#read(reader => reader.entries(sequences)) }))
    return {
      next: (after, limit) => this.#told(() => snapshot.next(after, limit)),
      late: () => this.#told(() => snapshot.late())
    }
  }

  * figures (): Generator<Progress, Figures> {
    try {
      return yield * countLog(this.#database, this.path)
    } catch (error) {
      throw told(this.path, error)
    }
  }

  * check (): Generator<Progress | Finding, void> {
    try {
      yield * checkLog(this.#database)
    } catch (error) {
      throw told(this.path, error)
    }
  }

  * audit (query: AuditQuery): Generator<EntryFacts[]> {
    try {
      yield * new AuditReader(this.#database, new Names(this.#database)).read(query)
    } catch (error) {
      throw told(this.path, error)
    }
  }

  * prove (expected: string | null): Generator<Progress, Proof> {
    const layout = this.#told(() => this.#database.pragma('user_version', { simple: true }) as number)
    if (layout < CHAINED) throw new SyncError('storage_unavailable', { detail: `${this.path} has layout ${layout}, in which nothing was sealed: serve it once with this build` })
    try {
      return yield * new Chain(this.#database).verify(expected)
    } catch (error) {
      throw told(this.path, error)
    }
  }

  close (): void {
    this.#database.close()
  }

  #read<T> (work: (reader: Reader) => T): T {
    return this.#told(() => {
      const epochs = this.#database.prepare('SELECT max(number) FROM epochs').pluck().get()
      // Where a server began since: a reader knows only the epochs of when it was made.
      if (this.#reader === null || epochs !== this.#seenEpochs) this.#reader = new Reader(this.#database)
      this.#seenEpochs = epochs
      this.#reader.forget()
      return work(this.#reader)
    })
  }

  #told<T> (work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw told(this.path, error)
    }
  }
}

/** In words for operators. */
function told (path: string, error: unknown): unknown {
  const failure = failureOf(error)
  if (failure === undefined) return error
  if (failure === 'busy' || failure === 'full') return unavailable(path, failure, error)
  if (failure === 'broken') return new SyncError('storage_unavailable', { detail: `${path} is damaged or cannot be read (${codeOf(error)}): look at the disk; check says what else is wrong, and a backup brings it back`, cause: error })
  return new SyncError('storage_unavailable', { detail: `${path} cannot be read as this user: run the command as the user the server runs as, since reading a log in use takes the right to write its -shm file`, cause: error })
}
