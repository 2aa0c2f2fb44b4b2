/** A file that is the source or the target of a move: held under the lock, and not served meanwhile. */
import { existsSync } from 'node:fs'
import { SyncError } from '../../errors.ts'
import type { LogFacts, MovedPart, MovedRecord, MoveSource } from '../moving.ts'
import { Arrivals } from './arrivals.ts'
import { MEMORY } from './connection.ts'
import type { Database } from './driver.ts'
import { failureOf, unavailable } from './failure.ts'
import { canonicalPath, fileBytes } from './files.ts'
import { lockFile } from './lock.ts'
import type { Medium } from './medium.ts'
import type { Resolved } from './options.ts'
import { LogParts } from './parts.ts'
import { startMoving } from './start.ts'

interface Held {
  readonly database: Database
  readonly unlock: () => void
  readonly parts: LogParts | null
  readonly arrivals: Arrivals | null
}

export class Mover {
  readonly #given: string
  readonly #options: Resolved
  readonly #medium: Medium
  #held: Held | null = null

  constructor (given: string, { options, medium }: { options: Resolved, medium: Medium }) {
    this.#given = given
    this.#options = options
    this.#medium = medium
  }

  openAtRest (): void {
    if (this.#medium.isOpen || this.#held?.parts) return
    if (this.#given === MEMORY || !existsSync(this.#given) || fileBytes(this.#given) === 0) throw new SyncError('storage_unavailable', { detail: `there is no change log ${this.#given}: name one` })
    this.#hold({ arriving: false })
  }

  facts (): LogFacts {
    return this.#told(() => this.#parts().facts())
  }

  part (from: string | null, size: number): MovedPart {
    return this.#told(() => this.#parts().part(from, size))
  }

  begin (source: MoveSource): { progress: string | null } {
    if (this.#given === MEMORY) throw new TypeError(`a log in memory ends with the process: name a file instead of ${MEMORY}`)
    if (this.#medium.isOpen) throw new TypeError(`${this.#given} is being served: name a new file`)
    if (this.#held === null) this.#hold({ arriving: true })
    try {
      return this.#told(() => this.#arrivals().begin(source))
    } catch (error) {
      this.close()
      throw error
    }
  }

  take (records: readonly MovedRecord[], progress: string): void {
    this.#told(() => this.#arrivals().take(records, progress))
  }

  end (facts: LogFacts): void {
    this.#told(() => this.#arrivals().end(facts))
    this.close()
  }

  close (): void {
    this.#held?.database.close()
    this.#held?.unlock()
    this.#held = null
  }

  #hold ({ arriving }: { arriving: boolean }): void {
    const path = canonicalPath(this.#given)
    this.#told(() => {
      const unlock = lockFile(path)
      try {
        const database = startMoving(path, { options: this.#options, arriving })
        this.#held = { database, unlock, parts: arriving ? null : new LogParts(database), arrivals: arriving ? new Arrivals(database) : null }
      } catch (error) {
        unlock()
        throw error
      }
    })
  }

  #parts (): LogParts {
    // Of a log that is served, as it is at this moment.
    const parts = this.#medium.isOpen ? new LogParts(this.#medium.source()) : this.#held?.parts
    if (!parts) throw new TypeError('openAtRest comes before facts and part')
    return parts
  }

  #arrivals (): Arrivals {
    if (!this.#held?.arrivals) throw new TypeError('begin comes before take and end')
    return this.#held.arrivals
  }

  #told<T> (work: () => T): T {
    try {
      return work()
    } catch (error) {
      const failure = failureOf(error)
      throw failure === undefined ? error : unavailable(this.#given, failure, error)
    }
  }
}
