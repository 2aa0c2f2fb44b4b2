/**
 * What readers may see, asked anew for each live batch and each page (DESIGN 7): a grant or a revocation takes effect
 * with the next. One question is asked for all streams of a reader that the same batch wakes.
 */
import type { Reader } from './scopes.ts'
import type { Stream } from './stream.ts'
import type { Tail } from './tail.ts'
import { everything, type View, type Views } from './view.ts'

export interface Grant {
  readonly view: View
  readonly channels: ReadonlySet<string> | null
  /** Where the ring ended when it was asked for: what is newer, nobody was asked about. */
  readonly until: number
  /** Of the batch it was asked for. */
  readonly generation: number
}

export interface GrantsOptions {
  readonly tail: Tail
  /** null: everybody sees everything. */
  readonly views: Views | null
  /** A stream that waited for an answer goes on, at once. */
  readonly onGranted: (stream: Stream) => void
  /** The application could not say. */
  readonly onFailed: (stream: Stream, error: unknown) => void
}

export class Grants {
  readonly #options: GrantsOptions
  #generation = 0
  #everything: Grant = { view: everything, channels: null, until: Infinity, generation: 0 }
  /** Streams that wait for the answer about their reader. */
  readonly #waiting = new Map<Reader, Stream[]>()

  constructor (options: GrantsOptions) {
    this.#options = options
  }

  /** A batch begins: of what was asked before, nothing counts. */
  renew (): void {
    this.#everything = { ...this.#everything, generation: ++this.#generation }
  }

  /** What a stream's next page is made under; null: it is asked for, and the stream goes on when that is answered. */
  of (stream: Stream): Grant | null {
    const { views } = this.#options
    if (views === null) return this.#everything
    if (stream.grant !== null) return stream.grant
    const { reader } = stream.facts.scope
    if (reader.grant?.generation === this.#generation) return reader.grant
    this.#ask(stream, views)
    return null
  }

  /** Whether it was answered in this very turn. */
  isFresh (stream: Stream): boolean {
    return this.#options.views === null || stream.grant !== null
  }

  /** Something else than a batch has woken a stream: what it may see must be asked for that. */
  expire (stream: Stream): void {
    stream.facts.scope.reader.grant = null
  }

  #ask (stream: Stream, views: Views): void {
    const { reader } = stream.facts.scope
    stream.reading = true
    const waiting = this.#waiting.get(reader)
    if (waiting !== undefined) {
      waiting.push(stream)
      return
    }
    this.#waiting.set(reader, [stream])
    const until = this.#options.tail.ring.end
    const generation = this.#generation
    // Even where the answer is at hand: who asks must not go on before it has stopped.
    Promise.resolve().then(() => views.of(reader.user)).then(
      view => this.#answered(reader, { view, channels: view.channels === undefined ? null : new Set(view.channels), until, generation }),
      (error: unknown) => this.#answered(reader, null, error))
  }

  #answered (reader: Reader, grant: Grant | null, error?: unknown): void {
    const { onGranted, onFailed } = this.#options
    const waiting = this.#waiting.get(reader)!
    this.#waiting.delete(reader)
    reader.grant = grant
    for (const stream of waiting) {
      stream.reading = false
      stream.grant = grant
      if (grant === null) onFailed(stream, error)
      else onGranted(stream)
      stream.grant = null
    }
  }
}
