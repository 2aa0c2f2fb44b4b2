/** Node's own server for TLS: HTTP/2, so that a browser's six connections are no limit, and HTTP/1.1 beside it. */
import { constants, createSecureServer } from 'node:http2'
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse, ServerHttp2Session } from 'node:http2'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '../config.ts'
import type { TlsOptions } from '../edge.ts'
import { SyncError } from '../errors.ts'
import { Connections } from './connections.ts'
import { writeProblem } from './exchange.ts'
import { hostOf, isLoopbackHost } from './loopback.ts'
import { answerBroken } from './node-server.ts'
import type { NodeServer } from './node-server.ts'
import { awaitContinue } from './receive.ts'

/** A browser that was here by TLS comes by TLS again, for a year. */
const HSTS = 'max-age=31536000'

/** MB of one connection's requests and answers that wait: beyond, new requests are refused. Node's 10 are ten pages. */
const SESSION_MB = 64

export function createTlsServer (config: Config & { readonly tls: TlsOptions }, listener: RequestListener): NodeServer {
  const { headersMs, headerBytes, connectionRequests } = config.limits
  const server = createSecureServer({
    ...config.tls,
    allowHTTP1: true,
    minVersion: 'TLSv1.2',
    // Slow-loris before the first byte of HTTP.
    handshakeTimeout: headersMs,
    maxSessionMemory: SESSION_MB,
    settings: { maxConcurrentStreams: connectionRequests, maxHeaderListSize: headerBytes, enablePush: false }
  })
  applyLimits(server, config)
  const connections = new Connections(server, config)
  const { sessions, unused, closing } = track(server)
  const take = taking(config, (request, response) => {
    unused.delete(request.socket)
    listener(request, response)
  })
  server.on('request', take as never)
  server.on('checkContinue', (request, response) => {
    awaitContinue(request as never)
    take(request as never, response as never)
  })
  server.on('checkExpectation', take as never)
  answerBroken(server, config)
  return {
    server,
    endUnused () {
      closing.abort()
      // Says that no request will be taken any more, and closes when those under way are answered.
      for (const session of sessions) session.close()
      for (const socket of unused) socket.destroy()
    },
    cutOff: () => connections.destroyAll()
  }
}

/** Of HTTP/1.1 as on a server without TLS; some take no effect as options. */
function applyLimits (server: Http2SecureServer, { limits: { headersMs, requestMs, keepAliveMs, headerBytes, stallMs } }: Config): void {
  Object.assign(server, {
    maxHeaderSize: headerBytes,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(1000, headersMs)
  })
  if (Number.isFinite(stallMs)) server.setTimeout(stallMs)
}

/** Requests that a client took back, within a minute and on one connection: a page that is left takes back some. */
const RESETS = 1000

/** Attack: rapid reset (CVE-2023-44487): requests without end that count as over before they are answered. */
function boundResets (session: ServerHttp2Session): void {
  let resets = 0
  let since = performance.now()
  session.on('stream', (stream) => {
    stream.once('close', () => {
      if (stream.rstCode === constants.NGHTTP2_NO_ERROR) return
      const now = performance.now()
      if (now - since > 60_000) [resets, since] = [0, now]
      if (++resets > RESETS) session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    })
  })
}

/** Connections of HTTP/2, and those of HTTP/1.1 on which no request came: browsers open some ahead. */
function track (server: Http2SecureServer): { sessions: Set<ServerHttp2Session>, unused: Set<Socket>, closing: AbortController } {
  const sessions = new Set<ServerHttp2Session>()
  const unused = new Set<Socket>()
  const closing = new AbortController()
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session)
    boundResets(session)
    session.once('close', () => sessions.delete(session))
    if (closing.signal.aborted) session.close()
  })
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === 'h2') return
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
    // Its handshake was under way when the server began to close.
    if (closing.signal.aborted) socket.destroy()
  })
  return { sessions, unused, closing }
}

function taking ({ limits: { requestMs } }: Config, listener: RequestListener): RequestListener {
  return (request, response) => {
    if (!isLoopbackHost(hostOf(request))) response.setHeader('strict-transport-security', HSTS)
    if (request.httpVersionMajor >= 2) boundTime(request, response, requestMs)
    listener(request, response)
  }
}

/** Slow-loris: Node has no time limit for the body of a request of HTTP/2. */
function boundTime (request: IncomingMessage, response: ServerResponse, requestMs: number): void {
  const { stream } = request as unknown as Http2ServerRequest
  if (stream.endAfterHeaders || !Number.isFinite(requestMs)) return
  const timer = setTimeout(() => { writeProblem({ request, response, id: undefined }, new SyncError('request_timeout')) }, requestMs)
  const stop = (): void => clearTimeout(timer)
  request.once('end', stop)
  ;(response as unknown as Http2ServerResponse).once('close', stop)
}
