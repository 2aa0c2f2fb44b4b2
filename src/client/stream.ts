/**
 * Live changes for as long as the app wants them: connections one after the other, each from where the last one
 * got to (promise 5). Where something on the way holds streams back, long polls take their place.
 */
import { Deadline, fullJitter, sleep } from './backoff.ts'
import { cursorOf } from './cursor.ts'
import { asProblem, Credential, randomId, type Link } from './link.ts'
import { ResyncRequired, unreachable, type SyncProblem } from './problem.ts'
import { SseParser, type Frame } from './sse-parser.ts'
import type { Bye, Checkpoint, Hello, PullInput, PullResponse, StreamEvent } from './types.ts'

/** What the stream of one client needs. */
export interface StreamSource {
  readonly link: Link
  readonly collections: readonly string[]
  readonly checkpoint: Checkpoint
  readonly epoch: string | undefined
  readonly signal: AbortSignal
  /** One poll, without retries. */
  readonly pull: (input: PullInput) => Promise<PullResponse>
}

/** So many connections in a row whose greeting or heartbeats did not come mean that streams do not get through here. */
const HELD_BACK = 3
/** Heartbeats that may be missing before a connection counts as dead. */
const HEARTBEATS = 2.5
const DEFAULT_HEARTBEAT_MS = 15_000
/** A server that does not wait must not be asked without end. */
const MIN_POLL_MS = 1000

const namedEvents = new Set(['hello', 'ping', 'resync', 'bye'])

export class StreamReader {
  readonly #source: StreamSource
  readonly #credential: Credential
  /** Of the last whole frame. */
  #cursor: string
  #checkpoint: Checkpoint
  #epoch: string | undefined
  #heartbeatMs = DEFAULT_HEARTBEAT_MS
  #retryMs: number
  /** Attempts in a row that came to nothing. */
  #failures = 0
  /** Connections in a row that were held back. */
  #heldBack = 0

  constructor (source: StreamSource) {
    this.#source = source
    this.#credential = new Credential(source.link)
    this.#checkpoint = source.checkpoint
    this.#epoch = source.epoch
    this.#cursor = cursorOf(source.checkpoint, source.epoch)
    this.#retryMs = source.link.timing.backoffMs
  }

