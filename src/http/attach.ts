/** Puts this server in front of the listeners of an application's own `http.Server`. */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { Config, Limits } from '../config.ts'
import { overtake } from './authenticate.ts'
import { answerBroken } from './node-server.ts'
import { awaitContinue } from './receive.ts'

/** Node's defaults: a server that still has them was not configured. */
const NODE_KEEP_ALIVE_MS = 5_000
const NODE_HEADERS_MS = 60_000
const NODE_REQUEST_MS = 300_000

/**
 * Requests go to `ours` before any listener sees them: `/sync/*` alone once the server has a request listener
 * of its own, everything as long as it has none. It is asked at every request, so an application may add its
 * listener after this and nothing is answered twice.
 * @returns gives the server back
 */
export function attach (server: Server, ours: RequestListener, config: Config): () => void {
  applyTimers(server, config.limits)
  const emit = server.emit
  const onContinue = (request: IncomingMessage, response: ServerResponse): void => {
    response.writeContinue()
    server.emit('request', request, response)
  }
  // With a listener Node leaves "100 Continue" to us, and the size can be refused before it is sent.
  if (server.listenerCount('checkContinue') === 0) server.on('checkContinue', onContinue)
  const intercept = function (this: Server, event: string, ...args: unknown[]): boolean {
    if (event === 'request' || event === 'checkContinue') {
      const [request, response] = args as [IncomingMessage, ServerResponse]
      if (isSync(request.url!) || server.listenerCount('request') === 0) {
        if (event === 'checkContinue') awaitContinue(request)
        if (config.access.authenticate !== null && server.listenerCount('request') > 0) overtake(request)
        ours(request, response)
        return true
      }
    }
    return Reflect.apply(emit, this, [event, ...args]) as boolean
  }
  server.emit = intercept as Server['emit']
  const unanswer = server.listenerCount('clientError') === 0 ? answerBroken(server, config) : () => {}
  return () => {
    unanswer()
    server.off('checkContinue', onContinue)
    if (server.emit === intercept) server.emit = emit
  }
}

export function isSync (url: string): boolean {
  return url.startsWith('/sync/')
}

/** Only those that were left at Node's defaults and that can harm no other route: uploads of the application may take long. */
function applyTimers (server: Server, { keepAliveMs, headersMs, requestMs }: Limits): void {
  if (server.keepAliveTimeout === NODE_KEEP_ALIVE_MS) server.keepAliveTimeout = keepAliveMs
  if (server.headersTimeout === NODE_HEADERS_MS) server.headersTimeout = headersMs
  if (server.requestTimeout === NODE_REQUEST_MS && server.listenerCount('request') === 0) server.requestTimeout = requestMs
}
