/**
 * CORS, of our own: @fastify/cors sets its headers on Fastify's reply, which a hijacked answer (all of ours, streams
 * too) leaves behind, and answers preflights by a route of its own, which a host that has the plugin has already.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CorsOptions } from '../edge.ts'
import { SAFE } from './head.ts'

const METHODS = 'GET, HEAD, POST, OPTIONS'
/** By name: a wildcard does not cover Authorization. */
const ALLOWED = 'Authorization, Content-Type, Content-Encoding, Last-Event-ID, Idempotency-Key, If-None-Match, Sync-Client-Id, Sync-Protocol'
const EXPOSED = 'ETag, Retry-After, RateLimit, RateLimit-Policy, Idempotency-Replayed, WWW-Authenticate'
const ALLOW_ORIGIN = 'access-control-allow-origin'

export class Cors {
  readonly #options: Required<CorsOptions>
  /** null = all. */
  readonly #origins: ReadonlySet<string> | null

  constructor (options: Required<CorsOptions>) {
    this.#options = options
    this.#origins = options.origins === '*' ? null : new Set(options.origins)
  }

  allows (origin: string): boolean {
    return this.#origins === null || this.#origins.has(origin)
  }

  /** Puts on an answer, whatever it will be, what its page may read of it. A host's own CORS stays as it is. */
  apply ({ headers: { origin } }: IncomingMessage, response: ServerResponse): void {
    if (response.hasHeader(ALLOW_ORIGIN)) return
    // A cache must not hand one origin's answer to another, nor the one without an origin.
    if (this.#origins !== null) response.appendHeader('vary', 'Origin')
    // Nor, where all may ask, one that was made for nobody's page and that no page could read.
    if (this.#origins !== null && (origin === undefined || !this.allows(origin))) return
    response.setHeader(ALLOW_ORIGIN, this.#origins === null ? '*' : origin!)
    if (this.#options.credentials) response.setHeader('access-control-allow-credentials', 'true')
    response.setHeader('access-control-expose-headers', EXPOSED)
  }

  /** Answers a preflight of an origin that may ask, before anybody is authenticated: browsers send no token with it. */
  answersPreflight ({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = headers
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined || origin === undefined || !this.allows(origin)) return false
    response.removeHeader('access-control-expose-headers')
    response.writeHead(204, [
      'access-control-allow-methods', METHODS,
      'access-control-allow-headers', ALLOWED,
      'access-control-max-age', String(this.#options.maxAge),
      'cache-control', 'no-store',
      ...SAFE
    ])
    response.end()
    return true
  }
}
