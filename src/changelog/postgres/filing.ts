/** Filing all documents anew, for a log that was written under other channels or none: in steps, by one node at a time. */
import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Filer } from '../changelog.ts'
import { flags, numbers, texts } from './arrays.ts'
import type { Connection } from './connection.ts'
import { Lease } from './lease.ts'
import type { Lineage } from './lineage.ts'
import type { Server } from './server.ts'
import { statement, type Statement } from './statement.ts'
import { fromText, toText } from './text.ts'

/** Documents of one step: each may be long. */
const STEP = 64
/** Between two looks at whether another node has done it, ms. */
const PAUSE = 250

interface Task {
  readonly name: string
  readonly channelsOf: Filer
  /** Asked between the steps; throws to end it, and the next start does it again. */
  readonly goOn: () => void
}

type HeadRow = [sequence: number, collection: string, documentId: string, document: string | null, members: string | null]
interface Moved { readonly collection: string, readonly documentId: string, readonly channel: string, readonly position: number, readonly member: boolean }

export class Filing {
  readonly #lineage: Lineage
  readonly #lease: Lease
  readonly #heads: Statement
  readonly #put: Statement
  readonly #remove: Statement
  readonly #rename: Statement
  readonly #finish: Statement
  #filedAs: string | null = null

  constructor (server: Server, lineage: Lineage) {
    const { schema } = server.options
    this.#lineage = lineage
    this.#lease = new Lease(server, lineage, 'file')
    this.#heads = statement(schema, `SELECT h.sequence, h.collection, h.document_id, e.document,
        (SELECT json_agg(c.channel)::text FROM pocket.channels c WHERE c.log = $1 AND c.collection = h.collection AND c.document_id = h.document_id AND c.member)
      FROM (SELECT * FROM pocket.heads h WHERE h.log = $1 AND h.sequence > $2 ORDER BY h.sequence LIMIT ${STEP}) h
      CROSS JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = h.sequence OFFSET 0) e ORDER BY h.sequence`)
    this.#put = statement(schema, `INSERT INTO pocket.channels (log, collection, document_id, channel, position, member)
      SELECT $1, k.* FROM unnest($2::text[], $3::text[], $4::text[], $5::int8[], $6::bool[]) k (collection, document_id, channel, position, member) WHERE k.member
      ON CONFLICT (log, collection, document_id, channel) DO UPDATE SET position = excluded.position, member = true`)
    this.#remove = statement(schema, `DELETE FROM pocket.channels c USING unnest($2::text[], $3::text[], $4::text[], $5::int8[], $6::bool[]) k (collection, document_id, channel, position, member)
      WHERE c.log = $1 AND c.collection = k.collection AND c.document_id = k.document_id AND c.channel = k.channel AND NOT k.member`)
    // With the first that moved: a start that is cut here and does the rest later finds these as they should be.
    this.#rename = statement(schema, 'UPDATE pocket.logs SET filing = $2, channels = true WHERE log = $1')
    this.#finish = statement(schema, 'UPDATE pocket.logs SET filed_by = $2, channels = true WHERE log = $1')
  }

  /** The name under which this node files what it commits; null before `run` and where it files nothing. */
  get filedAs (): string | null {
    return this.#filedAs
  }

  async run (task: Task, filedBy: () => Promise<string>): Promise<void> {
    await this.#run(task, filedBy)
    this.#filedAs = task.name
  }

  async #run (task: Task, filedBy: () => Promise<string>): Promise<void> {
    for (;;) {
      task.goOn()
      if (await filedBy() === task.name) return
      if (await this.#lease.take()) break
      await setTimeout(PAUSE)
    }
    try {
      for (let after: number | null = 0; after !== null;) {
        task.goOn()
        after = await this.#step(after, task)
      }
    } finally {
      await this.#lease.release()
    }
  }

  /** @returns where the next step begins, null when all are filed: the last step sees those that came meanwhile */
  #step (after: number, { name, channelsOf }: Task): Promise<number | null> {
    return this.#lineage.hold(async connection => {
      // Another one took it over, since this step was long in coming: it begins anew behind that.
      if (!await this.#lease.take(connection)) throw new TypeError('another node files the documents meanwhile: start this one again')
      const heads = await connection.run(this.#heads, [this.#lineage.log, after]) as HeadRow[]
      const moved = heads.flatMap(row => movedBy(row, channelsOf))
      if (moved.length > 0) await this.#move(connection, moved)
      if (heads.length < STEP) await connection.run(this.#finish, [this.#lineage.log, toText(name)])
      await connection.commit()
      return heads.length < STEP ? null : heads.at(-1)![0]
    })
  }

  async #move (connection: Connection, moved: readonly Moved[]): Promise<void> {
    const values = [
      this.#lineage.log, texts(moved.map(row => row.collection)), texts(moved.map(row => row.documentId)), texts(moved.map(row => toText(row.channel))),
      numbers(moved.map(row => row.position)), flags(moved.map(row => row.member))
    ]
    await connection.run(this.#remove, values)
    await connection.run(this.#put, values)
    await connection.run(this.#rename, [this.#lineage.log, randomBytes(8).toString('hex')])
  }
}

/** The channels that the document should be in and is not, and the other way round. */
function movedBy ([position, collection, documentId, document, members]: HeadRow, channelsOf: Filer): Moved[] {
  const key = { collection: fromText(collection), documentId: fromText(documentId) }
  const wanted = new Set(document === null ? [] : channelsOf(key, document))
  const present = new Set((JSON.parse(members ?? '[]') as string[]).map(name => fromText(name)))
  const row = (channel: string, member: boolean): Moved => ({ collection, documentId, channel, position, member })
  return [
    ...[...present].filter(channel => !wanted.has(channel)).map(channel => row(channel, false)),
    ...[...wanted].filter(channel => !present.has(channel)).map(channel => row(channel, true))
  ]
}
