/**
 * The way to a server as the suite goes it: bytes and header fields as they come, nothing decoded or followed on
 * the quiet. HTTP/2 where the entrance offers it, else HTTP/1.1.
 */
import { once } from 'node:events'
import { Agent, request as plainRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Readable, Writable } from 'node:stream'
import { connect as connectTls } from 'node:tls'

export interface Ask {
  /** Default GET, with a body POST. */
  readonly method?: string
  /** With its query; after the base URL's own path. */
  readonly path: string
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
}

/** An answer whose body is still to come. */
export interface Opened {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Readable
  /** Ends the exchange, whatever is under way. */
  close (): void
}

export interface Entrance {
  readonly http2: boolean
  /** @throws what the connection fails with */
  open (ask: Ask): Promise<Opened>
  close (): void
}

/** @param ca PEM of who signed the certificate, where Node does not know them */
export async function openEntrance (baseUrl: string, ca: string | undefined): Promise<Entrance> {
  const base = new URL(baseUrl.replace(/\/+$/, ''))
  const tls = ca === undefined ? {} : { ca }
  if (base.protocol === 'https:' && await speaksHttp2(base, tls)) return new Http2Entrance(base, tls)
  return new Http1Entrance(base, tls)
}

async function speaksHttp2 (base: URL, tls: object): Promise<boolean> {
  const { hostname } = base
  const port = Number(base.port || 443)
  // An address is no name that a client may ask for.
  const named = /^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }
  const socket = connectTls({ host: hostname, port, ALPNProtocols: ['h2', 'http/1.1'], ...named, ...tls })
  await once(socket, 'secureConnect')
  const spoken = socket.alpnProtocol === 'h2'
  socket.destroy()
  return spoken
}

class Http1Entrance implements Entrance {
  readonly http2 = false
  readonly #base: URL
  readonly #agent: Agent
  readonly #tls: object

  constructor (base: URL, tls: object) {
    this.#base = base
    this.#tls = tls
    this.#agent = base.protocol === 'https:' ? new TlsAgent({ keepAlive: true, ...tls }) : new Agent({ keepAlive: true })
  }

  open (ask: Ask): Promise<Opened> {
    const { method, path, headers = {}, body } = ask
    const { protocol, hostname, port, pathname } = this.#base
    const length = body === undefined ? {} : { 'content-length': String(body.length) }
    const options: RequestOptions = {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      path: joined(pathname, path),
      headers: { ...headers, ...length },
      agent: this.#agent,
      ...this.#tls
    }
    return new Promise((resolve, reject) => {
      const request = protocol === 'https:' ? tlsRequest(options) : plainRequest(options)
      request.on('response', (response: IncomingMessage) => {
        response.on('error', () => {})
        resolve({ status: response.statusCode!, headers: fields(response.headers), body: response, close: () => request.destroy() })
      })
      // After an answer it is that which tells how things went: a server that refuses a body reads no further.
      // A kept connection that is closed just now says nothing of this request, which may be sent again (promise 3).
      request.on('error', error => { if (request.reusedSocket) resolve(this.open(ask)); else reject(error) })
      send(request, body)
    })
  }

  close (): void {
    this.#agent.destroy()
  }
}

class Http2Entrance implements Entrance {
  readonly http2 = true
  readonly #base: URL
  readonly #session: ClientHttp2Session

  constructor (base: URL, tls: object) {
    this.#base = base
    this.#session = connect(base.origin, tls)
    // What befalls the connection shows in its requests.
    this.#session.on('error', () => {})
  }

  open ({ method, path, headers = {}, body }: Ask): Promise<Opened> {
    const pseudo = { ':method': method ?? (body === undefined ? 'GET' : 'POST'), ':path': joined(this.#base.pathname, path) }
    return new Promise((resolve, reject) => {
      const stream: ClientHttp2Stream = this.#session.request({ ...pseudo, ...headers }, { endStream: body === undefined })
      stream.on('response', answered => {
        const { ':status': status, ...rest } = answered
        resolve({ status: status!, headers: fields(rest), body: stream, close: () => stream.destroy() })
      })
      stream.on('error', reject)
      stream.on('close', () => reject(new Error('the stream was closed without an answer')))
      if (body !== undefined) send(stream, body)
    })
  }

  close (): void {
    this.#session.destroy()
  }
}

const SLICE = 64 * 1024

/**
 * In slices, with a look at what comes back between them: Node's client forgets an answer that it has not read yet
 * when it cannot write any more.
 */
function send (to: Writable, body: Uint8Array = new Uint8Array()): void {
  let at = 0
  const next = (): void => {
    if (to.destroyed) return
    const slice = body.subarray(at, at += SLICE)
    if (at >= body.length) to.end(slice)
    else if (to.write(slice)) setImmediate(next)
    else to.once('drain', next)
  }
  next()
}

function joined (base: string, path: string): string {
  return base === '/' ? path : base + path
}

function fields (headers: NodeJS.Dict<string | string[]>): ReadonlyMap<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value ?? '']))
}
