/**
 * A copy of the log in one file, made while it is written.
 *
 * SQLite's backup begins anew whenever another connection has written (RELIABILITY: 703 times in 15 s). Two ways
 * around that were measured with 8 writers at work, 175 MB grown to 240 MB, on two cores:
 *
 * - Through the writer's own connection, which carries its commits over into the copy: 1.2 s, p99 of a push 13 ms
 *   (12 without a backup), the WAL stays as it is. What the server itself does.
 * - From a second process in a read transaction of its own, whose snapshot stands still: one pass in 1.1 s, p99
 *   26 ms, worst 103 ms, and until it ends the WAL cannot begin anew: 50 MB more. It copies the WAL back itself
 *   afterwards, or a push of the server would pay for that. What the program does: nothing needs to be asked of a
 *   serving process, so it works with whatever serves. `VACUUM INTO` would hold the WAL too, and for longer.
 */
import { closeSync, existsSync, fsync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Backup, BackupOptions } from '../backup.ts'
import { SyncError } from '../../errors.ts'
import { openDatabase, type Database } from './driver.ts'
import { codeOf, failureOf } from './failure.ts'
import { canonicalPath, fileBytes, markOf, syncFolder } from './files.ts'
import { checkLayout, isEmpty } from './migrations.ts'
import { pendingRestore } from './restored.ts'

/** Pages between two turns of the event loop (800 KB, 2 to 4 ms). */
const STEP_PAGES = 200
/** Bytes after which the copy is synced on the side, so that the last step, which waits for the disk, has little left. */
const SYNC_BYTES = 8 * 2 ** 20
/** How long a second process waits for the file where another holds it for a moment, ms. */
const PATIENCE = 5000

const syncFile = promisify(fsync)

/** How a copy is made besides what its caller says. */
interface Course {
  /** Asked between the steps; throws to end the copy. */
  readonly goOn?: () => void
  /** Looks at the whole copy before it takes its name. */
  readonly inspect?: (copy: Database) => void
}

/**
 * Copies through a connection that either makes all changes itself or has a snapshot of its own.
 * @param log path of the log @throws SyncError storage_unavailable; nothing is left behind then
 */
export async function backup (source: Database, { log, target }: { log: string, target: string }, { force = false, onProgress, signal, goOn, inspect }: BackupOptions & Course): Promise<Backup> {
  const path = targetOf(target, log)
  const refuseOthers = (): void => {
    if (!force && existsSync(path)) throw refused(`${path} is there already: choose another name, or replace it with --force (option force)`)
  }
  refuseOthers()
  const partial = `${path}.${randomBytes(6).toString('hex')}.partial`
  try {
    dropAbandoned(path)
    const look = (): void => { signal?.throwIfAborted(); goOn?.() }
    await copy(source, partial, { look, onProgress })
    finish(partial, inspect)
    refuseOthers()
    renameSync(partial, path)
    syncFolder(path)
  } catch (error) {
    drop(partial)
    throw inWords(error, path)
  }
  return { path, bytes: fileBytes(path) }
}

/** From a process that is not the writer's; the log may be served meanwhile. The copy is verified before it takes its name. */
export async function backupFile (log: string, target: string, options: BackupOptions = {}): Promise<Backup> {
  const path = canonicalPath(log)
  if (fileBytes(path) === 0) throw refused(`${path} is empty or not there: name the log with --db`)
  if (pendingRestore(path) !== null) throw refused(`${path} is being restored: start the server, or run the restore again, and then make the backup`)
  const source = openDatabase(path, { timeout: PATIENCE, fileMustExist: true })
  try {
    checkLayout(source, path)
    if (isEmpty(source)) throw refused(`${path} holds no log: name the log with --db`)
    source.pragma('synchronous = FULL')
    source.exec('BEGIN; SELECT count(*) FROM meta')
    const made = await backup(source, { log: path, target }, { ...options, inspect: quickCheck })
    source.exec('COMMIT')
    source.pragma('wal_checkpoint(PASSIVE)')
    return made
  } catch (error) {
    throw failureOf(error) === undefined ? error : refused(`${path} cannot be read (${codeOf(error)}): ${(error as Error).message}`, error)
  } finally {
    source.close()
  }
}

