/** Where a log lies, by whatever name it was reached. */
import type { Lineage } from './lineage.ts'
import type { Server } from './server.ts'
import { inSchema } from './statement.ts'

/** Of this run of the server, whose numbers are the same for everybody. */
const PLACE = "SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), d.oid, 'pocket.logs'::regclass::oid) FROM pg_database d WHERE d.datname = current_database()"

export async function placeOf (server: Server, { log }: Lineage): Promise<string> {
  const [[place]] = await server.read(connection => connection.script(inSchema(server.options.schema, PLACE))) as [[string]]
  return `${place} ${log}`
}
