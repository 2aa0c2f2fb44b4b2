/**
 * The one reader of new entries per node: reads each once, encodes it once, keeps the newest in a ring. It sleeps
 * while nobody listens, so that a server without streams pays nothing for them.
 */
import type { AccessRules } from '../access.ts'
import type { ChangeStore, Page, Row } from '../changelog/changelog.ts'
import { MAX_INTEGER } from '../../schema/common.ts'
import type { Clock } from './clock.ts'
import { Filings } from './filings.ts'
import { oneLine, Place } from './frames.ts'
import { changeText, headMark } from './page.ts'
import { Ring, type Encoded } from './ring.ts'
import { epochOf, resyncReason, type LogState } from './validity.ts'

/** Between two reads at least, ms (WIRE): what comes within joins one message, and a lone change never waits. */
const PACE = 20
/** Of the node's time that streams are given before their messages are joined further: pushes need the rest. */
const SHARE = 1 / 4
/** Between two reads of a node with too many streams for that, ms: nobody sees so short a delay. */
const SLOW = 50
/** Of one read. */
const ENTRIES = 1000
const BYTES = 1_000_000

export interface TailOptions {
  readonly store: ChangeStore
  readonly clock: Clock
  readonly ringBytes: number
  /** Whether rules say who may see what, and whether by channels. */
  readonly sight: Sight
  /** A read is done. @param news what it brought */
  readonly onRead: (news: TailNews) => void
  readonly onError: (error: unknown) => void
}

/** What the ring must tell of a document beside its text: nothing where everybody sees everything. */
export type Sight = 'everything' | 'documents' | 'channels'

/** `lost`: the log went on from elsewhere (restored, cleared), and every stream must ask the store where it stands. */
export type TailNews = 'none' | 'some' | 'lost'

export class Tail {
  readonly ring: Ring
  readonly filings = new Filings()
  readonly #options: TailOptions
  #state: LogState | null = null
  #place = new Place(0, undefined)
  #awake = false
  #reading = false
  #again = false
  #lastRead = -Infinity
  /** Spent on streams since then, ms. */
  #spent = 0
  #readTo = 0
  /** What was read and is not in the ring yet. */
  #held: Encoded[] = []
  #heldBytes = 0
  #cancelWait: (() => void) | undefined

  constructor (options: TailOptions) {
    this.#options = options
    this.ring = new Ring(options.ringBytes, entry => this.filings.release(entry))
  }

  /** The log as last read; null before the first read after sleep. */
  get state (): LogState | null {
    return this.#state
  }