  /** Until the signal aborts. @throws SyncProblem what trying again cannot mend */
  async * events (): AsyncGenerator<StreamEvent, void, undefined> {
    const { signal } = this.#source
    while (!signal.aborted) {
      let pause = 0
      try {
        if (this.#heldBack < HELD_BACK) pause = yield * this.#connection()
        else yield * this.#polls()
      } catch (error) {
        if (signal.aborted) return
        const problem = asProblem(error)
        if (problem instanceof ResyncRequired) yield this.#resync(problem)
        if (this.#credential.replaceable(problem)) continue
        if (!problem.retryable && !(problem instanceof ResyncRequired)) throw problem
        pause = this.#pauseAfter(problem)
        if (problem.retryable) yield this.#placed({ type: 'disconnected' as const, error: problem, retryMs: pause })
      }
      await sleep(pause, signal)
    }
  }

  #pauseAfter ({ retryAfterMs = 0 }: SyncProblem): number {
    const { backoffMaxMs } = this.#source.link.timing
    return Math.max(retryAfterMs, fullJitter(this.#failures++, this.#retryMs, backoffMaxMs))
  }

  /** One connection, to its end. @returns how long to wait before the next, ms */
  async * #connection (): AsyncGenerator<StreamEvent, number, undefined> {
    const { link, signal, collections } = this.#source
    const deadline = new Deadline(signal)
    const parser = new SseParser()
    let greeted = false
    try {
      const token = await this.#credential.token()
      deadline.extend(link.timing.helloMs)
      const query = { ...collections.length === 0 ? {} : { collections: [...collections].sort().join(',') }, since: this.#cursor, c: randomId() }
      const reader = (await link.stream(query, deadline.signal, token)).getReader()
      // Node's fetch follows a signal no further than its Request lives, and that may be collected (nodejs/undici#3644).
      deadline.signal.addEventListener('abort', () => { reader.cancel().catch(() => {}) })
      for (;;) {
        if (greeted) deadline.extend(HEARTBEATS * this.#heartbeatMs)
        const { value } = await reader.read()
        if (value === undefined) throw unreachable('the stream ended without a farewell')
        for (const frame of parser.push(value)) {
          greeted = true
          // The consumer may take its time: nothing is read meanwhile, so nothing can be missing.
          deadline.extend()
          const event = this.#take(frame, parser.retry)
          if (event !== undefined) yield event
          if (event?.type === 'bye') {
            this.#heldBack = 0
            return this.#afterBye(event)
          }
        }
      }
    } catch (error) {
      this.#heldBack = deadline.expired ? this.#heldBack + 1 : greeted ? 0 : this.#heldBack
      throw error
    } finally {
      deadline.end()
    }
  }

  /** What a frame says; undefined for what this client does not know. The place moves with either. @throws SyntaxError */
  #take ({ event, data, id }: Frame, retryMs: number | undefined): StreamEvent | undefined {
    const parsed = data === undefined || !(event === 'message' || namedEvents.has(event)) ? null : JSON.parse(data) as StreamEvent | null
    const known = parsed?.type === (event === 'message' ? 'pull-response' : event) ? parsed : undefined
    if (id !== undefined && id !== '') this.#cursor = id
    // What came with the greeting may be all that gets through at once.
    if (event === 'ping') this.#heldBack = 0
    // Of a server that asks for none, an endless loop would be made.
    if (retryMs !== undefined) this.#retryMs = Math.max(retryMs, this.#source.link.timing.backoffMs)
    if (known === undefined) return undefined
    if (known.checkpoint?.global !== undefined) this.#checkpoint = known.checkpoint
    this.#epoch = known.epoch ?? /~e([a-z0-9]{1,32})/.exec(id ?? '')?.[1] ?? this.#epoch
    if (known.type === 'hello') this.#greet(known)
    return this.#placed(known)
  }

  #greet ({ heartbeatMs }: Hello): void {
    this.#failures = 0
    this.#credential.accepted()
    if (heartbeatMs > 0) this.#heartbeatMs = heartbeatMs
  }

  #afterBye ({ reason, retryMs }: Bye): number {
    if (reason === 'token-expired' || reason === 'token-revoked') this.#credential.expired()
    const pause = retryMs >= 0 ? retryMs : this.#retryMs
    // A server that is full is asked less and less often.
    if (reason !== 'overloaded') return pause
    return Math.max(pause, fullJitter(this.#failures++, pause, this.#source.link.timing.backoffMaxMs))
  }

  async * #polls (): AsyncGenerator<StreamEvent, void, undefined> {
    const { link: { timing }, collections, pull, signal } = this.#source
    const until = performance.now() + timing.streamAgainMs
    try {
      while (performance.now() < until && !signal.aborted) {
        const start = performance.now()
        const page = await pull({ collections, checkpoint: this.#checkpoint, epoch: this.#epoch, waitMs: timing.waitMs })
        this.#failures = 0
        this.#checkpoint = page.checkpoint
        this.#epoch = page.epoch
        this.#cursor = cursorOf(page.checkpoint, page.epoch)
        yield page
        const empty = Object.keys(page.changes).length === 0
        if (empty && !page.hasMore) await sleep(MIN_POLL_MS - (performance.now() - start), signal)
      }
    } finally {
      // Next a stream is tried once: it may get through by now, and after a failed poll nobody knows what was the matter.
      this.#heldBack = HELD_BACK - 1
    }
  }

  #resync ({ reason, checkpoint, epoch }: ResyncRequired): StreamEvent {
    this.#checkpoint = checkpoint
    this.#epoch = epoch
    this.#cursor = cursorOf(checkpoint, epoch)
    return this.#placed({ type: 'resync' as const, reason })
  }

  #placed<T extends object> (event: T): T & { checkpoint: Checkpoint, epoch: string } {
    return { ...event, checkpoint: this.#checkpoint, ...this.#epoch === undefined ? {} : { epoch: this.#epoch } } as T & { checkpoint: Checkpoint, epoch: string }
  }
}
