/**
 * Pages for readers who are far behind, from a standby, which may lag or stand still. It gives the bodies; what of them
 * is shown says the primary: the rows of a page there are those whose entries still are heads, since a standby that has
 * come as far as a page reaches has every entry up to there. So a page from here is the very page that the primary would
 * give, of the primary's snapshot, and no promise rests on how far the standby is.
 */
import type { Page, ReadQuery } from '../changelog.ts'
import { numbers } from './arrays.ts'
import { epochsFrom, SAME_SERVER, STATE, type Lineage } from './lineage.ts'
import { pageFrom, Pages } from './pages.ts'
import type { Server } from './server.ts'
import { statement, type Statement } from './statement.ts'

/** Where the primary's answer says which entries still are heads. */
const HEADS = 6

export class Replica {
  readonly #standby: Server
  readonly #lineage: Lineage
  readonly #pages: Pages
  readonly #heads: Statement

  constructor (standby: Server, lineage: Lineage) {
    const { schema } = standby.options
    this.#standby = standby
    this.#lineage = lineage
    this.#pages = new Pages(schema, false)
    this.#heads = statement(schema, `SELECT ${STATE}, ${SAME_SERVER}, (SELECT json_agg(k.sequence)::text FROM unnest($4::int8[]) k (sequence)
      CROSS JOIN LATERAL (SELECT 1 FROM pocket.heads h WHERE h.log = $1 AND h.sequence = k.sequence OFFSET 0) h) FROM pocket.logs l WHERE l.log = $1`)
  }

  /** @returns null where the primary is to be asked: the standby fails, or has no full page for this reader */
  async page (query: ReadQuery): Promise<Page | null> {
    // What a document left, and where it is filed, only the primary can say.
    if (query.channels !== undefined || query.filedAfter !== undefined || !this.#isFarBehind(query)) return null
    const found = await this.#ask(query).catch(() => null)
    if (found === null || found.page.scanned >= found.page.head) return null
    const { page, epoch } = found
    const { state, rows: [row] } = await this.#lineage.ask(this.#heads, [numbers(page.rows.map(({ position }) => position))])
    // A server that went another way after a fail-over has other entries under these sequences.
    const at = state.epochs.findIndex(({ id }) => id === epoch)
    const end = state.epochs[at + 1]?.first ?? Infinity
    if (at === -1 || page.scanned >= end) return null
    const heads = new Set(JSON.parse((row![HEADS] as string | null) ?? '[]') as number[])
    return { ...state, rows: page.rows.filter(({ position }) => heads.has(position)), scanned: page.scanned }
  }

  #isFarBehind ({ after, limit }: ReadQuery): boolean {
    const least = typeof after === 'number' ? after : Math.min(...after.values())
    return this.#lineage.known.head - least > limit
  }

  /** @returns with the newest epoch that the standby knows */
  async #ask (query: ReadQuery): Promise<{ page: Page, epoch: string } | null> {
    const { statement, values } = this.#pages.question(query)
    const rows = await this.#standby.read(connection => connection.run(statement, [this.#lineage.log, '', '', ...values]))
    const state = rows.find(([head]) => head !== null)
    if (state === undefined) return null
    const [head, horizon, historyHorizon, epoch, listed] = state as [number, number, number, string, string]
    return { page: pageFrom(rows, { head, horizon, historyHorizon, epochs: epochsFrom(listed) }, undefined), epoch }
  }
}
