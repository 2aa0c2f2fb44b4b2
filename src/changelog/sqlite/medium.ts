/**
 * The file as something that can fail: opens it, says how it is, refuses writes while they cannot be kept,
 * goes on reading meanwhile, and recovers by itself when the disk does (DESIGN 4, RELIABILITY 5).
 */
import type { StoreHealth } from '../changelog.ts'
import { SyncError } from '../../errors.ts'
import { Compaction } from './compaction.ts'
import { MEMORY } from './connection.ts'
import type { Database } from './driver.ts'
import { failureOf, unavailable, type Failure } from './failure.ts'
import { canonicalPath, fileBytes, freeBytes, loadBallast } from './files.ts'
import { lockFile } from './lock.ts'
import type { Resolved } from './options.ts'
import { Presence } from './presence.ts'
import { Reader } from './reader.ts'
import { startReading, startWriting, type Connections } from './start.ts'
import { Writer } from './writer.ts'

/** What works on the writing connection. */
export interface Writing {
  readonly database: Database
  readonly writer: Writer
  readonly compaction: Compaction
}

interface Problem {
  readonly failure: Failure
  readonly error: SyncError
}

/** How soon after a failure it is tried again, ms; doubled up to the last. */
const FIRST_RETRY = 250
const LAST_RETRY = 30_000
/** How old a look at the free space may be, ms. */
const SPACE_AGE = 250

export class Medium {
  readonly #given: string
  readonly #options: Resolved
  #path: string
  #unlock: (() => void) | null = null
  #connections: Connections | null = null
  #writing: Writing | null = null
  #reader: Reader | null = null
  /** Over the writing connection, whose cache its own commits leave warm; else the same as `#reader`. */
  #near: Reader | null = null
  #presence: Presence | null = null
  #problem: Problem | null = null
  #timer: NodeJS.Timeout | null = null
  #pause = FIRST_RETRY
  #nextTry = 0
  #spaceSeen = 0
  #distrust = false
  #closed = false

  constructor (path: string, options: Resolved) {
    this.#given = path
    this.#path = path
    this.#options = options
  }

  get path (): string {
    return this.#path
  }

  get isOpen (): boolean {
    return this.#connections !== null
  }

