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
  readonly text: Buffer
  readonly count: number
  readonly stamp: string
}

/** What a page takes beside its text. Attack: pages of one document each. */
const BESIDE = 1024

/** Of all logs of a node, within one bound: of many tenants each might fill one of its own. */
export class PageCache {
  readonly #max: number
  /** The one that was not asked for the longest comes first. */
  readonly #kept = new Map<string, Kept>()
  #bytes = 0
  #logs = 0

  /** @param max bytes that are kept */
  constructor (max: number) {
    this.#max = max
  }

  /** @returns how the keys of another log begin */
  log (): string {
    return `${++this.#logs} `
  }

  find (key: string): Kept | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    return kept
  }

  keep (key: string, kept: Kept): void {
    this.#drop(key)
    this.#kept.set(key, kept)
    this.#bytes += BESIDE + kept.text.length
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#max) return
      this.#drop(oldest)
    }
  }

  forget (log: string): void {
    for (const key of this.#kept.keys()) if (key.startsWith(log)) this.#drop(key)
  }

  #drop (key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#bytes -= BESIDE + kept.text.length
    this.#kept.delete(key)
  }
}

/** The kept pages of one log. */
export class ReadyPages {
  readonly #store: Pick<ChangeStore, 'read'>
  readonly #cache: PageCache
  readonly #log: string
  #forgotten = 0

  constructor (store: Pick<ChangeStore, 'read'>, cache: PageCache) {
    this.#store = store
    this.#cache = cache
    this.#log = cache.log()
  }

  async read (query: ReadQuery & { readonly after: number }, form: Form): Promise<ReadyPage> {
    const { after, limit, bytes, collections } = query
    const key = `${this.#log}${form.name} ${after} ${limit} ${bytes} ${collections?.join() ?? '*'}`
    const kept = this.#cache.find(key)
    const forgotten = this.#forgotten
    const page = await this.#store.read(kept === undefined ? query : { ...query, stamp: kept.stamp })
    if (kept !== undefined && page.stamp === kept.stamp && page.rows.length === 0) return { page, text: kept.text, count: kept.count }
    const text = form.textOf(page.rows)
    const count = page.rows.length
    if (page.stamp === undefined || forgotten !== this.#forgotten) return { page, text, count }
    const made = { text: Buffer.from(text), count, stamp: page.stamp }
    this.#cache.keep(key, made)
    return { page, text: made.text, count }
  }

  /** What was erased from the log must not stay here, nor what lies in a log that is closed. */
  forget (): void {
    this.#cache.forget(this.#log)
    this.#forgotten++
  }
}
