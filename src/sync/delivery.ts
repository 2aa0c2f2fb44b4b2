/**
 * Brings each stream what lies after its place: from the ring while that covers it, else a page of the store. A
 * stream is asked when the tail moved, when its socket drained, or when it has just been given a page and is not
 * at the end. Catch-up flows into live without a seam, since both are the next page after the same place.
 */
import type { ChangeStore } from '../changelog/changelog.ts'
import type { Limits } from '../config.ts'
import type { Clock } from './clock.ts'
import { SyncError } from '../errors.ts'
import { FrameMaker } from './frame-maker.ts'
import { NUDGE, Place, resyncFrame, type PageFrame } from './frames.ts'
import { Grants, type Grant } from './grants.ts'
import type { Stream } from './stream.ts'
import type { Tail } from './tail.ts'
import { epochOf, resyncReason, type LogState } from './validity.ts'
import type { Views } from './view.ts'

/** Sockets written in one turn of the event loop: between turns requests are answered. */
const WRITES = 256
/** While streams arrive: libuv takes one connection a turn, and a crowd that waits for its hello comes a second time. */
const WRITES_BESIDE_ARRIVALS = 8
/** Turns after an arrival that are as short: the next may wait to be taken. */
const TURNS_AFTER_ARRIVAL = 16
/** Pages of the store that are read at the same time, for all streams. */
const READS = 4
/** Where rules are asked about them: those of a few readers may take seconds to answer, and must not hold up the others. */
const READS_UNDER_RULES = 64

export interface DeliveryOptions {
  readonly store: ChangeStore
  readonly tail: Tail
  /** null: everybody sees everything. */
  readonly views: Views | null
  readonly limits: Limits
  readonly clock: Pick<Clock, 'now'>
  /** Calls back in the next turn of the event loop. */
  readonly turn: (callback: () => void) => void
  /** Text of the hello of a stream whose place has just become known. */
  readonly hello: (stream: Stream, head: number) => string
  readonly ping: (stream: Stream) => Uint8Array
  /** Ends a stream whose time is up. @returns whether it was */
  readonly ends: (stream: Stream) => boolean
  /** Whether a stream may go on waiting for this node to reach its cursor. */
  readonly mayWait: (stream: Stream) => boolean
  readonly onError: (error: unknown) => void
}

export class Delivery {
  readonly #options: DeliveryOptions
  readonly #grants: Grants
  readonly #frames: FrameMaker
  #queue: Stream[] = []
  #next = 0
  #pumping = false
  /** Turns that are short for those who arrive. */
  #short = 0
  #reads = 0
  #waiting: Stream[] = []
  /** Some stream could not get on for a reason that may pass. */
  stuck = false

  constructor (options: DeliveryOptions) {
    const { store, tail, views, limits, turn } = options
    this.#options = options
    this.#grants = new Grants({ tail, views, onGranted: stream => { this.serve(stream) }, onFailed: (stream, error) => this.#notGranted(stream, error) })
    this.#frames = new FrameMaker({ store, tail, limits, turn, onFull: () => this.forget() })
  }

  /** The tail moved: what was made and asked for its former end is worth nothing now. */
  forget (): void {
    this.#grants.renew()
    this.#frames.forget()
  }

  /** Serves a new stream. The ring may lag, and what it has may have been taken back before this reader was let in. */
  begin (stream: Stream): void {
    this.#short = TURNS_AFTER_ARRIVAL
    stream.doubtful = this.#options.views !== null
    this.#grants.expire(stream)
    this.serve(stream)
  }

  /** Asks a stream soon, for another reason than that the tail moved. */
  wake (stream: Stream): void {
    this.#grants.expire(stream)
    this.enqueue(stream)
  }

