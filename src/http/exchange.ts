/**
 * One request and its answer. Fastify routes; the answer is written straight to Node's response, which costs
 * a push about a third of what Fastify's own reply does.
 */
import { randomInt } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { RouteHandlerMethod } from 'fastify'
import type { User } from '../access.ts'
import { accountOf } from '../auth/user.ts'
import type { Session } from '../auth/user.ts'
import { SyncError } from '../errors.ts'
import { discardRest } from './body.ts'
import { asksForStream, refuseStream } from './bye.ts'
import type { AddressOf } from './caller.ts'
import { tellDenied } from './denials.ts'
import { problemOf, syncErrorOf } from './problem.ts'
import type { NodeServices, Services } from './services.ts'

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Of the message, once it could be read: problems echo it. */
  id: string | undefined
  /** Who asks, known before a handler of `serveUser` runs; null where the server runs without authentication. */
  user: User | null
  /** Whose log the request is about; null where there are no tenants. */
  tenant: string | null
  /** Under what limits count the user; null where nobody is known. */
  account: string | null
  /** When the credential ends, ms since 1970; Infinity where it does not. */
  expiresAt: number
  readonly addressOf: AddressOf
  /** Whether its body was read to the end, which Node may see later. */
  taken: boolean
}

/** What is refused may not have come far enough to have a user. */
type Refused = Pick<Exchange, 'request' | 'response' | 'id'> & Partial<Pick<Exchange, 'user' | 'tenant' | 'taken'>>

export type Handler = (exchange: Exchange) => Promise<void> | void

/** The same for a request about a log: which one it is, is decided before. */
export type LogHandler = (exchange: Exchange, services: Services) => Promise<void> | void

/** Another credential that a route takes; null when none was sent. */
type Identify = (services: NodeServices, request: IncomingMessage) => Promise<Session | null>

/** Hands a routed request to a handler that writes its own answer; what the handler throws becomes a problem. */
export function serve (services: NodeServices, handler: Handler): RouteHandlerMethod {
  return (request, reply) => {
    reply.hijack()
    const exchange = { request: request.raw, response: reply.raw, id: undefined, user: null, tenant: null, account: null, expiresAt: Infinity, addressOf: services.addressOf, taken: false }
    try {
      handler(exchange)?.catch((error: unknown) => refuse(services, exchange, error))
    } catch (error) {
      refuse(services, exchange, error)
    }
  }
}

/** The same for a route about the log of who asks. */
export function serveUser (services: NodeServices, handler: LogHandler, identify?: Identify): RouteHandlerMethod {
  return serveKnown(services, exchange => inLog(services, exchange, handler), identify)
}

function inLog ({ logs }: NodeServices, exchange: Exchange, handler: LogHandler): Promise<void> | void {
  if (logs.only !== null) return handler(exchange, logs.only)
  if (exchange.tenant === null) throw new SyncError('no_tenant')
  return logs.within(exchange.tenant, services => handler(exchange, services))
}

/** The same for a route that must know who asks, and is about no log. */
export function serveKnown (services: NodeServices, handler: Handler, identify?: Identify): RouteHandlerMethod {
  if (services.config.access.authenticate === null) return serve(services, handler)
  return serve(services, async (exchange) => {
    const { request, response } = exchange
    const session = await identify?.(services, request) ?? await services.authentication.session(request)
    if (response.destroyed) return
    const account = accountOf(session)
    exchange.user = session.user
    exchange.tenant = session.tenant ?? null
    exchange.account = account
    exchange.expiresAt = session.expiresAt
    await services.rateLimits?.fromUser(account)
    if (!services.requestsInFlight.enter(account)) throw new SyncError('rate_limited', { detail: 'Too many requests of this user are being answered.', headers: { 'retry-after': String(randomInt(1, 4)) } })
    try {
      await handler(exchange)
    } finally {
      services.requestsInFlight.leave(account)
    }
  })
}

/** Answers with a problem, and tells the log of what the operator should know. */
export function refuse (services: NodeServices, exchange: Refused, error: unknown): void {
  const refusal = syncErrorOf(error)
  if (refusal.status === 401 || refusal.status === 403) tellDenied(services, exchange, refusal)
  if (refusal.status === 401) services.rateLimits?.failed(exchange.request)
  else if (refusal.code === 'rate_limited' && asksForStream(exchange.request)) {
    refuseStream(exchange.request, exchange.response, Number(refusal.facts.headers?.['retry-after']))
    return
  }
  if (refusal.code === 'internal_error') services.config.logger.error({ err: refusal.cause ?? refusal, code: refusal.code }, 'a request failed')
  else if (refusal.status >= 500) services.config.logger.warn({ code: refusal.code, detail: refusal.message }, 'a request was refused')
  writeProblem(exchange, refusal, services.draining.aborted)
}

/** @param closing whether the connection ends with this answer in any case */
export function writeProblem ({ request, response, id, taken = false }: Refused, error: SyncError, closing = false): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { status, headers, body } = problemOf(error, id)
  const unread = !taken && !request.complete && hasBody(request)
  if (request.httpVersionMajor >= 2) headers.delete('connection')
  else if (closing || unread) headers.set('connection', 'close')
  response.writeHead(status, [...headers].flat())
  // Who waits for "100 Continue" has sent no body.
  if (unread && request.headers.expect === undefined) linger(request, response, body)
  else response.end(body)
}

/** Ending at once would reset the connection under the rest of the body, and proxies would drop the answer with it. */
function linger (request: IncomingMessage, response: ServerResponse, body: string): void {
  if (request.method === 'HEAD') response.flushHeaders()
  else response.write(body)
  const end = (ended: boolean): void => {
    response.end()
    if (!ended && request.httpVersionMajor >= 2) refuseRest(response)
  }
  discardRest(request).then(end, () => end(false))
}

/**
 * HTTP/2: who still sends is told to stop, which does not take back the answer (RFC 9113, section 8.1). Not in the
 * same turn: Node 20 then never comes back.
 */
function refuseRest (response: ServerResponse): void {
  const { stream } = response as unknown as Http2ServerResponse
  setImmediate(() => { if (!stream.closed) stream.close() })
}

function hasBody (request: IncomingMessage): boolean {
  if (request.httpVersionMajor >= 2) return !(request as unknown as Http2ServerRequest).stream.endAfterHeaders
  const { headers } = request
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}
