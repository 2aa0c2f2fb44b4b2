/** Puts a backup in the place of the log. No server may have it open. */
import { constants, existsSync, openSync, closeSync, readSync, realpathSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import type { RestoreOptions, Restored } from '../backup.ts'
import { SyncError } from '../../errors.ts'
import { quickCheck } from './backup.ts'
import { openDatabase, type Database } from './driver.ts'
import { codeOf, failureOf } from './failure.ts'
import { canonicalPath, fileBytes, syncFileAt, syncFolder } from './files.ts'
import { lockFile } from './lock.ts'
import { APPLICATION_ID, checkLayout, isEmpty } from './migrations.ts'
import { finishRestore, restoredOf } from './restored.ts'

/**
 * Verifies a copy of the backup and puts it in the place of the log. A crash at any point leaves the one or the other.
 * The next start begins an epoch at its head.
 * @throws SyncError storage_unavailable saying why; the log is then as it was
 */
export async function restoreFile (log: string, backup: string, { discard = false }: RestoreOptions = {}): Promise<Restored> {
  const source = sourceOf(backup)
  const path = canonicalPath(log)
  if (source === path) throw refused(`${path} is the log itself: name a backup of it`)
  const unlock = lockFile(path)
  try {
    // One that was cut short is through before another begins.
    finishRestore(path)
    if (discard) requireLog(path)
    const head = await prepare(source, path)
    return { path, head, aside: finishRestore(path, { discard }) }
  } catch (error) {
    throw inWords(error, { source, path })
  } finally {
    unlock()
  }
}

function sourceOf (backup: string): string {
  if (typeof backup !== 'string' || backup === '') throw new TypeError('a restore needs the path of a backup')
  if (!existsSync(backup)) throw refused(`${backup} is not there: name a backup`)
  const source = realpathSync(backup)
  if (!statSync(source).isFile() || fileBytes(source) === 0) throw refused(`${source} is empty or no file: name a backup`)
  if (existsSync(`${source}-lock`)) requireUnused(source)
  return source
}

/** A log that is written while it is copied would be torn. */
function requireUnused (source: string): void {
  try {
    lockFile(source)()
  } catch (cause) {
    // Whatever else keeps it from being locked keeps others from writing it too.
    if (cause instanceof SyncError) throw refused(`${source} is a log that is being served: make a backup of it, and restore that`, cause)
  }
}

/** What was named by mistake can be kept aside, but not thrown away. */
function requireLog (path: string): void {
  if (fileBytes(path) === 0) return
  const file = openSync(path, 'r')
  try {
    const id = Buffer.alloc(4)
    readSync(file, id, 0, 4, 68)
    if (id.readUInt32BE() !== APPLICATION_ID) throw refused(`${path} is no change log, so it will not be discarded: look at what it is, or restore without --discard`)
  } finally {
    closeSync(file)
  }
}

/** Makes `<path>.restored`, verified and on the disk. @returns its head */
async function prepare (source: string, path: string): Promise<number> {
  const copy = `${path}.restoring`
  try {
    drop(copy)
    await copyFile(source, copy, constants.COPYFILE_FICLONE)
    // A log that was kept aside may have one; a backup has none.
    if (fileBytes(`${source}-wal`) > 0) await copyFile(`${source}-wal`, `${copy}-wal`, constants.COPYFILE_FICLONE)
    const head = verified(copy, source)
    const now = new Date()
    utimesSync(copy, now, now)
    syncFileAt(copy)
    renameSync(copy, restoredOf(path))
    syncFolder(path)
    return head
  } finally {
    drop(copy)
  }
}

function verified (copy: string, source: string): number {
  const database = openDatabase(copy, { timeout: 0 })
  try {
    checkLayout(database, source)
    if (isEmpty(database)) throw refused(`${source} holds no log: name a backup`)
    quickCheck(database)
    database.pragma('journal_mode = DELETE')
    return headOf(database)
  } finally {
    database.close()
  }
}

function headOf (database: Database): number {
  return (database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").pluck().get() ?? 0) as number
}

function drop (copy: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(copy + suffix, { force: true })
}

function refused (detail: string, cause?: unknown): SyncError {
  return new SyncError('storage_unavailable', { detail, cause })
}

function inWords (error: unknown, { source, path }: { source: string, path: string }): unknown {
  const failure = failureOf(error)
  if (failure === undefined) return error
  if (failure === 'full') return refused(`the disk of ${path} is full: free some space, the restore needs as much as the backup has; the log is as it was`, error)
  return refused(`${source} cannot be restored (${codeOf(error)}): ${(error as Error).message}; the log is as it was`, error)
}
