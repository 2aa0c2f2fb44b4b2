/** From lines of NDJSON to pushes. */
import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { PushResponse } from '../../schema/push-response.ts'
import { SyncError } from '../errors.ts'
import { CommandError } from './exit.ts'
import { asFooter, asHeader, FORMAT, type Header } from './export-file.ts'
import { LINE_BYTES, linesOf, type Line } from './lines.ts'

/** Lines, and bytes, of one batch. */
const BATCH = 500
const BATCH_BYTES = 8 * 2 ** 20

/** In the push that the line was put into, which nobody can look up. */
const PLACE = /,? at byte \d+/

export interface ImporterOptions {
  /** The lines are documents of it; null: they are an export. */
  readonly collection: string | null
  /** Of documents without one, ms since 1970. */
  readonly timestamp: number
  readonly push: (body: Buffer) => Promise<PushResponse>
  readonly afterBatch: () => Promise<void>
  /** A line for people. */
  readonly tell: (text: string) => Promise<void>
}

/** What became of the lines. */
export interface Tally {
  lines: number
  documents: number
  applied: number
  duplicate: number
  /** A newer version is stored and stands. */
  kept: number
  refused: number
  /** The export's last line is missing. */
  cutShort: boolean
}

/** A change and the line it came from. */
interface Item {
  readonly number: number
  readonly text: string
}

export class Importer {
  readonly tally: Tally = { lines: 0, documents: 0, applied: 0, duplicate: 0, kept: 0, refused: 0, cutShort: false }
  readonly #options: ImporterOptions
  /** Changes that wait, by collection. */
  #batch = new Map<string, Item[]>()
  #items = 0
  #bytes = 0
  #header: Header | null = null
  #whole = false

  constructor (options: ImporterOptions) {
    this.#options = options
  }

  /** @param at called now and then with how many bytes were read; what it throws ends the import */
  async run (chunks: AsyncIterable<Uint8Array>, at: (bytes: number) => Promise<void>): Promise<void> {
    for await (const line of linesOf(chunks)) {
      this.tally.lines = line.number
      await this.#take(line)
      if (this.#items < BATCH && this.#bytes < BATCH_BYTES) continue
      await this.#flush()
      await at(line.end)
    }
    await this.#flush()
    this.tally.cutShort = this.#header !== null && !this.#whole
  }

  async #take (line: Line): Promise<void> {
    const { number, bytes } = line
    if (bytes === null) return await this.#refuse(number, `the line is longer than ${LINE_BYTES} bytes`)
    if (!isUtf8(bytes)) return await this.#refuse(number, 'it is not UTF-8')
    const text = bytes.toString().trim()
    if (text === '') return
    const value = parsed(text)
    if (value === undefined) return await this.#refuse(number, line.ended ? 'it is no JSON object' : 'it is no JSON object: the file was cut short here')
    if (number === 1 && this.#isHeader(value)) return
    if (this.#header !== null && asFooter(value) !== null) {
      this.#whole = true
      return
    }
    this.tally.documents++
    const change = this.#options.collection === null ? this.#exported(value, text) : this.#plain(value, text)
    if (typeof change === 'string') await this.#refuse(number, change)
    else this.#add(change.collection, { number, text: change.text })
  }

  #isHeader (value: object): boolean {
    try {
      this.#header = asHeader(value)
    } catch (error) {
      throw new CommandError('log', (error as Error).message, error)
    }
    if (this.#header !== null && this.#options.collection !== null) throw new CommandError('usage', 'the file is an export, whose lines name their collections: leave --collection out')
    if (this.#header === null && this.#options.collection === null) throw new CommandError('usage', `the first line is not that of an export (${FORMAT}): say with --collection where plain documents belong`)
    return this.#header !== null
  }

  /** A line of an export is a change as it stands. @returns what is wrong with it, in words */
  #exported (value: object, text: string): { collection: string, text: string } | string {
    const { collection, documentId } = value as { collection?: unknown, documentId?: unknown }
    if (typeof collection !== 'string' || typeof documentId !== 'string') return 'it has no collection and documentId'
    return { collection, text }
  }

  #plain (value: object, text: string): { collection: string, text: string } | string {
    const { _id: id } = value as { _id?: unknown }
    if (typeof id !== 'string') return 'the document has no _id that is a string'
    const facts = JSON.stringify({ operation: 'insert', documentId: id, timestamp: this.#options.timestamp })
    return { collection: this.#options.collection!, text: `${facts.slice(0, -1)},"document":${text}}` }
  }

  #add (collection: string, item: Item): void {
    const items = this.#batch.get(collection)
    if (items === undefined) this.#batch.set(collection, [item])
    else items.push(item)
    this.#items++
    this.#bytes += item.text.length
  }

  async #flush (): Promise<void> {
    const batch = this.#batch
    this.#batch = new Map()
    this.#items = this.#bytes = 0
    for (const [collection, items] of batch) await this.#push(collection, items)
    if (batch.size > 0) await this.#options.afterBatch()
  }

  async #push (collection: string, items: readonly Item[]): Promise<void> {
    const facts = JSON.stringify({ type: 'push', id: randomUUID(), timestamp: this.#options.timestamp, collection })
    const body = Buffer.from(`${facts.slice(0, -1)},"changes":[${items.map(({ text }) => text).join(',')}]}`)
    let answer: PushResponse
    try {
      answer = await this.#options.push(body)
    } catch (error) {
      if (!(error instanceof SyncError) || error.status >= 500) throw error
      // One of them is wrong outside of its document, which condemns a message whole: each by itself then.
      if (items.length > 1) for (const item of items) await this.#push(collection, [item])
      else await this.#refuse(items[0]!.number, error.message)
      return
    }
    for (const { index, status, documentId, error } of answer.results ?? []) {
      const { number } = items[index]!
      if (status === 'rejected') await this.#refuse(number, `${collection}/${documentId}: ${error?.code ?? 'no reason was given'}: ${(error?.detail ?? '').replace(PLACE, '')}`)
      else if (status === 'duplicate') this.tally.duplicate++
      else if (status === 'conflict') this.tally.kept++
      else this.tally.applied++
    }
  }

  async #refuse (number: number, why: string): Promise<void> {
    this.tally.refused++
    await this.#options.tell(`line ${number} is refused: ${why}`)
  }
}

/** undefined for what is no JSON object. */
function parsed (text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}
