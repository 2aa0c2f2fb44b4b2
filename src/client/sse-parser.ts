/**
 * Server-Sent Events from bytes, as the HTML standard has them, with two differences that a reader who must lose
 * nothing needs: a frame without data is handed out too, since its id moves the place to go on from (WIRE 2.5; the
 * usual library drops it), and bytes that are no UTF-8 are an error rather than U+FFFD in somebody's document.
 */
export interface Frame {
  /** `message` when it has no name. */
  readonly event: string
  /** Lines joined with "\n"; undefined when it has none. */
  readonly data: string | undefined
  /** Its own id; undefined when it has none. */
  readonly id: string | undefined
}

/** A frame that never ends would fill the memory of the reader. Characters. */
const MAX_FRAME = 64 * 1024 * 1024

const lineEnd = /\r\n|\r|\n/g

export class SseParser {
  /** The newest `retry`, in ms. */
  retry: number | undefined
  // Takes away a byte order mark at the start, as it should.
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })
  /** The line that has begun. Only the new text is searched, so that one long line does not cost its square. */
  #line = ''
  /** The last text ended with CR: a LF that follows belongs to it. */
  #afterCr = false
  #size = 0
  #event = ''
  #data: string[] = []
  #id: string | undefined
  #touched = false

  /**
   * @returns the frames that these bytes complete; one without its blank line is never handed out
   * @throws TypeError when the bytes are no UTF-8, RangeError when a frame is longer than 64 Mi characters
   */
  push (bytes: Uint8Array): Frame[] {
    const frames: Frame[] = []
    const text = this.#decoder.decode(bytes, { stream: true })
    if (text === '') return frames
    let start = this.#afterCr && text.startsWith('\n') ? 1 : 0
    this.#afterCr = text.endsWith('\r')
    lineEnd.lastIndex = start
    for (let match = lineEnd.exec(text); match !== null; match = lineEnd.exec(text)) {
      const frame = this.#take(this.#line + text.slice(start, match.index))
      if (frame !== undefined) frames.push(frame)
      this.#line = ''
      start = lineEnd.lastIndex
    }
    this.#line += text.slice(start)
    if (this.#size + this.#line.length > MAX_FRAME) throw new RangeError('a frame of the stream has no end')
    return frames
  }

  #take (line: string): Frame | undefined {
    if (line === '') return this.#dispatch()
    this.#size += line.length
    const colon = line.indexOf(':')
    if (colon === 0) return undefined
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1)
    this.#field(name, value)
    return undefined
  }

  #field (name: string, value: string): void {
    if (name === 'retry') {
      if (/^[0-9]+$/.test(value)) this.retry = Number(value)
      return
    }
    if (name === 'data') this.#data.push(value)
    else if (name === 'event') this.#event = value
    else if (name === 'id' && !value.includes('\0')) this.#id = value
    else return
    this.#touched = true
  }

  #dispatch (): Frame | undefined {
    const frame = this.#touched
      ? { event: this.#event === '' ? 'message' : this.#event, data: this.#data.length === 0 ? undefined : this.#data.join('\n'), id: this.#id }
      : undefined
    this.#event = ''
    this.#data = []
    this.#id = undefined
    this.#touched = false
    this.#size = 0
    return frame
  }
}
