/**
 * Brings each stream what lies after its place: from the ring while that covers it, else a page of the store. A
 * stream is asked when the tail moved, when its socket drained, or when it has just been given a page and is not
 * at the end. Catch-up flows into live without a seam, since both are the next page after the same place.
 */
import type { ChangeStore } from '../changelog/changelog.ts'
import type { Limits } from '../config.ts'
import { SyncError } from '../errors.ts'
import { NUDGE, oneLine, PageFrame, Place, readRing, resyncFrame } from './frames.ts'
import { readPage } from './page.ts'
import type { Stream } from './stream.ts'
import type { Tail } from './tail.ts'
import { epochOf, resyncReason, type LogState } from './validity.ts'
import { everything } from './view.ts'

/** Sockets written in one turn of the event loop: between turns requests are answered. */
const WRITES = 256
/** In one frame at most, whatever the limits say. */
const ENTRIES = 10_000
/** Pages of the store that are read at the same time, for all streams. */
const READS = 4

export interface DeliveryOptions {
  readonly store: ChangeStore
  readonly tail: Tail
  readonly limits: Limits
  /** Calls back in the next turn of the event loop. */
  readonly turn: (callback: () => void) => void
  /** Text of the hello of a stream whose place has just become known. */
  readonly hello: (stream: Stream, head: number) => string
  /** Whether a stream may go on waiting for this node to reach its cursor. */
  readonly mayWait: (stream: Stream) => boolean
  readonly onError: (error: unknown) => void
}

export class Delivery {
  readonly #options: DeliveryOptions
  #queue: Stream[] = []
  #next = 0
  #pumping = false
  #reads = 0
  #waiting: Stream[] = []
  #generation = 0
  #cached = 0
  /** Some stream could not get on for a reason that may pass. */
  stuck = false

  constructor (options: DeliveryOptions) {
    this.#options = options
  }

  /** The tail moved: what was made for its former end is worth nothing now. */
  forget (): void {
    this.#generation++
    this.#cached = 0
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
    const { tail } = this.#options
    if (!stream.open || stream.full || stream.reading || tail.state === null) return false
    if (!stream.greeted && !this.#greetIfValid(stream, tail.state)) return this.#fetch(stream)
    const place = stream.place!
    if (!stream.doubtful && !stream.owed && place.after >= tail.ring.end) return this.#ping(stream)
    if (stream.doubtful || stream.seenHead > tail.ring.end || !tail.ring.covers(place.after)) return this.#fetch(stream)
    const wrote = this.#give(stream, this.#ringFrame(stream, place))
    if (stream.place!.after < tail.ring.end) this.enqueue(stream)
    return wrote || this.#ping(stream)
  }

  #pump (): void {
    let writes = 0
    while (this.#next < this.#queue.length && writes < WRITES) {
      const stream = this.#queue[this.#next++]!
      stream.queued = false
      if (this.serve(stream)) writes++
    }
    this.#queue.splice(0, this.#next)
    this.#next = 0
    this.#pumping = this.#queue.length > 0
    if (this.#pumping) this.#options.turn(() => this.#pump())
  }

  #ping (stream: Stream): boolean {
    if (!stream.pingDue) return false
    stream.send(stream.greeted ? stream.place!.ping : NUDGE)
    return true
  }

