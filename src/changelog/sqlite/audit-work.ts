/** Sealing and erasing as a series of short transactions, between which commits and reads go on. */
import type { Erased, EraseOptions, Seal, WrittenBy } from '../audit.ts'
import type { DocumentKey } from '../changelog.ts'
import { finishWork } from './compact.ts'
import type { Work } from './compaction.ts'
import { Erasure, type Place, type Tally } from './erasure.ts'
import type { Medium, Writing } from './medium.ts'
import { Names } from './names.ts'

interface AuditRun {
  /** Asked between the steps; false ends the work. */
  readonly goOn: () => boolean
  /** The server's clock, ms. */
  readonly now: () => number
}

/** How often the WAL is tried to be emptied while others read, and how long after each other, ms. */
const ATTEMPTS = 20
const PAUSE = 50

/** Sealing now and then is in no hurry, and costs an entry about as much as its push: of the time this share. */
const IN_PASSING = 1 / 20

export class AuditWork {
  readonly #medium: Medium
  readonly #run: AuditRun
  listener: (seal: Seal) => void = () => {}

  constructor (medium: Medium, run: AuditRun) {
    this.#medium = medium
    this.#run = run
  }

  /** @param before entries from before this time do not wait for a block to be full */
  async seal (before = Infinity): Promise<void> {
    const old = this.#newest()
    await this.#finish(({ compaction: { blocks } }) => blocks.seal(before, this.#run.now()), before === Infinity ? undefined : IN_PASSING)
    const seal = this.#run.goOn() ? this.#newest() : null
    if (seal !== null && seal.block !== old?.block) this.listener(seal)
  }

  /** Sealed before they go: afterwards the chain proves the rest. */
  async erase (keys: readonly DocumentKey[], { rewrite = false }: EraseOptions): Promise<Erased> {
    await this.seal()
    const tally: Tally = { versions: 0, journal: 0 }
    try {
      await this.#finish(writing => erasureOf(writing).documents(keys.map(key => placeOf(writing, key)), tally))
      await this.#finish(({ compaction }) => compaction.vacuum(0))
    } finally {
      if (this.#run.goOn()) this.#write(writing => erasureOf(writing).end())
    }
    if (rewrite && this.#run.goOn()) this.#write(({ database }) => database.exec('VACUUM'))
    return { ...tally, walEmptied: await this.#emptyWal() }
  }

  writtenBy (userId: string, after: number): WrittenBy {
    return this.#write(writing => {
      const erasure = erasureOf(writing)
      const names = new Names(writing.database)
      const { documents, next } = erasure.writtenBy(userId, after)
      const told = documents.map(([number, documentId]) => {
        const place = { number, collection: names.name(number), documentId }
        return { collection: place.collection, documentId, alone: erasure.isAlone(place, userId) }
      })
      return { documents: told, next }
    })
  }

  async forgetWriter (key: DocumentKey, userId: string): Promise<number> {
    const tally: Tally = { versions: 0, journal: 0 }
    await this.#finish(writing => erasureOf(writing).writer(placeOf(writing, key), userId, tally))
    return tally.versions
  }

  async forgetJournal (userId: string): Promise<number> {
    const tally: Tally = { versions: 0, journal: 0 }
    await this.#finish(writing => erasureOf(writing).journalOf(userId, tally))
    return tally.journal
  }

  async #emptyWal (): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS && this.#run.goOn(); attempt++) {
      if (attempt > 0) await new Promise(resolve => setTimeout(resolve, PAUSE))
      if (this.#write(writing => erasureOf(writing).emptyWal())) return true
    }
    return false
  }

  #newest (): Seal | null {
    return this.#write(({ compaction }) => compaction.blocks.newest())
  }

  /** What it asks, it asks of the writing connection, which has just written. */
  #write<T> (work: (writing: Writing) => T): T {
    return this.#medium.write(work, { always: true })
  }

  #finish (begin: (writing: Writing) => Work, share?: number): Promise<void> {
    return finishWork(this.#medium, begin, this.#run.goOn, share)
  }
}

function erasureOf ({ database, compaction }: Writing): Erasure {
  return new Erasure(database, compaction)
}

function placeOf ({ database }: Writing, { collection, documentId }: DocumentKey): Place {
  return { number: new Names(database).number(collection), collection, documentId }
}
