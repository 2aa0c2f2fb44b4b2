/** From an open change log and the options to what the routes call. */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import type { ChangeStore } from './changelog/changelog.ts'
import { quiet } from './config.ts'
import type { Config, Logger, StreamClient } from './config.ts'
import { MemoryTickets, Tickets } from './auth/tickets.ts'
import { warningsOf } from './auth/warnings.ts'
import { Authentication } from './http/authenticate.ts'
import { BytesInFlight, RequestsInFlight } from './http/in-flight.ts'
import { parseMessage } from './http/json-gate.ts'
import { Activity } from './http/services.ts'
import type { Services } from './http/services.ts'
import { checkChange } from './http/validate.ts'
import { Access } from './sync/access.ts'
import { Audit } from './sync/audit.ts'
import { Changes } from './sync/changes.ts'
import type { Clock } from './sync/clock.ts'
import { Erasures } from './sync/erasures.ts'
import { LiveFeed } from './sync/feed.ts'
import { Histories } from './sync/history.ts'
import { Housekeeping } from './sync/housekeeping.ts'
import type { PushDeps } from './sync/message.ts'
import { Pulls } from './sync/pull.ts'
import { Pushes } from './sync/push.ts'
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

/** What the server itself opens and closes beside what the routes call. */
export interface Parts extends Services {
  readonly feed: LiveFeed
  readonly housekeeping: Housekeeping
  readonly revivals: Revivals
  /** null where the store has no audit chain, and cannot erase. */
  readonly sealing: Sealing | null
  readonly erasures: Erasures | null
}

/** The services that the routes call, over one open change log. */
export function compose (config: Config, { store, bell, draining, ...edge }: Pick<Services, 'store' | 'bell' | 'draining' | 'addressOf' | 'rateLimits'>): Parts {
  const { limits, logger, retention, access: rules } = config
  const access = new Access({ rules, clock, limits, onError: (err, about) => logger.error({ err, ...about }, 'a rule of access failed: nothing was allowed by it') })
  const audit = new Audit({ clock, logger, onAudit: config.onAudit })
  const views = new Views({ store, access, rules })
  const publicViews = new PublicViews({ store, access, rules })
  const sight = new Sight({ store, rules, access, views })
  const pushes = new Pushes({ store, bell, clock, limits, access, sight, audit, channels: rules.channels, checkChange, conflicts: conflictRules(config) })
  const feed = feedOf(config, { store, bell, views })
  const gateLimits = { depth: limits.depth, documentBytes: limits.documentBytes, changes: limits.changesPerPush }
  return {
    config,
    clock,
    store,
    bell,
    version,
    ...whoAsks(config),
    pushes,
    ...readsOf(config, { store, bell, views, publicViews }),
    histories: new Histories({ store, limits, sight, clock }),
    revivals: new Revivals({ store, clock, pushes, audit, newId: randomUUID, gate: body => parseMessage(body, gateLimits) }),
    feed,
    housekeeping: new Housekeeping({ store, clock, retention, interval: config.compactInterval, random: Math.random, logger }),
    ...auditParts(store, { audit, pushes, feed, logger }),
    audit,
    activity: new Activity(),
    inFlight: new BytesInFlight(limits.inFlightBytes, limits.inFlightBytesPerUser),
    requestsInFlight: new RequestsInFlight(limits.requestsPerUser),
    anonymousInFlight: new RequestsInFlight(limits.anonymousRequests),
    ...edge,
    draining,
    logRequests: wantsDebug(logger)
  }
}

function readsOf ({ limits, publicCollections }: Config, { views, publicViews, ...log }: Pick<Services, 'store' | 'bell'> & { views: Views, publicViews: Views }): Pick<Services, 'pulls' | 'changes' | 'snapshots'> {
  const pulls = new Pulls({ ...log, clock, limits, views })
  const changes = new Changes({ pulls, publicPulls: new Pulls({ ...log, clock, limits, views: publicViews, turns: new OneByOne() }), publicCollections })
  return { pulls, changes, snapshots: new Snapshots({ store: log.store, views, publicViews, isPublic: names => changes.isPublic(names) }) }
}

function feedOf ({ access: rules, limits, heartbeatInterval, clientTimeout, logger, ...config }: Config, parts: Pick<Services, 'store' | 'bell'> & { views: Views }): LiveFeed {
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
    onDisconnect: harmless(config.onClientDisconnect, logger)
  })
}

function auditParts (store: ChangeStore, { audit, pushes, feed, logger }: { audit: Audit, pushes: Pushes, feed: LiveFeed, logger: Logger }): Pick<Parts, 'sealing' | 'erasures'> {
  if (!isAudited(store)) return { sealing: null, erasures: null }
  store.onSeal(({ hash }) => audit.note({ type: 'sealed', code: hash }))
  return { sealing: new Sealing({ store, clock, logger }), erasures: new Erasures({ store, clock, pushes, audit, newId: randomUUID, onErased: () => feed.forget() }) }
}

/** @throws TypeError where the store cannot erase */
export function erasuresOf ({ erasures }: Pick<Parts, 'erasures'>): Erasures {
  if (erasures === null) throw new TypeError('this change log cannot erase: SqliteChangeLog can')
  return erasures
}

/** How conflicts are settled; what the application's own rule does wrong is for the operator to know. */
function conflictRules ({ collections, logger }: Config): PushDeps['conflicts'] {
  return { ...collections, onError: (err, document) => logger.error({ err, ...document }, 'a rule of the application for its documents failed') }
}

/** Who asks, and at start what of that the operator may not have meant. */
function whoAsks (config: Config): Pick<Services, 'authentication' | 'tickets'> {
  const { access: { authenticate }, ticketStore, limits, logger } = config
  for (const warning of warningsOf(config)) logger.warn({}, warning)
  return {
    authentication: new Authentication({ authenticate: authenticate ?? (() => null), limits, logger, clock }),
    tickets: new Tickets(ticketStore ?? new MemoryTickets(limits), clock.now)
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
