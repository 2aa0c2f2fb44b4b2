/**
 * What PostgreSQL knows of the tables. It looks at them by itself, but a minute or more after they were filled, and
 * until then plans as for empty ones: of two indexes it took the wrong one, and pushes were five times slower.
 */
import type { Server } from './server.ts'
import { inSchema, statement } from './statement.ts'

const TABLES = ['entries', 'heads', 'identities', 'pushes', 'channels']
/** Entries of a log from which on plans matter. */
const FEW = 64

export class Statistics {
  readonly #server: Server
  readonly #known = statement('', "SELECT c.reltuples::int8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'entries'")
  #looking = false

  constructor (server: Server) {
    this.#server = server
  }

  /** Has the tables looked at, if nobody has done so lately, whenever a log has grown fourfold. Nobody waits for it. */
  grown (from: number, to: number): void {
    if (this.#looking || rankOf(from) === rankOf(to)) return
    this.#looking = true
    const done = (): void => { this.#looking = false }
    // Whatever fails here costs speed alone.
    this.#look(to).then(done, done)
  }

  async #look (head: number): Promise<void> {
    const { options: { schema } } = this.#server
    await this.#server.use(async connection => {
      const [[known]] = await connection.run(this.#known, [schema]) as [[number]]
      if (known < head / 2) await connection.script(inSchema(schema, `ANALYZE (SKIP_LOCKED) ${TABLES.map(table => `pocket.${table}`).join(', ')}`))
    })
  }
}

function rankOf (head: number): number {
  return Math.floor(Math.log2(Math.max(FEW, head)) / 2)
}
