/**
 * Who reads by URL. Public collections are for everybody: a request that names nothing else and carries no token is let
 * in as nobody, also where there is authentication. Any other one goes the way of all requests.
 */
import { randomInt } from 'node:crypto'
import type { RouteHandlerMethod } from 'fastify'
import { SyncError } from '../errors.ts'
import { networkOf } from './caller.ts'
import { serve, serveUser } from './exchange.ts'
import type { Exchange, LogHandler } from './exchange.ts'
import { isLoopbackAddress } from './loopback.ts'
import { collectionsOf, queryOf } from './query.ts'
import type { NodeServices } from './services.ts'
import type { IncomingMessage } from 'node:http'

/** As much as a request may carry to say who sends it. */
const credentials = ['authorization', 'proxy-authorization', 'cookie'] as const

export function serveReader (services: NodeServices, handler: LogHandler): RouteHandlerMethod {
  const known = serveUser(services, handler)
  const unknown = serve(services, exchange => serveNobody(services, exchange, handler))
  return function (request, reply) {
    return (isForEverybody(services, request.raw) ? unknown : known).call(this, request, reply)
  }
}

/**
 * Whether caches may hand the answer to others. It must not carry what a host has set for one of them, and a request
 * that says who sends it gets an answer of its own, so that nobody has to rely on what is in it.
 */
export function isShared (services: NodeServices, { request, response }: Exchange): boolean {
  return isForEverybody(services, request) && credentials.every(name => request.headers[name] === undefined) && !response.hasHeader('set-cookie')
}

function isForEverybody ({ config: { publicCollections, limits } }: NodeServices, { url, headers }: IncomingMessage): boolean {
  if (publicCollections.size === 0 || headers.authorization !== undefined) return false
  const query = queryOf(url!)
  if (query.has('ticket')) return false
  try {
    return collectionsOf(query.getAll('collections').join(','), limits.collectionsPerPull)?.every(name => publicCollections.has(name)) ?? false
  } catch {
    return false
  }
}

/** Attack: long polls and snapshots of people whom nobody knows, of one address or of many. */
async function serveNobody ({ anonymousInFlight, requestsInFlight, logs }: NodeServices, exchange: Exchange, handler: LogHandler): Promise<void> {
  const address = exchange.addressOf(exchange.request)
  const entered: Array<() => void> = []
  const enter = (count: typeof anonymousInFlight, key: string): void => {
    if (!count.enter(key)) throw new SyncError('rate_limited', { detail: 'Too many requests without a token are being answered.', headers: { 'retry-after': String(randomInt(1, 4)) } })
    entered.push(() => count.leave(key))
  }
  try {
    enter(anonymousInFlight, '')
    // No user is called so; behind a proxy of this machine whose word is not trusted are all readers.
    if (address !== null && !isLoopbackAddress(address)) enter(requestsInFlight, `\0${networkOf(address)}`)
    // Without tenants: public collections exclude them.
    await handler(exchange, logs.only!)
  } finally {
    for (const leave of entered) leave()
  }
}
