/** From an open change log and the options to what the routes call. */
import { randomBytes, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { ChangeStore } from './changelog/changelog.ts'
import { quiet } from './config.ts'
import type { Config, Logger, StreamClient } from './config.ts'
import { MemoryTickets, Tickets } from './auth/tickets.ts'
import { warningsOf } from './auth/warnings.ts'
import type { Coordination } from './coordination/coordination.ts'
import type { PubSub } from './pubsub/pubsub.ts'
import { Authentication } from './http/authenticate.ts'
import { BytesInFlight, RequestsInFlight } from './http/in-flight.ts'
import { parseMessage } from './http/json-gate.ts'
import { Activity } from './http/services.ts'
import type { LogServices, NodeServices, Services } from './http/services.ts'
import { SharedTickets } from './http/shared-tickets.ts'
import { checkChange } from './http/validate.ts'
import { Access } from './sync/access.ts'
import { Audit } from './sync/audit.ts'
import { Changes } from './sync/changes.ts'
import type { Clock } from './sync/clock.ts'
import { Crowd } from './sync/crowd.ts'
import { Erasures } from './sync/erasures.ts'
import { LiveFeed, type FeedOptions } from './sync/feed.ts'
import { Histories } from './sync/history.ts'
import { Housekeeping } from './sync/housekeeping.ts'
import type { PushDeps } from './sync/message.ts'
import { Nodes } from './sync/nodes.ts'
import { Pulls } from './sync/pull.ts'
import { Pushes } from './sync/push.ts'
import { PageCache, ReadyPages } from './sync/ready.ts'
import { Revivals } from './sync/revival.ts'
import { isAudited, Sealing } from './sync/sealing.ts'
import { Sight } from './sync/sight.ts'
import { Snapshots } from './sync/snapshot.ts'
import { OneByOne } from './sync/turns.ts'
import { PublicViews, Views } from './sync/view.ts'

export const { version } = createRequire(import.meta.url)('@pocket/server/package.json') as { version: string }

/** The machine's time. */
export const clock: Clock = {
  now: Date.now,
  after (ms, callback) {
    const timer = setTimeout(callback, ms)
    return () => { clearTimeout(timer) }
  }
}

/** A line per request is not even made where nobody would see it. */
function wantsDebug (logger: Logger & { isLevelEnabled?: (level: string) => boolean }): boolean {
  return logger.isLevelEnabled?.('debug') ?? logger !== quiet
}

/** What belongs to the node. */
export type Node = Omit<NodeServices, 'logs'> & { readonly crowd: Crowd, readonly pages: PageCache }

/** What the server itself uses of a log, beside what the routes call. */
export interface LogParts extends LogServices {
  readonly feed: LiveFeed
  readonly ready: ReadyPages
  readonly housekeeping: Housekeeping
  readonly revivals: Revivals
  /** null where the store has no audit chain, and cannot erase. */
  readonly sealing: Sealing | null
  readonly erasures: Erasures | null
}

export type Parts = Services & LogParts

export interface NodeDeps extends Pick<NodeServices, 'draining' | 'addressOf' | 'rateLimits'> {
  /** What this node shares with others; null where it is alone. */
  readonly shared: { readonly coordination: Coordination, readonly pubsub: PubSub } | null
}

export function composeNode (config: Config, { draining, shared, ...edge }: NodeDeps): Node {
  const { limits, logger } = config
  const name = randomBytes(5).toString('hex')
  const crowd = new Crowd(name)
  return {
    config,
    clock,
    version,
    crowd,
    pages: new PageCache(limits.readyBytes),
    nodes: shared === null ? null : new Nodes({ ...shared, node: name, clock, most: limits.streamsPerUser, streams: crowd }),
    ...whoAsks(config, shared?.coordination ?? null),
    audit: new Audit({ clock, logger, onAudit: config.onAudit }),
    activity: new Activity(),
    inFlight: new BytesInFlight(limits.inFlightBytes, limits.inFlightBytesPerUser),
    requestsInFlight: new RequestsInFlight(limits.requestsPerUser),
    anonymousInFlight: new RequestsInFlight(limits.anonymousRequests),
    ...edge,
    draining,
    logRequests: wantsDebug(logger)
  }
}

export interface LogDeps extends Pick<LogServices, 'store' | 'bell'> {
  /** Whose it is; null where there are no tenants. */
  readonly tenant: string | null
  /** A stream of this log has ended. */
  readonly onStreamGone?: () => void
}

/** The rules over one open change log. */
export function composeLog (node: Pick<Node, 'config' | 'crowd' | 'audit' | 'pages'>, { store, bell, tenant, onStreamGone = () => {} }: LogDeps): LogParts {
  const config = tenant === null ? node.config : ofTenant(node.config, tenant)
  const audit = node.audit.of(tenant)
  const { limits, logger, retention, access: rules } = config
  const access = new Access({ rules, clock, limits, onError: (err, about) => logger.error({ err, ...about }, 'a rule of access failed: nothing was allowed by it') })
  const views = new Views({ store, access, rules, clock })
  const publicViews = new PublicViews({ store, access, rules, clock })
  const sight = new Sight({ store, rules, access, views })
  const pushes = new Pushes({ store, bell, clock, limits, access, sight, audit, channels: rules.channels, checkChange, conflicts: conflictRules(config) })
  const feed = feedOf(config, { store, bell, views, crowd: node.crowd, onStreamGone })
  const ready = new ReadyPages(store, node.pages)
  const gateLimits = { depth: limits.depth, documentBytes: limits.documentBytes, changes: limits.changesPerPush }
  return {
    store,
    bell,
    pushes,
    ready,
    ...readsOf(config, { store, bell, views, publicViews, ready }),
    histories: new Histories({ store, limits, sight, clock }),
    revivals: new Revivals({ store, clock, pushes, audit, newId: randomUUID, gate: body => parseMessage(body, gateLimits) }),
    feed,
    housekeeping: new Housekeeping({ store, clock, retention, interval: config.compactInterval, random: Math.random, logger }),
    ...auditParts(store, { audit, pushes, keepers: [feed, ready], logger })
  }
}

/** Of what one log keeps in memory for its streams, since there are many. */
const RINGS = 16

/** Lines of the log say whose log they are about. */
function ofTenant ({ logger, limits, ...config }: Config, tenant: string): Config {
  const say = (level: keyof Logger) => (fields: object, message: string): void => { logger[level]({ tenant, ...fields }, message) }
  return {
    ...config,
    limits: { ...limits, ringBytes: Math.ceil(limits.ringBytes / RINGS) },
    logger: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  }
}

function readsOf ({ limits, publicCollections }: Config, { views, publicViews, ...log }: Pick<LogServices, 'store' | 'bell'> & { views: Views, publicViews: Views, ready: ReadyPages }): Pick<LogServices, 'pulls' | 'changes' | 'snapshots'> {
  const pulls = new Pulls({ ...log, clock, limits, views })
  const changes = new Changes({ pulls, publicPulls: new Pulls({ ...log, clock, limits, views: publicViews, turns: new OneByOne() }), publicCollections })
  return { pulls, changes, snapshots: new Snapshots({ ...log, views, publicViews, isPublic: names => changes.isPublic(names) }) }
}

function feedOf ({ access: rules, limits, heartbeatInterval, clientTimeout, logger, ...config }: Config, { onStreamGone, ...parts }: Pick<FeedOptions, 'store' | 'bell' | 'views' | 'crowd'> & { onStreamGone: () => void }): LiveFeed {
  const told = harmless(config.onClientDisconnect, logger)
  return new LiveFeed({
    ...parts,
    rules,
    clock,
    limits,
    heartbeatInterval,
    clientTimeout,
    random: Math.random,
    onError: error => logger.error({ err: error }, 'the streams cannot read the change log'),
    onConnect: harmless(config.onClientConnect, logger),
    onDisconnect: client => {
      told(client)
      onStreamGone()
    }
  })
}

function auditParts (store: ChangeStore, { audit, pushes, keepers, logger }: { audit: Pick<Audit, 'note'>, pushes: Pushes, keepers: ReadonlyArray<{ forget (): void }>, logger: Logger }): Pick<LogParts, 'sealing' | 'erasures'> {
  if (!isAudited(store)) return { sealing: null, erasures: null }
  store.onSeal(({ hash }) => audit.note({ type: 'sealed', code: hash }))
  return { sealing: new Sealing({ store, clock, logger }), erasures: new Erasures({ store, clock, pushes, audit, newId: randomUUID, onErased: () => { for (const keeper of keepers) keeper.forget() } }) }
}

/** @throws TypeError where the store cannot erase */
export function erasuresOf ({ erasures }: Pick<LogParts, 'erasures'>): Erasures {
  if (erasures === null) throw new TypeError('this change log cannot erase: SqliteChangeLog can')
  return erasures
}

/** How conflicts are settled; what the application's own rule does wrong is for the operator to know. */
function conflictRules ({ collections, logger }: Config): PushDeps['conflicts'] {
  return { ...collections, onError: (err, document) => logger.error({ err, ...document }, 'a rule of the application for its documents failed') }
}

/** Who asks, and at start what of that the operator may not have meant. */
function whoAsks (config: Config, coordination: Coordination | null): Pick<NodeServices, 'authentication' | 'tickets'> {
  const { access: { authenticate, tenant }, ticketStore, limits, logger } = config
  for (const warning of warningsOf(config)) logger.warn({}, warning)
  return {
    authentication: new Authentication({ authenticate: authenticate ?? (() => null), tenant, limits, logger, clock }),
    tickets: new Tickets(ticketStore ?? (coordination === null ? new MemoryTickets(limits) : new SharedTickets(coordination, limits)), clock.now)
  }
}

/** What the application's function throws is its own affair, and the stream's none. */
function harmless (callback: (client: StreamClient) => void, logger: Logger): (client: StreamClient) => void {
  return client => {
    try {
      callback(client)
    } catch (error) {
      logger.error({ err: error }, 'onClientConnect or onClientDisconnect failed')
    }
  }
}