  get sight (): Sight {
    return this.#options.sight
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
    const wait = this.#pause()
    if (wait <= 0) {
      this.#read().catch(this.#options.onError)
      return
    }
    this.#cancelWait = this.#options.clock.after(wait, () => {
      this.#cancelWait = undefined
      this.look()
    })
  }

  /** Streams were given what was read. @param ms that it took */
  spent (ms: number): void {
    this.#spent += ms
  }

  /** ms; a clock that was set back makes nobody wait. */
  #pause (): number {
    const since = this.#options.clock.now() - this.#lastRead
    return since < 0 ? 0 : Math.min(SLOW, Math.max(PACE, this.#spent / SHARE)) - since
  }

  sleep (): void {
    this.#awake = false
    this.#cancelWait?.()
    this.#cancelWait = undefined
    this.#state = null
    this.#forget(0)
  }

  /** What it keeps may have been erased from the log: it begins anew at the log's end, and streams ask the store. */
  forget (): void {
    this.#state = null
    this.#forget(0)
    this.look()
  }

  async #read (): Promise<void> {
    const { store, clock, sight, onRead, onError } = this.#options
    this.#reading = true
    this.#again = false
    this.#lastRead = clock.now()
    this.#spent = 0
    const asleep = this.#state === null
    try {
      const query = { after: asleep ? MAX_INTEGER : this.#readTo, collections: null, limit: ENTRIES, bytes: BYTES }
      const page = await store.read(sight === 'channels' ? { ...query, filedAfter: this.ring.end } : query)
      const newest = asleep && sight === 'everything' ? await this.#newest(page) : null
      // It may have slept meanwhile: then this page continues nothing.
      if (this.#awake && asleep === (this.#state === null)) onRead(asleep ? this.#startAt(page, newest) : this.#goOn(page))
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

  /**
   * What lies before the end, so that readers who were cut off together find what they missed here: after a restart
   * each of thousands would ask the store for the same. null where it is too much for a few reads.
   */
  async #newest ({ head }: Page): Promise<{ readonly after: number, readonly page: Page } | null> {
    if (head === 0) return null
    for (let entries = ENTRIES; entries >= 1; entries /= 10) {
      const after = Math.max(0, head - entries)
      const page = await this.#options.store.read({ after, collections: null, limit: ENTRIES, bytes: BYTES })
      if (page.scanned >= page.head) return { after, page }
    }
    return null
  }

  /** @param newest what lies before the end, where that is known */
  #startAt (page: Page, newest: { readonly after: number, readonly page: Page } | null = null): TailNews {
    const { head } = newest?.page ?? page
    this.#forget(newest?.after ?? head)
    if (newest !== null) this.ring.add(newest.page.rows.map(encode), head)
    this.#readTo = head
    this.#state = this.#stateOf(newest?.page ?? page)
    this.#place = new Place(head, epochOf(this.#state, head))
    return 'lost'
  }

  #goOn (page: Page): TailNews {
    if (resyncReason(this.#place, page, undefined) !== null) return this.#startAt(page)
    if (page.scanned > this.#readTo) this.#hold(page)
    // With channels a document's head tells where it left some before, and no stream may have passed that place.
    if (this.#options.sight === 'channels' && page.scanned < page.head) return this.#heldBytes > this.#options.ringBytes ? this.#startAt(page) : 'none'
    const moved = this.#readTo > this.ring.end
    if (moved) this.#release(page)
    this.#state = this.#stateOf(page)
    return moved ? 'some' : 'none'
  }

  #stateOf ({ head, horizon, epochs, historyHorizon }: Page): LogState {
    return this.sight === 'everything' ? { head, horizon, epochs } : { head, horizon, epochs, historyFrom: historyHorizon }
  }

  #forget (position: number): void {
    for (const entry of this.#held) this.filings.release(entry)
    this.#held = []
    this.#heldBytes = 0
    this.#readTo = position
    this.ring.reset(position)
  }

  #hold ({ rows, scanned }: Page): void {
    const { sight } = this.#options
    const entries = sight === 'everything' ? rows.map(encode) : rows.flatMap(row => this.filings.take(row))
    this.#held = this.#held.length === 0 ? entries : [...this.#held, ...entries]
    if (sight === 'channels') for (const { bytes } of entries) this.#heldBytes += bytes
    this.#readTo = scanned
  }

  #release (page: Page): void {
    if (this.#options.sight === 'channels') this.#held.sort((a, b) => a.position - b.position)
    this.ring.add(this.#held, this.#readTo)
    this.#held = []
    this.#heldBytes = 0
    const marks = this.#readTo < page.head ? { head: headMark(page) } : {}
    this.#place = new Place(this.#readTo, epochOf(page, this.#readTo), marks)
  }
}

export function sightOf ({ authorize, channelsOf, accessVersion }: Pick<AccessRules, 'authorize' | 'channelsOf' | 'accessVersion'>): Sight {
  if (channelsOf !== null) return 'channels'
  return authorize === null && accessVersion === null ? 'everything' : 'documents'
}

function encode (row: Row): Encoded {
  const text = oneLine(changeText(row))
  return { position: row.position, collection: row.entry.collection, text, bytes: Buffer.byteLength(text) }
}
