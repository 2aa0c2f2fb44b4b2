/** Change logs as applications write them: a naive array, and the guide's class for PostgreSQL with its other methods filled in the same way. */
import type { ChangeEntry, ChangeLog } from '../../src/changelog/changelog.ts'

export class ArrayLog implements ChangeLog {
  rows: ChangeEntry[] = []

  async append (change: ChangeEntry): Promise<void> {
    this.rows.push(change)
  }

  async getSince (sequence: number, _limit?: number): Promise<ChangeEntry[]> {
    return this.rows.filter(row => row.sequence > sequence)
  }

  async getForCollection (collection: string, since: number): Promise<ChangeEntry[]> {
    return this.rows.filter(row => row.collection === collection && row.sequence > since)
  }

  async get (id: string): Promise<ChangeEntry | null> {
    return this.rows.find(row => row.id === id) ?? null
  }

  async getCurrentSequence (): Promise<number> {
    return this.rows.at(-1)?.sequence ?? 0
  }

  /** Keeps of each document the newest entry, and below a deletion what was deleted. */
  async compact (): Promise<void> {
    const of = (row: ChangeEntry) => this.rows.filter(other => other.collection === row.collection && other.documentId === row.documentId)
    this.rows = this.rows.filter(row => {
      const [head, before] = of(row).reverse()
      return row === head || (head!.operation === 'delete' && row === before)
    })
  }

  async clear (): Promise<void> {
    this.rows = []
  }
}

type Row = Record<string, unknown>

interface Pool {
  query (sql: string, values?: unknown[]): Promise<{ rows: any[] }>
}

/** The guide's, to the letter; from `getForCollection` on what it leaves to the reader. */
export class PostgresChangeLog implements ChangeLog {
  private readonly pool: Pool

  constructor (pool: Pool) {
    this.pool = pool
  }

  async append (change: ChangeEntry): Promise<void> {
    await this.pool.query(
      'INSERT INTO changes (id, collection, document_id, operation, data, sequence) VALUES ($1, $2, $3, $4, $5, $6)',
      [change.id, change.collection, change.documentId, change.operation, change.data, change.sequence]
    )
  }

  async getSince (sequence: number, limit = 100): Promise<ChangeEntry[]> {
    const result = await this.pool.query(
      'SELECT * FROM changes WHERE sequence > $1 ORDER BY sequence LIMIT $2',
      [sequence, limit]
    )
    return result.rows
  }

  async getForCollection (collection: string, since: number): Promise<ChangeEntry[]> {
    const result = await this.pool.query(
      'SELECT * FROM changes WHERE collection = $1 AND sequence > $2 ORDER BY sequence',
      [collection, since]
    )
    return result.rows
  }

  async get (id: string): Promise<ChangeEntry | null> {
    const result = await this.pool.query('SELECT * FROM changes WHERE id = $1', [id])
    return result.rows[0] ?? null
  }

  async getCurrentSequence (): Promise<number> {
    const result = await this.pool.query('SELECT max(sequence) AS sequence FROM changes')
    return result.rows[0].sequence
  }

  async compact (): Promise<void> {
    await this.pool.query(
      'DELETE FROM changes o USING changes n WHERE n.collection = o.collection AND n.document_id = o.document_id AND n.sequence > o.sequence'
    )
  }

  async clear (): Promise<void> {
    await this.pool.query('DELETE FROM changes')
  }
}

/** The same with a column for the client's time. */
export class TimedPostgresChangeLog extends PostgresChangeLog {
  readonly #pool: Pool

  constructor (pool: Pool) {
    super(pool)
    this.#pool = pool
  }

  override async append (change: ChangeEntry): Promise<void> {
    await this.#pool.query(
      'INSERT INTO changes (id, collection, document_id, operation, data, sequence, timestamp) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [change.id, change.collection, change.documentId, change.operation, change.data, change.sequence, change.timestamp]
    )
  }
}

/** Answers the statements above as `pg` does: bigint comes as text, a json column parsed. */
export class TestPool implements Pool {
  rows: Row[] = []
  readonly #json: boolean
  /** Called before each statement; throws to fail it. */
  before: (sql: string) => void = () => {}
  /** Called after each statement has taken effect; throws to lose its answer. */
  after: (sql: string) => void = () => {}

  /** @param json whether `data` is a json column rather than text */
  constructor ({ json = true } = {}) {
    this.#json = json
  }

  async query (sql: string, values: unknown[] = []): Promise<{ rows: any[] }> {
    await new Promise(resolve => setImmediate(resolve))
    this.before(sql)
    const rows = sql.startsWith('INSERT') ? this.#insert(sql, values) : sql.startsWith('DELETE') ? this.#delete(sql) : this.#select(sql, values)
    this.after(sql)
    return { rows }
  }

  #insert (sql: string, values: unknown[]): Row[] {
    const columns = /\(([^)]+)\)/.exec(sql)![1]!.split(', ')
    const row = Object.fromEntries(columns.map((name, i) => [name, values[i]]))
    if (this.rows.some(other => other['id'] === row['id'])) throw new Error('duplicate key value violates unique constraint "changes_pkey"')
    if (this.#json && row['data'] !== null) row['data'] = JSON.parse(row['data'] as string)
    for (const name of ['sequence', 'timestamp']) if (name in row) row[name] = String(row[name])
    this.rows.push(row)
    return []
  }

  #delete (sql: string): Row[] {
    const newer = (row: Row) => this.rows.some(other => other['collection'] === row['collection'] && other['document_id'] === row['document_id'] && Number(other['sequence']) > Number(row['sequence']))
    this.rows = sql.includes('USING') ? this.rows.filter(row => !newer(row)) : []
    return []
  }

  #select (sql: string, values: unknown[]): Row[] {
    if (sql.includes('max(')) return [{ sequence: this.rows.length === 0 ? null : String(Math.max(...this.rows.map(row => Number(row['sequence'])))) }]
    if (sql.includes('id = $1')) return structuredClone(this.rows.filter(row => row['id'] === values[0]))
    const [collection, since] = sql.includes('collection = $1') ? values : [null, values[0]]
    const limit = sql.includes('LIMIT') ? values[1] as number : Infinity
    const found = this.rows.filter(row => (collection === null || row['collection'] === collection) && Number(row['sequence']) > (since as number))
    return structuredClone(found.sort((a, b) => Number(a['sequence']) - Number(b['sequence'])).slice(0, limit))
  }
}
