/** Node's own server with this server's limits, and one answer to what never becomes a request. */
import { STATUS_CODES, createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Server as NetServer, Socket } from 'node:net'
import type { Config } from '../config.ts'
import { SyncError } from '../errors.ts'
import { Connections } from './connections.ts'
import { problemOf } from './problem.ts'
import { awaitContinue } from './receive.ts'

/** A server of our own, whatever it speaks. */
export interface NodeServer {
  readonly server: NetServer
  /** Ends connections that nobody uses, now that the server closes. */
  readonly endUnused: () => void
  /** Ends every connection, whatever is under way. */
  readonly cutOff: () => void
}

export function createPlainServer (config: Config, listener: RequestListener): NodeServer {
  const server = createHttpServer({ config }, listener)
  const connections = new Connections(server, config)
  return {
    server,
    endUnused: () => connections.endUnused(),
    cutOff: () => server.closeAllConnections()
  }
}

export function createHttpServer ({ config }: { readonly config: Config }, listener: RequestListener): Server {
  const { headersMs, requestMs, keepAliveMs, headerBytes, stallMs } = config.limits
  const server = createServer({
    maxHeaderSize: headerBytes,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    // Node's 30 s would let a connection without headers live for four times its limit.
    connectionsCheckingInterval: Math.min(1000, headersMs),
    requireHostHeader: false
  }, listener)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    awaitContinue(request)
    listener(request, response)
  })
  server.on('checkExpectation', listener)
  if (Number.isFinite(stallMs)) server.setTimeout(stallMs)
  answerBroken(server, config)
  return server
}

type BrokenRequest = NodeJS.ErrnoException & { rawPacket?: Buffer }

/** Answers what Node cannot read, or what does not come in time, with a problem. @returns ends that */
export function answerBroken (server: NetServer, config: Config): () => void {
  const onError = (error: BrokenRequest, socket: Socket): void => answer(error, socket, config)
  server.on('clientError', onError)
  return () => { server.off('clientError', onError) }
}

/** How long a connection is read on after such an answer, so that it arrives. */
const LINGER_MS = 1000

function answer (error: BrokenRequest, socket: Socket, config: Config): void {
  const answering = (socket as { _httpMessage?: ServerResponse })._httpMessage
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  if (answering?.headersSent === true) {
    // What it was told before, a refusal of its headers say, still goes out.
    socket.destroySoon()
    return
  }
  const refusal = refusalOf(error, config)
  config.logger.debug({ code: refusal.code, cause: error.code }, 'no request')
  const { status, headers, body } = problemOf(refusal)
  headers.set('connection', 'close').set('date', new Date().toUTCString())
  const head = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`)
  socket.resume()
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

function refusalOf ({ code, rawPacket }: BrokenRequest, { limits }: Config): SyncError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new SyncError('request_timeout')
  if (code === 'HPE_HEADER_OVERFLOW') {
    const line = rawPacket?.indexOf('\n') ?? 0
    return line === -1 || line > limits.urlBytes
      ? new SyncError('uri_too_long', { limit: { name: 'urlBytes', max: limits.urlBytes } })
      : new SyncError('headers_too_large', { limit: { name: 'headerBytes', max: limits.headerBytes } })
  }
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return new SyncError('too_large')
  return new SyncError('bad_request')
}