  /** What the tail last saw can prove a place valid, never invalid: this node may lag behind another. */
  #greetIfValid (stream: Stream, state: LogState): boolean {
    const { tail } = this.#options
    const asked = stream.place
    if (asked !== null && resyncReason(asked, state, undefined) !== null) return false
    stream.place = asked === null ? tail.place : new Place(asked.after, epochOf(state, asked.after), asked)
    this.#greet(stream, state.head)
    return true
  }

  #greet (stream: Stream, head: number): void {
    stream.greeted = true
    stream.send(Buffer.from(this.#options.hello(stream, head)))
  }

  #ringFrame (stream: Stream, place: Place): PageFrame {
    const { tail, limits } = this.#options
    const { scope } = stream.facts
    return this.#cachedFrame(stream, place) ?? this.#cache(stream, place, this.#makeRingFrame(tail, {
      after: place.after,
      collections: scope.collections,
      entries: limits.frameEntries,
      bytes: limits.frameBytes
    }))
  }

  #makeRingFrame (tail: Tail, query: Parameters<typeof readRing>[1]): PageFrame {
    const { changes, count, reached } = readRing(tail.ring, query)
    const state = tail.state!
    const hasMore = reached < state.head
    const end = reached === tail.place.after ? tail.place : new Place(reached, epochOf(state, reached))
    return new PageFrame(changes, { end, count, hasMore, state })
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
  #fetch (stream: Stream): boolean {
    const pinged = this.#ping(stream)
    stream.reading = true
    if (this.#reads < READS) this.#read(stream).catch(this.#options.onError)
    else this.#waiting.push(stream)
    return pinged
  }

  async #read (stream: Stream): Promise<void> {
    this.#reads++
    const { doubtful } = stream
    stream.doubtful = false
    let moved = false
    try {
      const cached = this.#cachedFrame(stream, stream.place!)
      const frame = cached?.hasMore === true ? cached : await this.#storeFrame(stream)
      if (stream.open) this.#take(stream, frame)
      moved = true
    } catch (error) {
      moved = stream.open && this.#startsOver(stream, error)
      stream.doubtful ||= doubtful && !moved
    }
    this.#reads--
    stream.reading = false
    if (moved) this.enqueue(stream)
    this.#readNext()
  }

  #readNext (): void {
    let next = this.#waiting.shift()
    while (next !== undefined && !next.open) next = this.#waiting.shift()
    if (next === undefined) return
    next.reading = false
    this.enqueue(next)
  }

  async #storeFrame (stream: Stream): Promise<PageFrame> {
    const { store, limits } = this.#options
    const { scope } = stream.facts
    const position = stream.place!
    const answer = await readPage(store, {
      position,
      collections: scope.collections === null ? null : [...scope.collections],
      limit: Math.max(1, Math.min(limits.frameEntries, ENTRIES)),
      bytes: limits.frameBytes,
      view: everything
    })
    const { global, ...marks } = answer.checkpoint
    const { count, hasMore, epoch, state } = answer
    const end = new Place(global!, epoch, marks)
    const frame = new PageFrame(oneLine(answer.changes), { end, count, hasMore, state })
    // A last page must be newer than every page before it, so it is read for each stream anew.
    return hasMore ? this.#cache(stream, position, frame) : frame
  }

  #take (stream: Stream, frame: PageFrame): void {
    if (!stream.greeted) {
      const { after, ...marks } = stream.place!
      stream.place = new Place(after, epochOf(frame.state, after), marks)
      this.#greet(stream, frame.state.head)
    }
    this.#give(stream, frame)
  }

  /** @returns false when what failed may pass: the stream stays where it is and asks again later */
  #startsOver (stream: Stream, error: unknown): boolean {
    const { mayWait, onError, tail } = this.#options
    const lost = error instanceof SyncError && error.code === 'resync_required'
    if (!lost || (error.facts.reason === 'checkpoint-ahead' && mayWait(stream))) {
      if (!lost) onError(error)
      this.stuck = true
      return false
    }
    stream.place = new Place(0, error.facts.epoch)
    stream.seenHead = 0
    stream.owed = true
    stream.send(Buffer.from(resyncFrame(error.facts.reason!, stream.place)))
    this.#greet(stream, tail.state?.head ?? 0)
    return true
  }

  #cachedFrame ({ facts: { scope } }: Stream, place: Place): PageFrame | undefined {
    if (scope.generation !== this.#generation) return undefined
    return scope.frames.get(place.id)
  }

  #cache ({ facts: { scope } }: Stream, place: Place, frame: PageFrame): PageFrame {
    if (scope.generation !== this.#generation) {
      scope.frames.clear()
      scope.generation = this.#generation
    }
    this.#cached += frame.size
    if (this.#cached > this.#options.limits.ringBytes) this.forget()
    else scope.frames.set(place.id, frame)
    return frame
  }
}
