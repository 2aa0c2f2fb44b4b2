/** Questions to the log, each one statement. */
import type { DocumentKey, EntryFacts, HeadAnswer, HeadKey, JournalQuery, JournalRow, Page, ReadQuery, StoredEntry } from '../changelog.ts'
import { isIdentityOf } from '../entry.ts'
import { blobs, numbers, texts } from './arrays.ts'
import { decodeJournal, JOURNAL } from './journal.ts'
import type { Lineage } from './lineage.ts'
import { pageFrom, Pages } from './pages.ts'
import { decodeEntry, decodeFacts, ENTRY, FACTS } from './rows.ts'
import { Replica } from './replica.ts'
import type { Server } from './server.ts'
import { statement, type Statement, type Tuple } from './statement.ts'
import { fromText, toText } from './text.ts'

export class Reader {
  readonly #server: Server
  readonly #lineage: Lineage
  readonly #replica: Replica | undefined
  readonly #pages: Pages
  readonly #heads: Statement
  readonly #entries: Statement
  readonly #history: Statement
  readonly #since: Statement
  readonly #sinceOf: Statement
  readonly #byId: Statement
  readonly #bySequence: Statement
  readonly #journal: Statement
  readonly #collections: Statement
  readonly #row: Statement

  /** @param standby from which readers who are far behind get their pages */
  constructor (server: Server, lineage: Lineage, standby?: Server) {
    const { schema } = server.options
    this.#server = server
    this.#lineage = lineage
    this.#replica = standby && new Replica(standby, lineage)
    this.#pages = new Pages(schema)
    this.#heads = statement(schema, `SELECT k.n, i.sequence, ${FACTS} FROM unnest($2::text[], $3::text[], $4::bytea[]) WITH ORDINALITY k (collection, document_id, identity, n)
      LEFT JOIN LATERAL (SELECT h.sequence FROM pocket.heads h WHERE h.log = $1 AND h.collection = k.collection AND h.document_id = k.document_id OFFSET 0) h ON true
      LEFT JOIN LATERAL (SELECT * FROM pocket.entries e WHERE e.log = $1 AND e.sequence = h.sequence OFFSET 0) e ON true
      LEFT JOIN LATERAL (SELECT i.sequence FROM pocket.identities i WHERE i.log = $1 AND i.collection = k.collection AND i.document_id = k.document_id AND i.identity = k.identity OFFSET 0) i ON true`)
    this.#entries = statement(schema, `SELECT ${ENTRY} FROM pocket.entries e WHERE e.log = $1 AND e.sequence = ANY ($2::int8[])`)
    // Along the chain of previous entries: compaction drops a document's entries from its oldest on.
    this.#history = statement(schema, `WITH RECURSIVE chain (sequence, n) AS (
        SELECT CASE WHEN b.sequence IS NULL THEN h.sequence ELSE b.previous END, 0 FROM pocket.heads h
          LEFT JOIN pocket.entries b ON b.log = $1 AND b.sequence = $4 AND b.collection = $2 AND b.document_id = $3
          WHERE h.log = $1 AND h.collection = $2 AND h.document_id = $3
        UNION ALL SELECT e.previous, c.n + (e.sequence < $4)::int FROM chain c JOIN pocket.entries e ON e.log = $1 AND e.sequence = c.sequence WHERE c.n < $5)
      SELECT ${ENTRY} FROM chain c JOIN pocket.entries e ON e.log = $1 AND e.sequence = c.sequence WHERE e.sequence < $4 ORDER BY e.sequence DESC LIMIT $5`)
    this.#since = statement(schema, `SELECT ${ENTRY} FROM pocket.entries e WHERE e.log = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3`)
    this.#sinceOf = statement(schema, `SELECT ${ENTRY} FROM pocket.entries e WHERE e.log = $1 AND e.collection = $2 AND e.sequence > $3 ORDER BY e.sequence`)
    this.#byId = statement(schema, `SELECT ${ENTRY} FROM pocket.entries e WHERE e.log = $1 AND e.id = $2`)
    this.#bySequence = statement(schema, `SELECT ${ENTRY} FROM pocket.entries e WHERE e.log = $1 AND e.sequence = $2`)
    this.#journal = statement(schema, `SELECT ${JOURNAL} FROM pocket.journal WHERE log = $1 AND id < $2 AND ($4::text IS NULL OR collection = $4) AND ($5::text IS NULL OR document_id = $5) ORDER BY id DESC LIMIT $3`)
    // From each collection to the next, since there are few among many documents.
    this.#collections = statement(schema, `WITH RECURSIVE names (name) AS (
        (SELECT h.collection FROM pocket.heads h WHERE h.log = $1 ORDER BY h.collection LIMIT 1)
        UNION ALL SELECT (SELECT h.collection FROM pocket.heads h WHERE h.log = $1 AND h.collection > n.name ORDER BY h.collection LIMIT 1) FROM names n WHERE n.name IS NOT NULL)
      SELECT name FROM names WHERE name IS NOT NULL`)
    this.#row = statement(schema, 'SELECT secret, filing, filed_by FROM pocket.logs WHERE log = $1')
  }

  async page (query: ReadQuery): Promise<Page> {
    const copied = await this.#replica?.page(query)
    if (copied) return copied
    const { statement, values } = this.#pages.question(query)
    const { state, rows } = await this.#lineage.ask(statement, values)
    return pageFrom(rows, state, query.filedAfter)
  }

  async heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]> {
    if (keys.length === 0) return []
    const rows = await this.#ask(this.#heads, [
      texts(keys.map(({ collection }) => toText(collection))), texts(keys.map(({ documentId }) => toText(documentId))), blobs(keys.map(({ identity }) => identity ?? null))
    ])
    const answers = new Array<HeadAnswer>(keys.length)
    for (const [n, recorded, ...facts] of rows as Array<[number, number | null, ...Tuple]>) {
      answers[n - 1] = answer(keys[n - 1]!, recorded, facts[0] === null ? null : decodeFacts(facts))
    }
    return answers
  }

  async entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>> {
    if (sequences.length === 0) return []
    const found = (await this.#ask(this.#entries, [numbers(sequences)])).map(decodeEntry)
    const bySequence = new Map(found.map(entry => [entry.sequence, entry]))
    return sequences.map(sequence => bySequence.get(sequence) ?? null)
  }

  async history ({ collection, documentId }: DocumentKey, before: number, limit: number): Promise<StoredEntry[]> {
    const rows = await this.#ask(this.#history, [toText(collection), toText(documentId), Math.min(before, Number.MAX_SAFE_INTEGER), limit])
    return rows.map(decodeEntry)
  }

  async since (sequence: number, limit: number): Promise<StoredEntry[]> {
    return (await this.#ask(this.#since, [sequence, Math.min(limit, Number.MAX_SAFE_INTEGER)])).map(decodeEntry)
  }

  async sinceOf (collection: string, sequence: number): Promise<StoredEntry[]> {
    return (await this.#ask(this.#sinceOf, [toText(collection), sequence])).map(decodeEntry)
  }

  async byId (id: string): Promise<StoredEntry | null> {
    const [given] = await this.#ask(this.#byId, [toText(id)])
    if (given !== undefined) return decodeEntry(given)
    const sequence = Number(id.slice(id.lastIndexOf('-') + 1))
    if (!Number.isSafeInteger(sequence)) return null
    const [row] = await this.#ask(this.#bySequence, [sequence])
    const entry = row === undefined ? null : decodeEntry(row)
    return entry?.id === id ? entry : null
  }

  async journal ({ before = Infinity, limit, collection, documentId }: JournalQuery & { limit: number }): Promise<JournalRow[]> {
    const rows = await this.#ask(this.#journal, [Math.min(before, Number.MAX_SAFE_INTEGER), limit, toText(collection ?? null), toText(documentId ?? null)])
    return rows.map(decodeJournal)
  }

  async collections (): Promise<string[]> {
    return (await this.#ask(this.#collections, [])).map(([name]) => fromText(name as string))
  }

  async secret (): Promise<Uint8Array> {
    return Uint8Array.from((await this.#facts())[0])
  }

  async filing (): Promise<string> {
    return (await this.#facts())[1]
  }

  async filedBy (): Promise<string> {
    return fromText((await this.#facts())[2]) ?? ''
  }

  async #facts (): Promise<[secret: Uint8Array, filing: string, filedBy: string | null]> {
    const ask = async (): Promise<Tuple | undefined> => (await this.#ask(this.#row, []))[0]
    let row = await ask()
    if (row === undefined) {
      await this.#lineage.mend()
      row = await ask()
    }
    return row as [Uint8Array, string, string | null]
  }

  async #ask (of: Statement, values: readonly unknown[]): Promise<Tuple[]> {
    const ask = (): Promise<Tuple[]> => this.#server.read(connection => connection.run(of, [this.#lineage.log, ...values]))
    return await ask().catch(async (error: unknown) => {
      await this.#lineage.mendMissing(error)
      return await ask()
    })
  }
}

function answer ({ identity }: HeadKey, recorded: number | null, head: EntryFacts | null): HeadAnswer {
  if (identity === undefined) return { head, duplicateOf: 0 }
  return { head, duplicateOf: recorded ?? (head?.exact === true && isIdentityOf(identity, head) ? head.sequence : 0) }
}
