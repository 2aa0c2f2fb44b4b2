/** Node's own server with this server's limits, and one answer to what never becomes a request. */
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Config } from '../config.ts'
import { SyncError } from '../errors.ts'
import { problemOf } from './problem.ts'
import { awaitContinue } from './receive.ts'
import { STATUS_CODES } from 'node:http'

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
  server.on('clientError', (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket) => {
    answerBroken(error, socket, config)
  })
  return server
}

/** How long a connection is read on after such an answer, so that it arrives. */
const LINGER_MS = 1000

function answerBroken (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket, config: Config): void {
  const answering = (socket as { _httpMessage?: ServerResponse })._httpMessage
  if (error.code === 'ECONNRESET' || !socket.writable || answering?.headersSent === true) {
    socket.destroy()
    return
  }
  const { status, headers, body } = problemOf(refusalOf(error, config))
  headers.set('connection', 'close').set('date', new Date().toUTCString())
  const head = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head}\r\n${body}`)
  socket.resume()
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

function refusalOf ({ code, rawPacket }: { code?: string | undefined, rawPacket?: Buffer }, { limits }: Config): SyncError {
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
