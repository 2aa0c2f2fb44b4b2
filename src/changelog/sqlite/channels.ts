/** Channel rows: where a document entered or left a channel (DESIGN 4). */
import type { NewEntry } from '../changelog.ts'
import type { Database, Statement } from './driver.ts'

export class ChannelWriter {
  readonly #select: Statement
  readonly #put: Statement
  readonly #unfile: Statement
  readonly #any: Statement
  /** Most logs have no channels: then no entry pays for looking. */
  #used: boolean

  constructor (database: Database) {
    this.#select = database.prepare('SELECT channel FROM channels WHERE collection = ? AND document_id = ? AND member = 1').pluck()
    this.#put = database.prepare('INSERT OR REPLACE INTO channels (collection, document_id, channel, position, member) VALUES (?, ?, ?, ?, ?)')
    this.#unfile = database.prepare("DELETE FROM meta WHERE key = 'filed_by'")
    this.#any = database.prepare("SELECT 1 FROM channels UNION ALL SELECT 1 FROM meta WHERE key = 'filed_by' LIMIT 1")
    this.#used = this.#any.get() !== undefined
  }

  /** After documents were filed by another way. */
  look (): void {
    this.#used = this.#any.get() !== undefined
  }

  concerns (entry: NewEntry): boolean {
    if (entry.channels !== undefined && entry.channels.length > 0) this.#used = true
    return this.#used
  }

  write (entry: NewEntry, collection: number, position: number): void {
    if (entry.channels === undefined && entry.document !== null) this.#unfile.run()
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

/** The channel rows of documents that nobody changes, put as they should be. */
export class ChannelFiles {
  readonly #members: Statement
  readonly #put: Statement
  readonly #remove: Statement
  readonly #set: Statement

  constructor (database: Database) {
    this.#members = database.prepare('SELECT channel FROM channels WHERE collection = ? AND document_id = ? AND member = 1').pluck()
    this.#put = database.prepare('INSERT OR REPLACE INTO channels (collection, document_id, channel, position, member) VALUES (?, ?, ?, ?, 1)')
    this.#remove = database.prepare('DELETE FROM channels WHERE collection = ? AND document_id = ? AND channel = ?')
    this.#set = database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
  }

  /** @returns whether anything was not as it should be */
  move ({ collection, documentId, position }: { collection: number, documentId: string, position: number }, channels: readonly string[]): boolean {
    const wanted = new Set(channels)
    const members = new Set(this.#members.all(collection, documentId) as string[])
    const gone = [...members].filter(channel => !wanted.has(channel))
    const missing = [...wanted].filter(channel => !members.has(channel))
    for (const channel of gone) this.#remove.run(collection, documentId, channel)
    for (const channel of missing) this.#put.run(collection, documentId, channel, position)
    return gone.length + missing.length > 0
  }

  rename (filing: string): void {
    this.#set.run('filing', filing)
  }

  finish (name: string): void {
    this.#set.run('filed_by', name)
  }
}
