/**
 * Work that one node at a time does to a log. It is held for a while only, so that the work of a node that is gone goes
 * on elsewhere; whoever works asks again in each of its steps, under the lock of the log.
 */
import { randomBytes } from 'node:crypto'
import type { Connection } from './connection.ts'
import type { Lineage } from './lineage.ts'
import type { Server } from './server.ts'
import { statement, type Statement } from './statement.ts'

/** How long a step may take, ms. */
const HELD = 60_000
/** By the clock of the server, which is one for all. */
const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::int8'

export class Lease {
  readonly #log: string
  readonly #work: string
  readonly #holder = randomBytes(8).toString('hex')
  readonly #server: Server
  readonly #take: Statement
  readonly #end: Statement
  readonly #save: Statement

  constructor (server: Server, { log }: Lineage, work: string) {
    const { schema } = server.options
    this.#server = server
    this.#log = log
    this.#work = work
    this.#take = statement(schema, `INSERT INTO pocket.leases AS l (log, work, holder, until) VALUES ($1, $2, $3, ${NOW} + ${HELD})
      ON CONFLICT (log, work) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE l.holder IN ('', excluded.holder) OR l.until < ${NOW} RETURNING l.progress`)
    this.#end = statement(schema, "UPDATE pocket.leases SET holder = '', until = 0 WHERE log = $1 AND work = $2 AND holder = $3")
    this.#save = statement(schema, 'UPDATE pocket.leases SET progress = $4 WHERE log = $1 AND work = $2 AND holder = $3')
  }

  /** Takes it, or holds it for longer. @returns how far the work has come; null when another node is at it */
  async take (connection?: Connection): Promise<number | null> {
    const take = async (connection: Connection): Promise<number | null> => {
      const [row] = await connection.run(this.#take, [this.#log, this.#work, this.#holder])
      return row === undefined ? null : row[0] as number
    }
    return await (connection === undefined ? this.#server.use(take) : take(connection))
  }

  async save (progress: number): Promise<void> {
    await this.#server.use(connection => connection.run(this.#save, [this.#log, this.#work, this.#holder, progress]))
  }

  /** Others need not wait for its end. */
  async release (): Promise<void> {
    await this.#server.use(connection => connection.run(this.#end, [this.#log, this.#work, this.#holder])).catch(() => {})
  }
}