  /** Asks a stream soon. */
  enqueue (stream: Stream): void {
    if (stream.queued || stream.reading || stream.full || !stream.open) return
    stream.queued = true
    this.#queue.push(stream)
    if (this.#pumping) return
    this.#pumping = true
    this.#options.turn(() => this.#pump())
  }

  /** Gives a stream the next page after its place. @returns whether that wrote to its socket */
  serve (stream: Stream): boolean {
    const { tail, ends } = this.#options
    if (!stream.open || stream.full || stream.reading || tail.state === null) return false
    const atEnd = stream.greeted && !stream.doubtful && !stream.owed && stream.place!.after >= tail.ring.end
    if ((atEnd && !stream.pingDue) || ends(stream)) return false
    const grant = this.#grants.of(stream)
    // Its answer costs a turn as much as a page.
    if (grant === null) return true
    if (!stream.greeted && !this.#greetIfValid(stream, grant, tail.state)) return this.#fetch(stream, grant)
    if (stream.place!.scope !== grant.view.scope) return this.#rescope(stream, grant, tail.state)
    if (atEnd) return this.#ping(stream)
    return this.#isInRing(stream, grant) ? this.#serveRing(stream, grant) : this.#fetch(stream, grant)
  }

  #pump (): void {
    const { clock, tail } = this.#options
    const begun = clock.now()
    const most = this.#short > 0 ? WRITES_BESIDE_ARRIVALS : WRITES
    if (this.#short > 0) this.#short--
    let writes = 0
    while (this.#next < this.#queue.length && writes < most) {
      const stream = this.#queue[this.#next++]!
      stream.queued = false
      if (this.serve(stream)) writes++
    }
    this.#queue.splice(0, this.#next)
    this.#next = 0
    tail.spent(Math.max(0, clock.now() - begun))
    this.#pumping = this.#queue.length > 0
    if (this.#pumping) this.#options.turn(() => this.#pump())
  }

  #ping (stream: Stream): boolean {
    if (!stream.pingDue) return false
    stream.send(stream.greeted ? this.#options.ping(stream) : NUDGE)
    return true
  }

  /** What the tail last saw can prove a place valid, never invalid: this node may lag behind another. */
  #greetIfValid (stream: Stream, { view: { scope } }: Grant, state: LogState): boolean {
    const { tail } = this.#options
    const asked = stream.place
    if (asked !== null && resyncReason(asked, state, scope) !== null) return false
    if (asked === null) stream.place = scope === undefined ? tail.place : new Place(tail.place.after, tail.place.epoch, { scope })
    else stream.place = new Place(asked.after, epochOf(state, asked.after), { snapshot: asked.snapshot, head: asked.head, scope })
    this.#greet(stream, state.head)
    return true
  }

  #greet (stream: Stream, head: number): void {
    stream.greeted = true
    stream.send(Buffer.from(this.#options.hello(stream, head)))
  }

  /** Whether the ring has all that lies after a stream's place, and knows what the reader was shown up to there. */
  #isInRing ({ place, doubtful, seenHead }: Stream, { view: { looksBack } }: Grant): boolean {
    const { ring, state } = this.#options.tail
    if (doubtful || seenHead > ring.end || !ring.covers(place!.after)) return false
    return !looksBack || resyncReason(place!, state!, undefined) === null
  }

  /** The reader's rights are others than those its place was reached under. */
  #rescope (stream: Stream, { view: { scope } }: Grant, state: LogState): boolean {
    const place = new Place(0, epochOf(state, 0), { scope })
    stream.doubtful = true
    if (stream.place!.after > 0) this.#startOver(stream, place, 'scope-changed')
    else stream.place = place
    this.enqueue(stream)
    return true
  }

  #serveRing (stream: Stream, grant: Grant): boolean {
    const place = stream.place!
    // Asked before what comes next was read: nobody was asked about that.
    if (grant.until <= place.after && this.#options.tail.ring.end > place.after) {
      this.wake(stream)
      return false
    }
    const wish = { scope: stream.facts.scope, place, grant }
    const frame = this.#frames.ringFrame(wish)
    if (frame === null) return this.#fetch(stream, grant)
    if (frame instanceof Promise) {
      const pinged = this.#ping(stream)
      stream.reading = true
      this.#takes(stream, grant, frame).then(moved => { this.#goOn(stream, moved) }).catch(this.#options.onError)
      return pinged
    }
    const wrote = this.#give(stream, frame)
    if (stream.place!.after < this.#options.tail.ring.end) this.enqueue(stream)
    return wrote || this.#ping(stream)
  }

  /** Writes before it moves the cursor: what was not written is not passed. */
  #give (stream: Stream, frame: PageFrame): boolean {
    const due = frame.count > 0 || (stream.owed && !frame.hasMore)
    if (due) {
      stream.send(frame.bytes)
      stream.owed = frame.hasMore
    }
    stream.seenHead = Math.max(stream.seenHead, frame.state.head)
    stream.place = frame.end
    return due
  }

