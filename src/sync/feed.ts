/**
 * Live: one tail per node, shared by all streams; a stream is a cursor, not a queue (DESIGN 8). This file opens,
 * watches and ends streams; what they are sent is `delivery.ts`.
 */
import { MAX_INTEGER } from '../../schema/common.ts'
import type { AccessRules } from '../access.ts'
import type { ChangeStore } from '../changelog/changelog.ts'
import type { Limits, StreamClient } from '../config.ts'
import type { Clock } from './clock.ts'
import type { Crowd } from './crowd.ts'
import { Delivery } from './delivery.ts'
import type { Doorbell } from './doorbell.ts'
import { Expiry } from './expiry.ts'
import { Farewells } from './farewells.ts'
import { byeFrame, helloFrame, NUDGE, Place, type ByeReason } from './frames.ts'
import { Nudges } from './nudges.ts'
import { Pauses } from './pauses.ts'
import { Scopes } from './scopes.ts'
import { Stream, type Sink, type StreamRequest } from './stream.ts'
import { sightOf, Tail, type TailNews } from './tail.ts'
import type { Views } from './view.ts'

export interface Feed {
  /** Open streams. */
  readonly size: number
  /** Takes over the sink: everything from now on is said on it, a refusal too. */
  connect (request: StreamRequest, sink: Sink): void
  clients (): StreamClient[]
  /**
   * Ends a stream at once; its client may come back. @returns whether there was one
   * @param reason told to the client before: it then comes back with another credential
   */
  disconnect (id: string, reason?: 'token-revoked'): boolean
}

export interface FeedOptions {
  readonly store: ChangeStore
  readonly rules: Pick<AccessRules, 'authorize' | 'channelsOf' | 'accessVersion'>
  readonly views: Views
  readonly bell: Doorbell
  readonly clock: Clock
  readonly limits: Limits
  /** Shared by the feeds of a node. */
  readonly crowd: Crowd
  /** A ping after this many ms without a byte. */
  readonly heartbeatInterval: number
  /** A stream whose peer takes nothing for this many ms is dropped. */
  readonly clientTimeout: number
  /** 0 ≤ x < 1. */
  readonly random: () => number
  readonly onConnect?: (client: StreamClient) => void
  readonly onDisconnect?: (client: StreamClient) => void
  /** A read of the log failed; the streams stay and try again at the next ring. */
  readonly onError?: (error: unknown) => void
  /** Calls back in the next turn of the event loop; default `setImmediate`. */
  readonly turn?: (callback: () => void) => void
}

/** Between two looks at all streams at most, ms. */
const SWEEP = 250
/** What is left of the streams after the drain time is cut off after this many ms. */
const LAST_BYTES = 250
/** Of the drain time, for each stream, ms. */
const DRAIN_EACH = 10
export class LiveFeed implements Feed {
  readonly #options: FeedOptions
  readonly #tail: Tail
  readonly #delivery: Delivery
  readonly #sweepMs: number
  readonly #streams = new Map<string, Stream>()
  readonly #scopes: Scopes
  readonly #nudges: Nudges
  readonly #farewells: Farewells
  readonly #expiry: Expiry
  readonly #pauses: Pauses
  #unlisten: (() => void) | undefined
  #cancelSweep: (() => void) | undefined
  #closed: Promise<void> | undefined
  #onEmpty: (() => void) | undefined

