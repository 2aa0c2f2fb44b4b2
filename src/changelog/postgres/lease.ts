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
  readonly #noted: Statement
  readonly #note: Statement

  constructor (server: Server, { log }: Lineage, work: string) {
    const { schema } = server.options
    this.#server = server
    this.#log = log
    this.#work = work
    this.#take = statement(schema, `INSERT INTO pocket.leases AS l (log, work, holder, until) VALUES ($1, $2, $3, ${NOW} + ${HELD})
      ON CONFLICT (log, work) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE l.holder IN ('', excluded.holder) OR l.until < ${NOW} RETURNING 1`)
    this.#end = statement(schema, "UPDATE pocket.leases SET holder = '', until = 0 WHERE log = $1 AND work = $2 AND holder = $3")
    this.#noted = statement(schema, 'SELECT progress FROM pocket.leases WHERE log = $1 AND work = $2')
    this.#note = statement(schema, 'INSERT INTO pocket.leases AS l (log, work, progress) VALUES ($1, $2, $3) ON CONFLICT (log, work) DO UPDATE SET progress = excluded.progress')
  }

  /** Takes it, or holds it for longer. @returns false when another node is at it */
  async take (connection?: Connection): Promise<boolean> {
    const take = async (connection: Connection): Promise<boolean> => (await connection.run(this.#take, [this.#log, this.#work, this.#holder])).length > 0
    return await (connection === undefined ? this.#server.use(take) : take(connection))
  }

  /** What the last one to do it wrote down, 0 at first. @param about one of the things that may be noted */
  async noted (about: string): Promise<number> {
    const [row] = await this.#server.use(connection => connection.run(this.#noted, [this.#log, about]))
    return row === undefined ? 0 : row[0] as number
  }

  /** For the next one, whichever node that is. */
  async note (about: string, value: number): Promise<void> {
    await this.#server.use(connection => connection.run(this.#note, [this.#log, about, value]))
  }

  /** Others need not wait for its end. */
  async release (): Promise<void> {
    await this.#server.use(connection => connection.run(this.#end, [this.#log, this.#work, this.#holder])).catch(() => {})
  }
}
