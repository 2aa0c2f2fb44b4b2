import { newEpochId } from '../entry.ts'
import type { Database } from './driver.ts'
import { GONE } from './merkle.ts'

/** Of epochs in which nothing was written so many are kept. */
const KEPT = 1000
/** One comes, one may go: so few are looked at. */
const LOOKED_AT = 10

/**
 * Begins an epoch, at the next sequence unless told otherwise. Only within a transaction. A log that is opened and closed
 * without end forgets the oldest of those in which nothing was written: no entry lies in them, and a cursor that names one
 * starts over.
 */
export function beginEpoch (database: Database, started: number, first = newest(database) + 1): void {
  const { lastInsertRowid } = database.prepare('INSERT INTO epochs (id, first, started) VALUES (?, ?, ?)').run(newEpochId(), first, started)
  database.prepare('DELETE FROM epochs WHERE number BETWEEN ? AND ? AND first = (SELECT next.first FROM epochs AS next WHERE next.number > epochs.number ORDER BY next.number LIMIT 1)')
    .run(Number(lastInsertRowid) - KEPT - LOOKED_AT, Number(lastInsertRowid) - KEPT)
}

/**
 * Drops every entry and begins an epoch; push records and journal stay. Of the audit chain the roots stay, so that it
 * goes on; what was not sealed yet leaves nothing in it. Only within a transaction.
 */
export function clearLog (database: Database, started: number): void {
  // Clearing takes a sequence itself: with it the head of before is told from the head of now.
  const first = newest(database) + 1
  database.exec('DELETE FROM log; DELETE FROM heads; DELETE FROM identities; DELETE FROM channels')
  database.exec(`UPDATE blocks SET tree = CAST(x'${GONE}' || root AS BLOB)`)
  database.exec("DELETE FROM sqlite_sequence WHERE name = 'log'")
  database.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('log', ?)").run(BigInt(first))
  database.prepare("UPDATE meta SET value = ? WHERE key = 'horizon'").run(BigInt(first))
  beginEpoch(database, started, first)
}

function newest (database: Database): number {
  return (database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").pluck().get() ?? 0) as number
}