  constructor (options: FeedOptions) {
    this.#options = options
    const { store, clock, limits, turn = setImmediate, onError = () => {} } = options
    this.#nudges = new Nudges(clock)
    this.#pauses = new Pauses(options.random, options.crowd)
    this.#sweepMs = Math.max(1, Math.min(SWEEP, options.heartbeatInterval / 20))
    this.#expiry = new Expiry(clock, this.#sweepMs)
    this.#farewells = new Farewells({ sweeps: options.clientTimeout / this.#sweepMs, onGone: () => this.#settle() })
    const sight = sightOf(options.rules)
    this.#scopes = new Scopes(sight === 'everything')
    this.#tail = new Tail({ store, clock, ringBytes: limits.ringBytes, sight, onError, onRead: news => this.#onRead(news) })
    this.#delivery = new Delivery({
      store,
      tail: this.#tail,
      views: sight === 'everything' ? null : options.views,
      limits,
      clock,
      turn,
      onError,
      hello: (stream, head) => this.#hello(stream, head),
      ping: stream => this.#expiry.ping(stream),
      ends: stream => this.#ends(stream),
      mayWait: stream => stream.age * this.#sweepMs < limits.aheadMs
    })
  }

  get size (): number {
    return this.#streams.size
  }

  clients (): StreamClient[] {
    return [...this.#streams.values()].map(stream => stream.describe(this.#tail.state))
  }

  disconnect (id: string, reason?: 'token-revoked'): boolean {
    const stream = this.#streams.get(id)
    if (stream === undefined) return false
    if (reason !== undefined) {
      this.#bye(stream, reason)
      return true
    }
    this.#remove(stream)
    stream.facts.sink.destroy()
    return true
  }

  connect (request: StreamRequest, sink: Sink): void {
    const { since } = request
    const place = since === 'now' ? null : new Place(since.after, since.epoch, since)
    const refusal = this.#refusal(request)
    if (refusal !== null) {
      sink.write(byeFrame(refusal, this.#pauses.after(refusal), place ?? this.#knownPlace()))
      this.#leave(sink)
      return
    }
    const stream = this.#add(request, place, sink)
    sink.listen({ drained: () => this.#drained(stream), closed: () => this.#remove(stream) })
    if (!stream.open) return
    this.#options.onConnect?.(stream.describe(this.#tail.state))
    if (this.#tail.state === null) this.#tail.wake()
    else this.#delivery.begin(stream)
    this.#sweepLater()
  }

  /** Some of the log was erased: what is kept of it here goes too. */
  forget (): void {
    this.#tail.forget()
  }

  /** Ends all streams, spread over up to `drainMs`, and refuses new ones. Resolves when all are gone; idempotent. */
  close ({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#closed ??= this.#end(drainMs)
    return this.#closed
  }

  async #end (drainMs: number): Promise<void> {
    const { random, clock, crowd } = this.#options
    const empty = new Promise<void>(resolve => { this.#onEmpty = resolve })
    // A few come back at once without harm; a crowd is given the whole time.
    const spread = Math.min(drainMs, crowd.size * DRAIN_EACH)
    for (const stream of [...this.#streams.values()]) {
      stream.life = stream.age + random() * spread / this.#sweepMs
      if (spread === 0) this.#bye(stream, 'shutdown')
    }
    const cancel = clock.after(drainMs + LAST_BYTES, () => this.#cutOff())
    this.#settle()
    await empty
    cancel()
    this.#cancelSweep?.()
    this.#nudges.close()
    this.#rest()
  }

  #refusal ({ user, expiresAt }: StreamRequest): ByeReason | null {
    const { crowd, limits: { streams, streamsPerUser, streamsWaiting } } = this.#options
    if (this.#closed !== undefined) return 'shutdown'
    if (this.#expiry.sweepsTo(expiresAt) === 0) return 'token-expired'
    return crowd.size >= streams || crowd.waiting.size >= streamsWaiting || this.#scopes.streamsOf(user?.id ?? null) >= streamsPerUser ? 'overloaded' : null
  }

  /** Only where everybody is given the same one. */
  #knownPlace (): Place | null {
    return this.#tail.state === null || this.#tail.sight !== 'everything' ? null : this.#tail.place
  }

  #add (request: StreamRequest, place: Place | null, sink: Sink): Stream {
    const { bell, clock, crowd, limits, random } = this.#options
    const life = limits.streamMs * (0.8 + random() * 0.2) / this.#sweepMs
    const scope = this.#scopes.take(request.collections, request.user)
    const stream = new Stream({ id: crowd.newId(), scope, request, place, sink, connectedAt: clock.now(), life, credentialLife: this.#expiry.sweepsTo(request.expiresAt) })
    this.#streams.set(stream.facts.id, stream)
    crowd.enter(stream)
    // Before anything is read, so that nothing falls between the two.
    this.#unlisten ??= bell.listen(() => this.#tail.look())
    return stream
  }

  #remove (stream: Stream): void {
    if (!stream.open) return
    stream.open = false
    const { id, scope, request } = stream.facts
    this.#streams.delete(id)
    this.#options.crowd.leave(stream)
    this.#scopes.release(scope, request.user)
    if (this.#streams.size === 0) this.#rest()
    this.#options.onDisconnect?.(stream.describe(this.#tail.state))
    this.#settle()
  }

  /** Without streams nothing is read, nor listened for. */
  #rest (): void {
    this.#tail.sleep()
    this.#unlisten?.()
    this.#unlisten = undefined
  }

  #bye (stream: Stream, reason: ByeReason): void {
    const place = stream.greeted ? stream.place : stream.facts.place
    stream.send(byeFrame(reason, this.#pauses.after(reason), place))
    this.#leave(stream.facts.sink)
    this.#remove(stream)
  }

  #leave (sink: Sink): void {
    this.#farewells.add(sink)
    this.#sweepLater()
  }

  #ends (stream: Stream): boolean {
    if (!this.#expiry.isOver(stream)) return false
    this.#bye(stream, 'token-expired')
    return true
  }

  #settle (): void {
    if (this.#onEmpty !== undefined && this.#streams.size === 0 && this.#farewells.size === 0) this.#onEmpty()
  }

  #cutOff (): void {
    for (const stream of [...this.#streams.values()]) this.disconnect(stream.facts.id)
    this.#farewells.cutOff()
  }

  #hello (stream: Stream, head: number): string {
    this.#options.crowd.waiting.delete(stream)
    this.#nudges.add(stream)
    const maxDurationMs = Math.max(1, Math.min(MAX_INTEGER, Math.round((stream.life - stream.age) * this.#sweepMs)))
    return helloFrame({ place: stream.place!, head, heartbeatMs: this.#options.heartbeatInterval, maxDurationMs, retryMs: this.#pauses.soon, expiry: this.#expiry.told(stream) })
  }

  #onRead (news: TailNews): void {
    const delivery = this.#delivery
    if (news !== 'none') delivery.forget()
    else if (!delivery.stuck) return
    delivery.stuck = false
    for (const stream of this.#streams.values()) {
      if (news === 'lost') stream.doubtful = stream.greeted
      delivery.enqueue(stream)
    }
  }

  #drained (stream: Stream): void {
    stream.full = false
    stream.stalled = 0
    this.#delivery.wake(stream)
  }

  #sweepLater (): void {
    if (this.#streams.size + this.#farewells.size === 0) return
    this.#cancelSweep ??= this.#options.clock.after(this.#sweepMs, () => {
      this.#cancelSweep = undefined
      this.#sweep()
      this.#sweepLater()
    })
  }

  #sweep (): void {
    for (const stream of this.#streams.values()) this.#look(stream)
    this.#farewells.sweep()
    if (this.#delivery.stuck) this.#tail.look()
  }

  #look (stream: Stream): void {
    const { heartbeatInterval, clientTimeout } = this.#options
    stream.age++
    stream.quiet++
    stream.stalled = stream.full ? stream.stalled + 1 : 0
    if (stream.stalled * this.#sweepMs > clientTimeout) this.disconnect(stream.facts.id)
    else if (this.#ends(stream)) this.#settle()
    else if (stream.age >= stream.life) this.#bye(stream, this.#closed !== undefined ? 'shutdown' : 'max-duration')
    else if (stream.quiet * this.#sweepMs >= heartbeatInterval && !stream.full) this.#beat(stream)
  }

  /** Through the queue, so that thousands of pings do not fall into one turn; at once where a read of the log hangs. */
  #beat (stream: Stream): void {
    stream.pingDue = true
    if (stream.reading || this.#tail.state === null) stream.send(stream.greeted ? this.#expiry.ping(stream) : NUDGE)
    else this.#delivery.wake(stream)
  }
}