  /** @returns whether a ping went out: the page comes later, or never while the store fails */
  #fetch (stream: Stream, grant: Grant): boolean {
    // The store has what was written since the batch began: about that it must be asked now.
    if (!this.#grants.isFresh(stream)) {
      this.wake(stream)
      return false
    }
    const pinged = this.#ping(stream)
    stream.reading = true
    if (this.#reads < (this.#options.views === null ? READS : READS_UNDER_RULES)) this.#read(stream, grant).catch(this.#options.onError)
    else this.#waiting.push(stream)
    return pinged
  }

  async #read (stream: Stream, grant: Grant): Promise<void> {
    this.#reads++
    const { doubtful } = stream
    stream.doubtful = false
    // The next page is another question.
    this.#grants.expire(stream)
    const moved = await this.#takes(stream, grant, this.#frames.storeFrame({ scope: stream.facts.scope, place: stream.place!, grant }))
    stream.doubtful ||= doubtful && !moved
    this.#reads--
    this.#goOn(stream, moved)
    this.#readNext()
  }

  #readNext (): void {
    let next = this.#waiting.shift()
    while (next !== undefined && !next.open) next = this.#waiting.shift()
    if (next === undefined) return
    next.reading = false
    this.wake(next)
  }

  #goOn (stream: Stream, moved: boolean): void {
    stream.reading = false
    if (moved) this.enqueue(stream)
  }

  /** @returns false when it stays where it is, for a reason that may pass */
  async #takes (stream: Stream, grant: Grant, making: Promise<PageFrame>): Promise<boolean> {
    try {
      const frame = await making
      if (stream.open && !this.#options.ends(stream)) this.#take(stream, frame)
      return true
    } catch (error) {
      return stream.open && this.#startsOver(stream, grant, error)
    }
  }

  #take (stream: Stream, frame: PageFrame): void {
    if (!stream.greeted) {
      const { after, snapshot, head } = stream.place!
      stream.place = new Place(after, epochOf(frame.state, after), { snapshot, head, scope: frame.end.scope })
      this.#greet(stream, frame.state.head)
    }
    this.#give(stream, frame)
  }

  /** @returns false when what failed may pass: the stream stays where it is and asks again later */
  #startsOver (stream: Stream, { view: { scope } }: Grant, error: unknown): boolean {
    const lost = error instanceof SyncError && error.code === 'resync_required'
    if (!lost || (error.facts.reason === 'checkpoint-ahead' && this.#options.mayWait(stream))) {
      if (!lost) this.#tell(error)
      // It may have failed since the rights are others now.
      this.#grants.expire(stream)
      this.stuck = true
      return false
    }
    return this.#startOver(stream, new Place(0, error.facts.epoch, { scope }), error.facts.reason!)
  }

  #startOver (stream: Stream, place: Place, reason: string): true {
    stream.place = place
    // No page was given: what the ring has may have been taken back before the reader had these rights.
    stream.doubtful = this.#options.views !== null
    stream.seenHead = 0
    stream.owed = true
    stream.send(Buffer.from(resyncFrame(reason, place)))
    this.#greet(stream, this.#options.tail.state?.head ?? 0)
    return true
  }

  /** Who asked the rules has told of their failures. */
  #tell (error: unknown): void {
    if (!(error instanceof SyncError) || error.code !== 'access_unavailable') this.#options.onError(error)
  }

  /** Rights that cannot be told are those of nobody: the stream stays where it is, and it is asked again. */
  #notGranted (stream: Stream, error: unknown): void {
    this.stuck = true
    this.#tell(error)
    if (stream.open && !stream.full) this.#ping(stream)
  }
}
