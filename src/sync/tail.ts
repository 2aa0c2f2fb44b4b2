/**
 * The one reader of new entries per node: reads each once, encodes it once, keeps the newest in a ring. It sleeps
 * while nobody listens, so that a server without streams pays nothing for them.
 */
import type { ChangeStore, Page, Row } from '../changelog/changelog.ts'
import { MAX_INTEGER } from '../../schema/common.ts'
import type { Clock } from './clock.ts'
import { oneLine, Place } from './frames.ts'
import { changeText } from './page.ts'
import { Ring, type Encoded } from './ring.ts'
import { epochOf, resyncReason, type LogState } from './validity.ts'

/** Between two reads at least, ms (WIRE): what comes within joins one message, and a lone change never waits. */
const PACE = 20
/** Of one read. */
const ENTRIES = 1000
const BYTES = 1_000_000

export interface TailOptions {
  readonly store: ChangeStore
  readonly clock: Clock
  readonly ringBytes: number
  /** A read is done. @param news what it brought */
  readonly onRead: (news: TailNews) => void
  readonly onError: (error: unknown) => void
}

/** `lost`: the log went on from elsewhere (restored, cleared), and every stream must ask the store where it stands. */
export type TailNews = 'none' | 'some' | 'lost'

export class Tail {
  readonly ring: Ring
  readonly #options: TailOptions
  #state: LogState | null = null
  #place = new Place(0, undefined)
  #awake = false
  #reading = false
  #again = false
  #lastRead = -Infinity
  #cancelWait: (() => void) | undefined

  constructor (options: TailOptions) {
    this.#options = options
    this.ring = new Ring(options.ringBytes)
  }

  /** The log as last read; null before the first read after sleep. */
  get state (): LogState | null {
    return this.#state
  }

  /** How far the ring reaches. */
  get place (): Place {
    return this.#place
  }

  /** Looks again, at once or as soon as the pace allows. */
  wake (): void {
    this.#awake = true
    this.look()
  }

  /** The same, unless it sleeps. */
  look (): void {
    if (!this.#awake || this.#cancelWait !== undefined) return
    if (this.#reading) {
      this.#again = true
      return
    }
    const { clock } = this.#options
    const wait = Math.min(PACE, this.#lastRead + PACE - clock.now())
    if (wait <= 0) {
      this.#read().catch(this.#options.onError)
      return
    }
    this.#cancelWait = clock.after(wait, () => {
      this.#cancelWait = undefined
      if (this.#awake) this.#read().catch(this.#options.onError)
    })
  }

  sleep (): void {
    this.#awake = false
    this.#cancelWait?.()
    this.#cancelWait = undefined
    this.#state = null
    this.ring.reset(0)
  }

  async #read (): Promise<void> {
    const { store, clock, onRead, onError } = this.#options
    this.#reading = true
    this.#again = false
    this.#lastRead = clock.now()
    const asleep = this.#state === null
    try {
      const page = await store.read({ after: asleep ? MAX_INTEGER : this.ring.end, collections: null, limit: ENTRIES, bytes: BYTES })
      // It may have slept meanwhile: then this page continues nothing.
      if (this.#awake && asleep === (this.#state === null)) onRead(asleep ? this.#startAt(page) : this.#goOn(page))
      if (page.scanned < page.head) {
        this.#again = true
        this.#lastRead = -Infinity
      }
    } catch (error) {
      onError(error)
    } finally {
      this.#reading = false
    }
    if (this.#again) this.look()
  }

  #startAt (page: Page): TailNews {
    this.ring.reset(page.head)
    this.#state = stateOf(page)
    this.#place = new Place(page.head, epochOf(page, page.head))
    return 'lost'
  }

  #goOn (page: Page): TailNews {
    if (resyncReason(this.#place, page, undefined) !== null) return this.#startAt(page)
    const moved = page.scanned > this.ring.end
    if (moved) {
      this.ring.add(page.rows.map(encode), page.scanned)
      this.#place = new Place(page.scanned, epochOf(page, page.scanned))
    }
    this.#state = stateOf(page)
    return moved ? 'some' : 'none'
  }
}

function stateOf ({ head, horizon, epochs }: Page): LogState {
  return { head, horizon, epochs }
}

function encode (row: Row): Encoded {
  const text = oneLine(changeText(row))
  return { position: row.position, collection: row.entry.collection, text, bytes: Buffer.byteLength(text) }
}
