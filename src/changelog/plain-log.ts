/** The seven methods of an application's log: what they return made sure of, what they throw turned into one error. */
import { SyncError } from '../errors.ts'
import type { ChangeEntry, ChangeLog } from './changelog.ts'
import { broken, rowOf, sequenceOf, type PlainRow } from './plain-row.ts'

/** Entries asked for at once when the log is read back; one that returns fewer, or more, does as well. */
const BATCH = 1000

/** Every method throws `SyncError('storage_unavailable')` when the log's own fails or returns what it must not. */
export class PlainLog {
  readonly #log: ChangeLog
  /** What is wrong; null since the last call that succeeded. */
  failure: string | null = null

  constructor (log: ChangeLog) {
    this.#log = log
  }

  append (change: ChangeEntry): Promise<void> {
    return this.#ask('append', () => this.#log.append(change))
  }

  getSince (sequence: number, limit: number): Promise<PlainRow[]> {
    return this.#ask('getSince', async () => (await this.#log.getSince(sequence, limit)).map(rowOf))
  }

  async getForCollection (collection: string, since: number): Promise<ChangeEntry[]> {
    return await this.#ask('getForCollection', async () => (await this.#log.getForCollection(collection, since)).map(row => rowOf(row).entry))
  }

  get (id: string): Promise<ChangeEntry | null> {
    return this.#ask('get', async () => {
      const found = await this.#log.get(id) ?? null
      return found === null ? null : rowOf(found).entry
    })
  }

  getCurrentSequence (): Promise<number> {
    return this.#ask('getCurrentSequence', async () => sequenceOf(await this.#log.getCurrentSequence()))
  }

  compact (): Promise<void> {
    return this.#ask('compact', () => this.#log.compact())
  }

  clear (): Promise<void> {
    return this.#ask('clear', () => this.#log.clear())
  }

  /** Hands over all entries after a sequence, in order. @returns what the log then says is its newest sequence */
  readBack (after: number, take: (row: PlainRow) => void): Promise<number> {
    return this.#ask('getSince', async () => {
      const before = await this.getCurrentSequence()
      let last = after
      for (let rows = await this.getSince(last, BATCH); rows.length > 0; rows = await this.getSince(last, BATCH)) {
        for (const row of rows) {
          const { sequence } = row.entry
          if (sequence <= last) throw broken(`returned entry ${sequence} for getSince(…) after ${last}, where entries after that, ascending, are wanted`)
          take(row)
          last = sequence
        }
      }
      // Somebody may have appended meanwhile.
      const newest = last > before ? await this.getCurrentSequence() : before
      if (last > Math.max(after, newest)) throw broken(`has entry ${last}, yet its getCurrentSequence() returns ${newest}`)
      return newest
    })
  }

  async #ask<T> (method: string, call: () => Promise<T>): Promise<T> {
    try {
      const answer = await call()
      this.failure = null
      return answer
    } catch (error) {
      const failed = error instanceof SyncError ? error : broken(`failed in ${method}()`, error)
      this.failure = failed.message
      throw failed
    }
  }
}
