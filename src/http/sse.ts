/** Server-Sent Events over a socket: the header set that proxies leave alone, and the socket as a `Sink`. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Writable } from 'node:stream'
import type { Sink, SinkListener } from '../sync/stream.ts'
import { pairs, SAFE } from './head.ts'

/** Measured against seven proxies in their default configuration (WIRE). */
const HEADERS: ReadonlyArray<readonly [string, string]> = [
  ['Content-Type', 'text/event-stream'],
  ['Cache-Control', 'no-store, no-transform'],
  ['X-Accel-Buffering', 'no'],
  ['Incremental', '?1'],
  ...pairs(SAFE)
]

/** Sends the header. The body ends with the connection: HAProxy holds every chunk of a chunked one for 200 ms. */
export function startEventStream (request: IncomingMessage, response: ServerResponse): void {
  for (const [name, value] of HEADERS) response.setHeader(name, value)
  if (request.httpVersionMajor < 2) {
    response.setHeader('Connection', 'close')
    response.removeHeader('Transfer-Encoding')
  }
  response.statusCode = 200
  response.flushHeaders()
}

/** Whether an `Accept` header takes event streams; without one everything is taken. */
export function acceptsEventStream (accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return true
  let best = -1
  let wanted = false
  for (const part of accept.toLowerCase().split(',')) {
    const [range = '', ...parameters] = part.split(';').map(text => text.trim())
    const precision = ['*/*', 'text/*', 'text/event-stream'].indexOf(range)
    if (precision <= best) continue
    best = precision
    wanted = !parameters.some(parameter => /^q=0(\.0*)?$/.test(parameter))
  }
  return wanted
}

/** Does `write` with everything it writes in one packet. */
export function inOnePacket (response: ServerResponse, write: () => void): void {
  // A connection of HTTP/2 is nobody's own.
  const socket = response.req.httpVersionMajor < 2 ? response.socket : null
  socket?.cork()
  try {
    write()
  } finally {
    socket?.uncork()
  }
}

const NOTHING = Buffer.alloc(0)

export class SocketSink implements Sink {
  readonly #response: ServerResponse
  readonly #most: number
  readonly #out: Writable
  #listener: SinkListener | undefined

  /** @param response its header is out @param most bytes that may wait in the socket */
  constructor (request: IncomingMessage, response: ServerResponse, most: number) {
    this.#response = response
    this.#most = most
    // Straight to the socket: a response adds nothing to a body without framing but its own cost. It has no socket
    // while an earlier answer on the same connection is under way.
    this.#out = request.httpVersionMajor >= 2 ? (response as unknown as Http2ServerResponse).stream : response.socket ?? response
    this.#out.on('drain', () => this.#listener?.drained())
    response.on('close', () => this.#listener?.closed())
  }

  write (bytes: Uint8Array): boolean {
    const out = this.#out
    if (out.destroyed || !out.write(bytes)) return false
    if (out.writableLength <= this.#most) return true
    // Below Node's own mark no drain is announced: a write of nothing tells when what is before it is out.
    out.write(NOTHING, error => { if (!error) this.#listener?.drained() })
    return false
  }

  end (): void {
    this.#response.end()
  }

  destroy (): void {
    this.#response.destroy()
  }

  listen (listener: SinkListener): void {
    this.#listener = listener
    if (this.#out.closed || this.#response.closed) listener.closed()
  }
}
