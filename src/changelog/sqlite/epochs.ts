import { newEpochId } from '../entry.ts'
import type { Database } from './driver.ts'
import { GONE } from './merkle.ts'

/** Begins an epoch, at the next sequence unless told otherwise. Only within a transaction. */
export function beginEpoch (database: Database, started: number, first = newest(database) + 1): void {
  database.prepare('INSERT INTO epochs (id, first, started) VALUES (?, ?, ?)').run(newEpochId(), first, started)
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
