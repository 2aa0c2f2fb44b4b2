/** Whether a file that failed can be trusted with writes again. */
import type { Database } from './driver.ts'
import { Names } from './names.ts'
import { decodeEntry, ENTRY, type EntryRow } from './rows.ts'

/** Entries looked at whole: those that were written when it failed are the newest. */
const NEWEST = 1000
/** Files up to this size are checked whole (about 70 ms); a server must not stand still for a larger one. */
const WHOLE_BYTES = 64 * 2 ** 20

/** @throws an error of SQLite */
export function verify (database: Database, path: string): void {
  // What a failed fsync has left in the WAL may be in memory only: copied back and synced it is safe to hand out.
  const [checkpoint] = database.pragma('wal_checkpoint(TRUNCATE)') as Array<{ busy: number }>
  if (checkpoint?.busy !== 0) throw refused(path, 'its WAL cannot be copied back')
  const bytes = Number(database.pragma('page_count', { simple: true })) * Number(database.pragma('page_size', { simple: true }))
  if (bytes <= WHOLE_BYTES) {
    const verdict = database.pragma('quick_check(1)', { simple: true })
    if (verdict !== 'ok') throw refused(path, String(verdict))
  }
  verifyNewest(database, path)
}

function verifyNewest (database: Database, path: string): void {
  const names = new Names(database)
  const rows = database.prepare(`SELECT ${ENTRY} FROM log l ORDER BY l.sequence DESC LIMIT ${NEWEST}`).raw().all() as EntryRow[]
  for (const row of rows) {
    try {
      decodeEntry(row, names.name(row[1]), '')
    } catch (error) {
      throw refused(path, (error as Error).message)
    }
  }
  const newest = rows[0]?.[0] ?? 0
  const given = (database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").pluck().get() ?? 0) as number
  if (given < newest) throw refused(path, `sequences would go back from ${newest} to ${given}`)
  const oldest = rows.at(-1)?.[0] ?? 0
  const lost = database.prepare('SELECT h.sequence FROM heads h WHERE h.sequence >= ? AND NOT EXISTS (SELECT 1 FROM log l WHERE l.sequence = h.sequence) LIMIT 1').pluck().get(oldest)
  if (lost !== undefined) throw refused(path, `entry ${String(lost)} is missing`)
}

/** Told like SQLite tells of corruption: the file is then served for reading only. */
function refused (path: string, reason: string): Error {
  return Object.assign(new Error(`${path} does not hold together: ${reason}`), { code: 'SQLITE_CORRUPT' })
}
