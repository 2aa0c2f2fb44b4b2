/** A strict reader of an event stream over node:http: what the wire does not allow is an error, not repaired. */
import { once } from 'node:events'
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'

export interface SseFrame {
  /** `message` where the frame names none. */
  readonly event: string
  readonly data: string
  readonly id: string | undefined
  readonly retry: number | undefined
}

const fields = new Set(['event', 'data', 'id', 'retry'])

/** Bytes in, whole frames out; half a frame is never given out, nor its id kept. */
export class SseParser {
  #rest = Buffer.alloc(0)
  comments = 0

  push (bytes: Uint8Array): SseFrame[] {
    const frames: SseFrame[] = []
    let rest = Buffer.concat([this.#rest, bytes])
    for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
      const block = new TextDecoder('utf-8', { fatal: true }).decode(rest.subarray(0, end))
      rest = rest.subarray(end + 2)
      if (block === ':') this.comments++
      else frames.push(parseFrame(block))
    }
    this.#rest = Buffer.from(rest)
    return frames
  }
}

function parseFrame (block: string): SseFrame {
  const found = new Map<string, string>()
  for (const line of block.split('\n')) {
    const colon = line.indexOf(': ')
    const name = line.slice(0, colon)
    if (colon === -1 || !fields.has(name) || found.has(name)) throw new Error(`no line of an event stream: ${JSON.stringify(line)}`)
    if (name === 'data' && found.has('id')) throw new Error(`id before data: ${JSON.stringify(block)}`)
    found.set(name, line.slice(colon + 2))
  }
  const event = found.get('event') ?? 'message'
  if (['error', 'open'].includes(event) || found.get('event') === 'message') throw new Error(`an event must not be called ${event}`)
  const data = found.get('data')
  if (data === undefined || data.includes('\r')) throw new Error(`no data: ${JSON.stringify(block)}`)
  JSON.parse(data)
  const retry = found.get('retry')
  if (retry !== undefined && !(Number(retry) >= 1000)) throw new Error(`retry: ${retry}`)
  return { event, data, id: found.get('id'), retry: retry === undefined ? undefined : Number(retry) }
}

export interface SseOptions {
  readonly lastEventId?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Cuts the connection after this many bytes of the body. */
  readonly cutAfter?: number
}

/** One connection; frames in order by `next` or `for await`. */
export class SseClient {
  readonly response: IncomingMessage
  readonly #parser = new SseParser()
  readonly #frames: SseFrame[] = []
  readonly #waiting: Array<() => void> = []
  #bytes = 0
  #error: unknown
  ended = false
  /** Of the last whole frame that carried one. */
  lastEventId: string | undefined

  private constructor (response: IncomingMessage, options: SseOptions) {
    this.response = response
    this.lastEventId = options.lastEventId
    const most = options.cutAfter ?? Infinity
    response.on('data', (bytes: Buffer) => {
      if (this.ended) return
      const taken = bytes.subarray(0, most - this.#bytes)
      this.#bytes += taken.length
      this.#read(taken)
      if (this.#bytes >= most) this.close()
    })
    response.on('close', () => this.#end())
    response.on('error', () => this.#end())
  }

  /** Resolves when the header is there. @throws when the status is not 200 */
  static async connect (url: string, options: SseOptions = {}): Promise<SseClient> {
    const { lastEventId, headers } = options
    const request = get(url, { agent: false, headers: { accept: 'text/event-stream', ...headers, ...lastEventId === undefined ? {} : { 'last-event-id': lastEventId } } })
    const [response] = await once(request, 'response') as [IncomingMessage]
    request.on('error', () => {})
    if (response.statusCode === 200) return new SseClient(response, options)
    response.setEncoding('utf8')
    let body = ''
    for await (const text of response) body += text as string
    throw new Refusal(response.statusCode!, body)
  }

  get headers (): IncomingHttpHeaders {
    return this.response.headers
  }

  get comments (): number {
    return this.#parser.comments
  }

  /** The next frame, or the next with this name; undefined when the stream has ended before it. */
  async next (event?: string): Promise<SseFrame | undefined> {
    for (;;) {
      const frame = this.#frames.shift()
      if (frame !== undefined) {
        if (event === undefined || frame.event === event) return frame
        continue
      }
      if (this.#error !== undefined) throw this.#error
      if (this.ended) return undefined
      await new Promise<void>(resolve => { this.#waiting.push(resolve) })
    }
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<SseFrame> {
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) yield frame
  }

  close (): void {
    this.#end()
    this.response.destroy()
  }

  #read (bytes: Uint8Array): void {
    try {
      for (const frame of this.#parser.push(bytes)) {
        this.#frames.push(frame)
        if (frame.id !== undefined) this.lastEventId = frame.id
      }
    } catch (error) {
      this.#error = error
      this.close()
    }
    this.#wake()
  }

  #end (): void {
    this.ended = true
    this.#wake()
  }

  #wake (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

class Refusal extends Error {
  readonly status: number
  readonly body: string

  constructor (status: number, body: string) {
    super(`answered ${status}: ${body}`)
    this.status = status
    this.body = body
  }
}
