/**
 * One keep-alive HTTP/1.1 connection without pipelining, on a bare socket: a client that costs a fraction of
 * what a server spends on the same request, so that it is not what is measured.
 */
import { connect, type Socket } from 'node:net'

/** Kept of each end of a body; what lies between is only counted. */
const KEPT = 512
const END_OF_HEAD = '\r\n\r\n'

export interface Response {
  readonly status: number
  /** Of the body, as it came. */
  readonly bytes: number
  readonly coding: string | undefined
  /** The body's first characters. */
  readonly start: string
  /** The body's last characters. */
  readonly tail: string
}

export interface RequestOptions {
  readonly method?: string
  readonly token?: string | undefined
  /** In which the answer is asked for. */
  readonly coding?: string | undefined
}

export function requestText (path: string, body: string, { method = 'POST', token, coding }: RequestOptions = {}): string {
  const accept = coding === undefined ? '' : `Accept-Encoding: ${coding}\r\n`
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
  return `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}${accept}${body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`}\r\n${body}`
}

export class Connection {
  readonly #socket: Socket
  readonly #onResponse: (response: Response) => void
  /** Of an unfinished head, or an unfinished line of a chunked body. */
  #text = ''
  #inBody = false
  #chunked = false
  #left = 0
  #status = 0
  #coding: string | undefined
  #bytes = 0
  #start = ''
  #tail = ''

  constructor (port: number, onResponse: (response: Response) => void, onLost: () => void) {
    this.#onResponse = onResponse
    const buffer = Buffer.allocUnsafe(256 * 1024)
    const callback = (length: number): boolean => {
      this.#read(buffer.subarray(0, length))
      return true
    }
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } })
    this.#socket.on('error', onLost).on('close', onLost)
  }

  send (request: string): void {
    this.#socket.write(request, 'latin1')
  }

  close (): void {
    this.#socket.removeAllListeners('close').destroy()
  }

  #read (bytes: Buffer): void {
    let from = 0
    if (!this.#inBody) {
      const before = this.#text.length
      this.#text += bytes.toString('latin1')
      const end = this.#text.indexOf(END_OF_HEAD)
      if (end < 0) return
      this.#begin(this.#text.slice(0, end))
      this.#text = ''
      from = end + END_OF_HEAD.length - before
    }
    if (this.#chunked) this.#readChunks(bytes.subarray(from))
    else {
      this.#keep(bytes, from, bytes.length)
      this.#left -= bytes.length - from
      if (this.#left <= 0) this.#end()
    }
  }

  #begin (head: string): void {
    this.#status = Number(head.slice(9, 12))
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    this.#coding = /\r\ncontent-encoding: *([\w-]+)/i.exec(head)?.[1]
    this.#chunked = length === undefined && /\r\ntransfer-encoding: *chunked/i.test(head)
    this.#left = this.#chunked ? -1 : Number(length ?? 0)
    this.#inBody = true
    this.#bytes = 0
    this.#start = this.#tail = ''
  }

  /** `#left` is what is missing of a chunk and the line end behind it, -1 before a line with a size. */
  #readChunks (bytes: Buffer): void {
    let from = 0
    while (from < bytes.length) {
      if (this.#left > 0) {
        const to = Math.min(bytes.length, from + this.#left)
        this.#keep(bytes, from, Math.min(to, from + this.#left - 2))
        this.#left -= to - from
        from = to
        if (this.#left === 0) this.#left = -1
        continue
      }
      const end = bytes.indexOf(0x0a, from)
      this.#text += bytes.toString('latin1', from, end < 0 ? bytes.length : end)
      if (end < 0) return
      from = end + 1
      const size = parseInt(this.#text, 16)
      const last = this.#text.trim() === ''
      this.#text = ''
      if (last) return this.#end()
      // The last chunk has a size of 0 and an empty line behind it.
      if (size > 0) this.#left = size + 2
    }
  }

  #keep (bytes: Buffer, from: number, to: number): void {
    if (to <= from) return
    this.#bytes += to - from
    if (this.#start.length < KEPT) this.#start += bytes.toString('latin1', from, Math.min(to, from + KEPT - this.#start.length))
    const tail = bytes.toString('latin1', Math.max(from, to - KEPT), to)
    this.#tail = tail.length >= KEPT ? tail : (this.#tail + tail).slice(-KEPT)
  }

  #end (): void {
    this.#inBody = false
    this.#onResponse({ status: this.#status, bytes: this.#bytes, coding: this.#coding, start: this.#start, tail: this.#tail })
  }
}
