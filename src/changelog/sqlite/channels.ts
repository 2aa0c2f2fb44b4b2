/** Channel rows: where a document entered or left a channel (DESIGN 4). */
import type { NewEntry } from '../changelog.ts'
import type { Database, Statement } from './driver.ts'

export class ChannelWriter {
  readonly #select: Statement
  readonly #put: Statement
  /** Most logs have no channels: then no entry pays for looking. */
  #used: boolean

  constructor (database: Database) {
    this.#select = database.prepare('SELECT channel FROM channels WHERE collection = ? AND document_id = ? AND member = 1').pluck()
    this.#put = database.prepare('INSERT OR REPLACE INTO channels (collection, document_id, channel, position, member) VALUES (?, ?, ?, ?, ?)')
    this.#used = database.prepare('SELECT 1 FROM channels LIMIT 1').get() !== undefined
  }

  concerns (entry: NewEntry): boolean {
    if (entry.channels !== undefined && entry.channels.length > 0) this.#used = true
    return this.#used
  }

  write (entry: NewEntry, collection: number, position: number): void {
    const now = new Set(entry.channels)
    for (const channel of this.#select.all(collection, entry.documentId) as string[]) {
      if (!now.has(channel)) this.#put.run(collection, entry.documentId, channel, position, 0)
    }
    for (const channel of now) this.#put.run(collection, entry.documentId, channel, position, 1)
  }
}

export class ChannelRows {
  readonly #drop: Statement

  constructor (database: Database) {
    this.#drop = database.prepare('DELETE FROM channels WHERE collection = ? AND document_id = ?')
  }

  /** Forgets where a document was filed. */
  drop (collection: number, documentId: string): void {
    this.#drop.run(collection, documentId)
  }
}
