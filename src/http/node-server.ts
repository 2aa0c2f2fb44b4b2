/** Node's own server with this server's limits, and one answer to what never becomes a request. */
import { STATUS_CODES, createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '../config.ts'
import { SyncError } from '../errors.ts'
import { problemOf } from './problem.ts'
import { awaitContinue } from './receive.ts'

export function createHttpServer ({ config }: { readonly config: Config }, listener: RequestListener): Server {
  const { headersMs, requestMs, keepAliveMs, headerBytes } = config.limits
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
  answerBroken(server, config)
  track(server)
  return server
}

const connections = new WeakMap<Server, Set<Socket>>()

function track (server: Server): void {
  const sockets = new Set<Socket>()
  connections.set(server, sockets)
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
}

/** Ends connections on which nothing ever came: browsers open some ahead, and Node does not count them as idle. */
export function closeUnused (server: Server): void {
  for (const socket of connections.get(server) ?? []) if (socket.bytesRead === 0) socket.destroy()
}

type BrokenRequest = NodeJS.ErrnoException & { rawPacket?: Buffer }

/** Answers what Node cannot read, or what does not come in time, with a problem. @returns ends that */
export function answerBroken (server: Server, config: Config): () => void {
  const onError = (error: BrokenRequest, socket: Socket): void => answer(error, socket, config)
  server.on('clientError', onError)
  return () => { server.off('clientError', onError) }
}

/** How long a connection is read on after such an answer, so that it arrives. */
const LINGER_MS = 1000

function answer (error: BrokenRequest, socket: Socket, config: Config): void {
  const answering = (socket as { _httpMessage?: ServerResponse })._httpMessage
  if (error.code === 'ECONNRESET' || !socket.writable || answering?.headersSent === true) {
    socket.destroy()
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