  /** Idempotent. @throws SyncError storage_unavailable */
  open (): void {
    if (this.#closed) throw new SyncError('storage_unavailable', { detail: 'The change log is closed.' })
    if (this.#connections !== null) return
    if (this.#problem !== null && performance.now() < this.#nextTry) throw this.#problem.error
    this.#start()
  }

  /** All questions of a turn are answered from one snapshot, unless something is written in between. */
  read<T> (work: (reader: Reader) => T): T {
    this.open()
    return this.#read(this.#reader!, work)
  }

  /** The same for questions of a few rows. */
  ask<T> (work: (reader: Reader) => T): T {
    this.open()
    return this.#read(this.#near!, work)
  }

  #read<T> (reader: Reader, work: (reader: Reader) => T): T {
    try {
      reader.turn.begin()
      return work(reader)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** What a copy is made through: the connection that makes all changes, or where nothing can be written any other. */
  source (): Database {
    this.open()
    return this.#connections!.writer ?? this.#connections!.reader
  }

  /** @param options.always also while the disk is nearly full: for work that gives space back */
  write<T> (work: (writing: Writing) => T, { always = false } = {}): T {
    this.open()
    this.#requirePresence()
    if (this.#problem?.failure === 'readonly' && performance.now() >= this.#nextTry) this.#reopen()
    if (this.#writing === null) throw this.#problem!.error
    if (!always) this.#requireSpace()
    try {
      this.#reader!.turn.end()
      this.#near!.turn.end()
      const result = work(this.#writing)
      this.#recovered()
      return result
    } catch (error) {
      throw this.#failed(error)
    } finally {
      this.#reader?.forget()
      this.#near?.forget()
    }
  }

  /** The connections anew: what a reader has learned about the epochs is no longer true. */
  refresh (): void {
    this.#readFrom(this.#connections!)
  }

  health (): StoreHealth {
    if (this.#closed) return { writable: false, detail: 'The change log is closed.' }
    const error = this.#presence?.lost ?? this.#problem?.error
    return { writable: error === undefined, detail: error?.message ?? null }
  }

  stats (): Record<string, number> {
    const head = this.#head()
    if (this.#given === MEMORY) return { head, wal_bytes: 0, log_bytes: 0 }
    return { head, wal_bytes: fileBytes(`${this.#path}-wal`), log_bytes: fileBytes(this.#path) }
  }

  /** For figures: 0 while the file cannot be read. */
  #head (): number {
    try {
      return this.#reader?.head() ?? 0
    } catch {
      return 0
    }
  }

  close (): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopTimer()
    this.#disconnect()
    this.#unlock?.()
    this.#unlock = null
  }

  #start (): void {
    try {
      if (this.#given !== MEMORY) this.#path = canonicalPath(this.#given)
      if (this.#given !== MEMORY && this.#unlock === null) this.#unlock = lockFile(this.#path)
      this.#use(startWriting(this.#path, { options: this.#options, distrust: this.#distrust }))
      this.#recovered()
    } catch (error) {
      this.#startReading(error)
    }
  }

  /** A log that cannot be written can still be read: where the folder, the file or a full disk forbids it. */
  #startReading (error: unknown): void {
    const failure = failureOf(error)
    if (failure === undefined || failure === 'busy' || fileBytes(this.#path) === 0) {
      this.#releaseNew()
      throw failure === undefined ? error : unavailable(this.#path, failure, error)
    }
    if (failure === 'broken') this.#distrust = true
    const problem = unavailable(this.#path, failure, error)
    try {
      this.#use(startReading(this.#path, this.#options))
      this.#trouble('readonly', problem)
    } catch {
      this.#trouble(failure, problem)
      throw problem
    }
  }

  /** An open that never succeeded keeps nothing from others. */
  #releaseNew (): void {
    if (this.#problem !== null) return
    this.#unlock?.()
    this.#unlock = null
  }

  #use (connections: Connections): void {
    if (this.#given !== MEMORY) this.#presence = new Presence(this.#path)
    this.#connections = connections
    this.#readFrom(connections)
    const { writer: database } = connections
    this.#writing = database && { database, writer: new Writer(database, this.#options), compaction: new Compaction(database) }
  }

  #readFrom ({ reader, writer }: Connections): void {
    this.#reader = new Reader(reader)
    this.#near = writer === null || writer === reader ? this.#reader : new Reader(writer)
  }

  #reopen (): void {
    this.#disconnect()
    this.#start()
  }

  #disconnect (): void {
    const { reader, writer } = this.#connections ?? {}
    this.#presence = null
    this.#connections = this.#writing = this.#reader = this.#near = null
    // The writer last: whoever closes last copies the WAL back.
    reader?.close()
    writer?.close()
  }

  #requirePresence (): void {
    const lost = this.#presence?.lost ?? null
    if (lost !== null) throw lost
  }

  #requireSpace (): void {
    if (this.#given === MEMORY || this.#options.reserveBytes === 0) return
    const now = performance.now()
    if (now - this.#spaceSeen < SPACE_AGE) return
    const free = freeBytes(this.#path)
    if (free >= this.#options.reserveBytes) {
      this.#spaceSeen = now
      return
    }
    const error = new SyncError('storage_unavailable', { detail: `${this.#path}: the disk is nearly full (${free} bytes free): free some space, writing goes on by itself` })
    this.#trouble('full', error)
    throw error
  }

  #failed (error: unknown): unknown {
    const failure = failureOf(error)
    if (failure === undefined) return error
    const problem = unavailable(this.#path, failure, error)
    if (failure === 'busy') return problem
    this.#trouble(failure, problem)
    if (failure === 'broken') {
      this.#distrust = true
      this.#nextTry = 0
      this.#disconnect()
    }
    return problem
  }

  #trouble (failure: Failure, error: SyncError): void {
    this.#problem = { failure, error }
    this.#nextTry = performance.now() + this.#pause
    this.#timer ??= setTimeout(() => this.#probe(), this.#pause).unref()
    this.#pause = Math.min(2 * this.#pause, LAST_RETRY)
  }

  /** Tries again without waiting for a push, so that health says when all is well. */
  #probe (): void {
    this.#timer = null
    try {
      this.#requirePresence()
      if (this.#problem!.failure === 'full') this.write(({ writer, database }) => writer.transaction(() => database.exec("INSERT OR REPLACE INTO meta VALUES ('probe', random())")))
      else this.#reopen()
    } catch {
      // Said by health(); what failed has set the next attempt.
    }
  }

  #recovered (): void {
    if (this.#problem === null) return
    this.#problem = null
    this.#distrust = false
    this.#pause = FIRST_RETRY
    this.#stopTimer()
    if (this.#given !== MEMORY) loadBallast(this.#path, this.#options.ballastBytes)
  }

  #stopTimer (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
