/** The server's routes, as an app of its own and as a plugin for another one. */
import Fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import { SyncError } from '../errors.ts'
import { changesRoute } from './changes.ts'
import { Cors } from './cors.ts'
import { refuse, serve } from './exchange.ts'
import type { Handler } from './exchange.ts'
import { makeGuard } from './guard.ts'
import { healthRoute } from './health.ts'
import { SAFE } from './head.ts'
import { HISTORY_ROUTE, historyRoute, isHistory } from './history.ts'
import { infoRoute } from './info.ts'
import { createHttpServer } from './node-server.ts'
import { pullRoute } from './pull.ts'
import { pushRoute } from './push.ts'
import { referenceRoutes } from './reference.ts'
import type { NodeServices } from './services.ts'
import { snapshotRoute } from './snapshot.ts'
import { streamRoutes } from './stream.ts'
import { ticketRoute } from './ticket.ts'

/** An app with every route. Its server keeps the limits of `services.config`; listen with it, or route with `app.routing`. */
export function buildApp (services: NodeServices): FastifyInstance {
  const cors = corsOf(services)
  const app = Fastify({
    logger: false,
    return503OnClosing: false,
    serverFactory: (handler) => createHttpServer(services, handler),
    frameworkErrors: (error, request, reply) => {
      reply.hijack()
      cors?.apply(request.raw, reply.raw)
      refuse(services, { request: request.raw, response: reply.raw, id: undefined }, error)
    }
  }) as unknown as FastifyInstance
  const paths = prepare(app, services)
  syncRoutes(app, services)
  healthRoute(app, services)
  referenceRoutes(app, services, () => describeServer(services))
  app.setNotFoundHandler(serve(services, otherwise(paths)))
  return app
}

/** Routes under /sync alone, for an app that has its own beside them. Leaves that app's parsers and handlers as they are. */
export function syncPlugin (app: FastifyInstance, services: NodeServices): void {
  // What the host's hooks have set (CORS, say) goes out with our answers, refusals too.
  app.addHook('onRequest', (_request, reply, done) => { keepHeaders(reply); done() })
  const paths = prepare(app, services)
  app.addHook('preHandler', (request, reply, done) => {
    if (services.config.access.authenticate !== null) handOver(request)
    keepHeaders(reply)
    done()
  })
  syncRoutes(app, services)
  app.all('/sync/*', serve(services, otherwise(paths)))
}

/** openapi.yaml as an object. The routes are added to an app that describes them; nothing is called. */
export async function describeServer (described: Pick<NodeServices, 'config' | 'version'>): Promise<object> {
  const { describeApi } = await import('./openapi.ts')
  return await describeApi(described.version, (app) => {
    syncRoutes(app, described as NodeServices)
    healthRoute(app, described as NodeServices)
  })
}

function keepHeaders (reply: FastifyReply): void {
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value)
}

function corsOf ({ config }: NodeServices): Cors | null {
  return config.cors === null ? null : new Cors(config.cors)
}

/** What the host's hooks have set on Fastify's request, a user for example, is found on Node's. */
function handOver (request: FastifyRequest): void {
  const { raw } = request
  for (const [name, value] of Object.entries(request)) if (!(name in raw) && !fastifyOwn.has(name)) Object.assign(raw, { [name]: value })
}

const fastifyOwn: ReadonlySet<string> = new Set(['id', 'params', 'raw', 'query', 'log', 'body'])

function syncRoutes (app: FastifyInstance, services: NodeServices): void {
  pushRoute(app, services)
  pullRoute(app, services)
  changesRoute(app, services)
  snapshotRoute(app, services)
  historyRoute(app, services)
  infoRoute(app, services)
  streamRoutes(app, services)
  ticketRoute(app, services)
}

type Paths = ReadonlyMap<string, ReadonlySet<string>>

/** Everything that is the same for all routes. @returns path → methods, filled as routes are added */
function prepare (app: FastifyInstance, services: NodeServices): Paths {
  const paths = new Map<string, Set<string>>()
  app.addHook('onRoute', (route) => {
    const methods = paths.get(route.url) ?? new Set()
    for (const method of [route.method].flat()) methods.add(method)
    paths.set(route.url, methods)
  })
  app.addHook('onRequest', enter(services))
  if (services.logRequests) logRequests(app, services)
  app.removeAllContentTypeParsers()
  // Named, the usual one is found without being taken apart.
  for (const type of ['application/json', '*']) app.addContentTypeParser(type, (_request, _payload, done) => { done(null) })
  app.setErrorHandler((error, request, reply) => {
    reply.hijack()
    refuse(services, { request: request.raw, response: reply.raw, id: undefined }, error)
  })
  return paths
}

/** What comes before authentication: CORS, the guard, and the count of the address. */
function enter (services: NodeServices): onRequestHookHandler {
  const guard = makeGuard(services.config)
  const cors = corsOf(services)
  const { rateLimits } = services
  const refused = ({ raw: request }: FastifyRequest, reply: FastifyReply, error: unknown): void => {
    reply.hijack()
    refuse(services, { request, response: reply.raw, id: undefined }, error)
  }
  return (routed, reply, done) => {
    const { raw: request } = routed
    try {
      cors?.apply(request, reply.raw)
      guard(request)
      if (cors?.answersPreflight(request, reply.raw) === true) {
        reply.hijack()
        return
      }
    } catch (error) {
      refused(routed, reply, error)
      return
    }
    // Asked last: Fastify makes what it tells of a route anew for everyone who asks.
    const counted = rateLimits === null || routed.routeOptions.url === '/health' ? null : rateLimits.fromAddress(request)
    if (counted === null) done()
    else counted.then(() => { done() }, (error: unknown) => refused(routed, reply, error))
  }
}

/** Never a URL: its query may hold what somebody meant to keep. */
function logRequests (app: FastifyInstance, { config: { logger } }: NodeServices): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions: { url } } = request
    logger.debug({ method, route: url, status: reply.raw.statusCode, ms: Math.round(reply.elapsedTime * 10) / 10 }, 'request')
    done()
  })
}

/** What no route takes: OPTIONS of a known path, another method on it, or a path that is not there. */
function otherwise (paths: Paths): Handler {
  return ({ request, response }) => {
    const url = request.url!
    const end = url.indexOf('?')
    const path = end === -1 ? url : url.slice(0, end)
    const methods = paths.get(isHistory(path) ? HISTORY_ROUTE : path)
    if (methods === undefined) throw new SyncError('not_found')
    const allow = [...methods, 'OPTIONS'].join(', ')
    if (request.method !== 'OPTIONS') throw new SyncError('method_not_allowed', { detail: `${request.method ?? ''} is not taken here`, headers: { allow } })
    response.writeHead(204, ['allow', allow, 'cache-control', 'no-store', ...SAFE])
    response.end()
  }
}