/** @throws SyncError storage_unavailable */
export function quickCheck (database: Database): void {
  const verdict = database.pragma('quick_check(1)', { simple: true })
  if (verdict !== 'ok') throw refused(`the log is damaged: ${String(verdict)}`)
}

/** Where the copy will lie. @throws SyncError when a log lies there, or belongs to one */
function targetOf (target: string, log: string): string {
  if (typeof target !== 'string' || target === '') throw new TypeError('a backup needs the path of a file')
  if (!existsSync(dirname(target))) throw refused(`the folder of ${target} is not there: create it, or mount what belongs there`)
  const path = canonicalPath(target)
  const own = [log, ...['-wal', '-shm', '-lock', '.mark', '.ballast'].map(suffix => log + suffix)]
  if (own.includes(path) || existsSync(markOf(path))) throw refused(`${path} is or belongs to a change log: give the backup another name`)
  // It would be taken for the new file's own.
  if (fileBytes(`${path}-wal`) > 0) throw refused(`${path}-wal lies there, of a database that is in use or was not closed: give the backup another name`)
  return path
}

async function copy (source: Database, partial: string, { look, onProgress }: { look: () => void, onProgress: BackupOptions['onProgress'] }): Promise<void> {
  const page = Number(source.pragma('page_size', { simple: true }))
  let synced = 0
  let syncing = false
  let file: number | undefined
  const sync = (copied: number): void => {
    // Closed only after the copy: to close a file drops the locks that this process has on it.
    file ??= openSync(partial, 'r+')
    synced = copied
    syncing = true
    // One that fails here fails again at the end, where it is told.
    syncFile(file).catch(() => {}).finally(() => { syncing = false })
  }
  try {
    await source.backup(partial, {
      progress: ({ totalPages, remainingPages }) => {
        const copied = (totalPages - remainingPages) * page
        look()
        onProgress?.({ copied, total: totalPages * page })
        if (!syncing && copied - synced >= (remainingPages > STEP_PAGES ? SYNC_BYTES : 2 * STEP_PAGES * page)) sync(copied)
        return syncing ? 0 : STEP_PAGES
      }
    })
    if (file !== undefined) await syncFile(file)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Marks the copy as one without a WAL, so that it can be read from anywhere, a read-only disk too. */
function finish (partial: string, inspect: ((copy: Database) => void) | undefined): void {
  const database = openDatabase(partial, { timeout: 0 })
  try {
    inspect?.(database)
    database.pragma('journal_mode = DELETE')
  } finally {
    database.close()
  }
}

/** What a backup to the same name left when its process was killed. One that is under way holds its file locked. */
function dropAbandoned (path: string): void {
  const prefix = `${basename(path)}.`
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(prefix) || !/^[0-9a-f]{12}\.partial$/.test(name.slice(prefix.length))) continue
    const partial = join(dirname(path), name)
    if (!isLocked(partial)) drop(partial)
  }
}

function isLocked (path: string): boolean {
  const database = openDatabase(path, { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
    return false
  } catch (error) {
    return codeOf(error).startsWith('SQLITE_BUSY')
  } finally {
    database.close()
  }
}

function drop (partial: string): void {
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(partial + suffix, { force: true })
}

function refused (detail: string, cause?: unknown): SyncError {
  return new SyncError('storage_unavailable', { detail, cause })
}

function inWords (error: unknown, path: string): unknown {
  if (failureOf(error) === 'full') return refused(`the disk of ${path} is full, and no backup was kept: free some space there, or choose another place`, error)
  if (failureOf(error) !== undefined) return refused(`the backup ${path} cannot be made (${codeOf(error)}): ${(error as Error).message}`, error)
  return error
}
