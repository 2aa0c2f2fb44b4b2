/** Opening the file: for writing, or where that is impossible for reading. */
import { existsSync, readFileSync } from 'node:fs'
import { SyncError } from '../../errors.ts'
import { assertSynchronous, connect, MEMORY } from './connection.ts'
import { openDatabase, type Database } from './driver.ts'
import { beginEpoch } from './epochs.ts'
import { codeOf, failureOf } from './failure.ts'
import { dropBallast, fileBytes, loadBallast, markOf, writeMark } from './files.ts'
import { checkLayout, isEmpty, migrate } from './migrations.ts'
import type { Resolved } from './options.ts'
import { finishRestore } from './restored.ts'
import { verify } from './verify.ts'

/** Up to this size a log in a read-only folder is read from a copy in memory. */
const COPY_BYTES = 2 ** 30
/** Where the file says how it is journalled (SQLite file format 1.3.3), and what it says without a WAL. */
const VERSION_BYTES = [18, 20] as const
const ROLLBACK_JOURNAL = 1

export interface Connections {
  /** null when the file can only be read. */
  readonly writer: Database | null
  readonly reader: Database
}

export interface StartOptions {
  readonly options: Resolved
  /** The file failed before: verify it before it takes writes. */
  readonly distrust: boolean
}

/** Opens or creates the log and begins an epoch. On a full disk the ballast makes room for that. */
export function startWriting (path: string, start: StartOptions): Connections {
  if (path === MEMORY) return begin(path, start)
  finishRestore(path)
  refuseLoss(path)
  try {
    return begin(path, start)
  } catch (error) {
    const full = failureOf(error) === 'full' || codeOf(error) === 'SQLITE_IOERR_SHMSIZE'
    if (!full || !dropBallast(path)) throw error
    return begin(path, start)
  }
}

/**
 * Opens a log that moves, without an epoch: it is not served.
 * @param arriving the log comes here, and the file is created where there is none; else it must be there
 */
export function startMoving (path: string, { options, arriving }: { options: Resolved, arriving: boolean }): Database {
  finishRestore(path)
  refuseLoss(path)
  inspect(path, { arriving })
  const database = connect(path, options)
  try {
    if (!arriving && isEmpty(database)) throw new SyncError('storage_unavailable', { detail: `${path} holds no log: name one` })
    migrate(database)
    if (!arriving) return database
    assertSynchronous(database, options)
    writeMark(path)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function begin (path: string, { options, distrust }: StartOptions): Connections {
  inspect(path)
  const writer = connect(path, options)
  try {
    if (distrust) verify(writer, path)
    migrate(writer)
    writer.transaction(() => beginEpoch(writer, options.now())).immediate()
    if (path === MEMORY) return { writer, reader: writer }
    assertSynchronous(writer, options)
    writeMark(path)
    loadBallast(path, options.ballastBytes)
    const reader = connect(path, options)
    reader.pragma('query_only = ON')
    return { writer, reader }
  } catch (error) {
    writer.close()
    throw error
  }
}

/** @throws SyncError storage_unavailable when a log was here and is gone */
function refuseLoss (path: string): void {
  if (fileBytes(path) > 0 || !existsSync(markOf(path))) return
  throw lost(path)
}

/** Looks at an existing file before anything in it is changed. */
function inspect (path: string, { arriving = false } = {}): void {
  if (path === MEMORY || fileBytes(path) === 0) return
  const database = openDatabase(path, { timeout: 0 })
  try {
    checkLayout(database, path, { arriving })
    if (isEmpty(database) && existsSync(markOf(path))) throw lost(path)
  } finally {
    database.close()
  }
}

function lost (path: string): SyncError {
  return new SyncError('storage_unavailable', { detail: `${path} is empty or gone, but ${markOf(path)} says that it held a change log: restore the backup, or delete the mark to begin an empty log` })
}

/** Opens an existing log for reading only. */
export function startReading (path: string, options: Resolved): Connections {
  const reader = openReadonly(path, options)
  try {
    checkLayout(reader, path)
    if (isEmpty(reader)) throw lost(path)
    return { writer: null, reader }
  } catch (error) {
    reader.close()
    throw error
  }
}

function openReadonly (path: string, options: Resolved): Database {
  try {
    return readable(connect(path, { ...options, readonly: true }))
  } catch (error) {
    // A folder in which no WAL can be made: without one lying there the file alone is the whole log.
    if (failureOf(error) === undefined || fileBytes(`${path}-wal`) > 0 || fileBytes(path) > COPY_BYTES) throw error
    return readable(copyInMemory(path))
  }
}

/** SQLite reads a WAL database only where it may write beside it; one marked as having none it reads anywhere. */
function copyInMemory (path: string): Database {
  const content = readFileSync(path)
  content.fill(ROLLBACK_JOURNAL, ...VERSION_BYTES)
  return openDatabase(content, { readonly: true })
}

function readable (database: Database): Database {
  try {
    database.prepare('SELECT count(*) FROM sqlite_master').get()
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
