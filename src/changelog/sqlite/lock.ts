/**
 * One writer per file. The lock is a write transaction held on a tiny database beside it: Node has no flock,
 * SQLite's own locks hold between processes and within one, and the system drops them with the process.
 */
import { rmSync } from 'node:fs'
import { SyncError } from '../../errors.ts'
import { openDatabase, processId, type Database } from './driver.ts'
import { codeOf } from './failure.ts'

/** @returns what gives the lock back @throws SyncError storage_unavailable naming the process that holds it */
export function lockFile (path: string): () => void {
  const file = `${path}-lock`
  try {
    return hold(file, path)
  } catch (error) {
    if (!/^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error))) throw error
    // Torn by a power cut, which no holder has survived.
    rmSync(file)
    return hold(file, path)
  }
}

function hold (file: string, path: string): () => void {
  const database = openDatabase(file, { timeout: 0 })
  try {
    database.pragma('synchronous = OFF')
    database.exec('BEGIN IMMEDIATE')
    noteHolder(database)
    database.exec('BEGIN IMMEDIATE')
  } catch (error) {
    const detail = `${path} is already open for writing ${holderOf(database)}: one process per file; stop that one, or give this one another file`
    database.close()
    throw codeOf(error) === 'SQLITE_BUSY' ? new SyncError('storage_unavailable', { detail, held: true }) : error
  }
  return () => { database.close() }
}

/** For the words of the error only: a disk too full to note it must not keep anybody from the lock. */
function noteHolder (database: Database): void {
  try {
    database.exec(`CREATE TABLE IF NOT EXISTS holder (pid INTEGER); DELETE FROM holder; INSERT INTO holder VALUES (${processId}); COMMIT`)
  } catch {
    if (database.inTransaction) database.exec('ROLLBACK')
  }
}

function holderOf (database: Database): string {
  try {
    const holder = database.prepare('SELECT pid FROM holder').pluck().get()
    return holder === processId ? `in this process (pid ${processId})` : `by process ${String(holder)}`
  } catch {
    return 'by another process'
  }
}
