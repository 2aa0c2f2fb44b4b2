/** Text that is made bit by bit, as fast as its reader takes it. */
import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Writable } from 'node:stream'
import { coderOf } from './coding.ts'
import type { Coding } from './coding.ts'

/** A larger piece would hold the rest back for longer than a slow reader takes for this one. */
const PIECE = 64 * 1024

export class Lines {
  readonly #response: ServerResponse
  readonly #out: Writable

  /** @param response its header is out */
  constructor (response: ServerResponse, coding: Coding | null) {
    this.#response = response
    if (coding === null) {
      this.#out = response
      return
    }
    const coder = coderOf(coding).stream()
    coder.pipe(response)
    response.once('close', () => coder.destroy())
    this.#out = coder
  }

  /**
   * Resolves when most of it is out.
   * @param signal when aborted, nobody waits for it any more
   * @returns whether the reader took it within `ms`
   */
  async write (text: string | Buffer, ms: number, signal: AbortSignal): Promise<boolean> {
    // Text cut anywhere would lose the characters that take two places in it.
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    for (let at = 0; at < bytes.length; at += PIECE) {
      if (signal.aborted) return false
      if (!this.#out.write(bytes.subarray(at, at + PIECE)) && !await this.#drained(ms, signal)) return false
    }
    return true
  }

  end (): void {
    this.#out.end()
  }

  /** So that nothing between takes what came for the whole: of HTTP/1.0 the end of a connection is the end of an answer. */
  cut (): void {
    const { stream } = this.#response as unknown as Partial<Http2ServerResponse>
    const { socket } = this.#response
    if (stream !== undefined) stream.close(INTERNAL_ERROR)
    else if (socket?.remoteAddress !== undefined && !('encrypted' in socket)) socket.resetAndDestroy()
    else this.#response.destroy()
  }

  #drained (ms: number, signal: AbortSignal): Promise<boolean> {
    return new Promise(resolve => {
      const settle = (drained: boolean) => (): void => {
        clearTimeout(timer)
        this.#out.off('drain', onDrain)
        signal.removeEventListener('abort', onEnd)
        resolve(drained)
      }
      const [onDrain, onEnd] = [settle(true), settle(false)]
      const timer = Number.isFinite(ms) ? setTimeout(onEnd, ms) : undefined
      this.#out.once('drain', onDrain)
      signal.addEventListener('abort', onEnd)
    })
  }
}

/** RFC 9113, section 7. */
const INTERNAL_ERROR = 2
