import type { Lineage } from './lineage.ts'
import type { Server } from './server.ts'
import { statement } from './statement.ts'

/** Rows of one statement, so that none runs into its time limit. */
const STEP = 20_000
const EMPTIED = ['entries', 'heads', 'identities', 'channels'] as const

/** Drops every entry and begins an epoch, as a whole; push records and journal stay. */
export async function clearLog (server: Server, lineage: Lineage): Promise<void> {
  const { schema } = server.options
  const { log } = lineage
  await lineage.hold(async (connection, { head }) => {
    for (const table of EMPTIED) {
      const empty = statement(schema, `WITH gone AS (DELETE FROM pocket.${table} WHERE log = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM pocket.${table} WHERE log = $1 LIMIT ${STEP})) RETURNING 1) SELECT count(*) FROM gone`)
      while ((await connection.run(empty, [log]))[0]![0] === STEP);
    }
    // Clearing takes a sequence itself: with it the head of before is told from the head of now.
    const first = head + 1
    await connection.run(statement(schema, 'UPDATE pocket.logs SET head = $2, horizon = $2 WHERE log = $1'), [log, first])
    await lineage.beginEpoch(connection, first)
    await connection.commit()
  })
}
