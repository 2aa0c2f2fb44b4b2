/**
 * Full pages kept as the bytes they are sent as, for readers who ask the same: those of a first sync nearly all do. A
 * page is sent again only when the store, asked in the moment of the question, says that it would read the same once
 * more; so a kept page is never older than one that is read (promises 4 and 8). Only for readers from whom nothing is hidden.
 */
import type { ChangeStore, Page, ReadQuery, Row } from '../changelog/changelog.ts'

/** How rows become text. */
export interface Form {
  readonly name: string
  readonly textOf: (rows: readonly Row[]) => string
}

export interface ReadyPage {
  /** What the store said; its rows are absent when the text was ready. */
  readonly page: Page
  readonly text: string | Buffer
  /** How many rows the text stands for. */
  readonly count: number
}

interface Kept {
  readonly after: number
  readonly text: Buffer
  readonly count: number
  readonly stamp: string
}

/** What a page takes beside its text. Attack: pages of one document each. */
const BESIDE = 1024

export class ReadyPages {
  readonly #store: Pick<ChangeStore, 'read'>
  readonly #max: number
  /** The one that was not asked for the longest comes first. */
  readonly #kept = new Map<string, Kept>()
  /** How many there are after a position: most pulls ask from where nobody else did. */
  readonly #places = new Map<number, number>()
  #bytes = 0
  #forgotten = 0

  /** @param max bytes that are kept */
  constructor (store: Pick<ChangeStore, 'read'>, max: number) {
    this.#store = store
    this.#max = max
  }

  async read (query: ReadQuery & { readonly after: number }, form: Form): Promise<ReadyPage> {
    const { after } = query
    const kept = this.#places.has(after) ? this.#kept.get(keyOf(query, form)) : undefined
    const forgotten = this.#forgotten
    const page = await this.#store.read(kept === undefined ? query : { ...query, stamp: kept.stamp })
    if (kept !== undefined && page.stamp === kept.stamp && page.rows.length === 0) {
      this.#touch(keyOf(query, form), kept)
      return { page, text: kept.text, count: kept.count }
    }
    const text = form.textOf(page.rows)
    const count = page.rows.length
    if (page.stamp === undefined || forgotten !== this.#forgotten) return { page, text, count }
    const made = { after, text: Buffer.from(text), count, stamp: page.stamp }
    this.#keep(keyOf(query, form), made)
    return { page, text: made.text, count }
  }

  /** What was erased from the log must not stay here. */
  forget (): void {
    this.#kept.clear()
    this.#places.clear()
    this.#bytes = 0
    this.#forgotten++
  }

  #keep (key: string, kept: Kept): void {
    this.#drop(key)
    this.#kept.set(key, kept)
    this.#places.set(kept.after, (this.#places.get(kept.after) ?? 0) + 1)
    this.#bytes += BESIDE + kept.text.length
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#max) return
      this.#drop(oldest)
    }
  }

  #drop (key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#bytes -= BESIDE + kept.text.length
    this.#kept.delete(key)
    const left = this.#places.get(kept.after)! - 1
    if (left > 0) this.#places.set(kept.after, left)
    else this.#places.delete(kept.after)
  }

  /** Unless it was forgotten or replaced meanwhile. */
  #touch (key: string, kept: Kept): void {
    if (this.#kept.get(key) !== kept) return
    this.#kept.delete(key)
    this.#kept.set(key, kept)
  }
}

function keyOf ({ after, limit, bytes, collections }: ReadQuery & { readonly after: number }, { name }: Form): string {
  return `${name} ${after} ${limit} ${bytes} ${collections?.join() ?? '*'}`
}
