import { resolveAccess } from './access.ts'
import type { AccessOptions, AccessRules } from './access.ts'
import type { OnAudit } from './audit-event.ts'
import type { ChangeLog } from './changelog/changelog.ts'
import { publicFrom, resolveCollections } from './collections.ts'
import type { CollectionOptions, Collections, ConflictStrategy, ResolveConflict } from './collections.ts'
import { resolveEdge } from './edge.ts'
import type { Edge, EdgeOptions } from './edge.ts'
import type { Coordination } from './coordination/coordination.ts'
import type { PubSub } from './pubsub/pubsub.ts'
import { authenticateOf } from './auth/jwt.ts'
import type { JwtOptions, JwtRules } from './auth/jwt.ts'
import type { TicketStore } from './auth/tickets.ts'

const KiB = 1024
const MiB = 1024 * KiB
const second = 1000
const day = 24 * 60 * 60 * second

/** Every limit, the attack or accident it stops, and its default. Bytes, milliseconds, or a count. */
export const defaultLimits = {
  /** A body that never ends. On the wire; a client that was offline for a week sends everything at once. */
  bodyBytes: 16 * MiB,
  /** A bomb of compressed zeros. */
  decodedBytes: 64 * MiB,
  /** Many large bodies at once, and large answers that nobody reads: over all requests, then 503. */
  inFlightBytes: 256 * MiB,
  /** One user who takes all of that: a body of the largest kind fits, then 503. */
  inFlightBytesPerUser: 96 * MiB,
  /** A thousand requests at once from one user, long polls too, then 429. */
  requestsPerUser: 100,
  /** Readers of public collections whom nobody knows: their requests at once in all, and of one address as of a user, then 429. */
  anonymousRequests: 1000,
  /** One push that holds all others up. */
  changesPerPush: 10_000,
  /** One document that every reader must load. As stored, in UTF-8. */
  documentBytes: MiB,
  /** Nesting that overflows the stack of whoever reads it. */
  depth: 64,
  /** A pull that merges without bound. */
  collectionsPerPull: 100,
  /** Entries of a page when the client names no limit. */
  pullDefault: 100,
  /** Entries of a page at most; a larger limit is lowered to it. */
  pullMax: 1000,
  /** Text of a page, except that one document always fits. */
  pageBytes: 1_000_000,
  /** Text of full pages kept for others who ask the same, of all logs together, where nobody is kept from what is asked for; only over SQLite. 0: none. */
  readyBytes: 64 * MiB,
  /** Requests that wait for ever: a long poll at most. */
  waitMs: 25 * second,
  /** Stored documents in one push's conflicts, and as many in its merged results; of the rest only the status is told, the next pull brings them. */
  conflictBytes: 16 * MiB,
  /** Attempts to commit while others move the same heads, then 503 busy. */
  commitAttempts: 8,
  /** An `authenticate` that never answers and holds requests for ever: after this the answer is 503. */
  authenticateMs: 10 * second,
  /** Tickets for streams that wait to be used, in all: beyond, 503. */
  tickets: 10_000,
  /** Tickets of one user that wait to be used: the oldest goes. */
  ticketsPerUser: 20,
  /** An `authorize` that never answers and holds a push or a page for ever: after this it has denied. */
  authorizeMs: 10 * second,
  /** A `resolveConflict` that never answers and holds its document for ever: after this its change is rejected. */
  resolveMs: 10 * second,
  /** How long a checkpoint ahead of this node's head may wait for it. */
  aheadMs: 2 * second,
  /** Streams of one user, over all nodes; without authentication there are no users to tell apart. */
  streamsPerUser: 20,
  /** Streams of this node in all: each is a socket. */
  streams: 10_000,
  /** A crowd that comes back faster than its rules can be asked: streams that wait for their hello; the next are told to come later. */
  streamsWaiting: 2000,
  /** A stream's life, shortened at random by up to a fifth so that not all end together. */
  streamMs: 600 * second,
  /** Text of one stream frame, except that one document always fits. */
  frameBytes: 64 * KiB,
  /** Changes of one stream frame. */
  frameEntries: 100,
  /** What may wait in one socket before the stream stops reading the log. */
  socketBytes: 256 * KiB,
  /** Newest entries kept encoded, shared by all streams. */
  ringBytes: 16 * MiB,
  /** Tenants whose logs are open at once, six files and about 1 MiB each in SQLite: beyond, those that nobody uses are closed; while all are in use, 503. */
  tenantsOpen: 500,
  /** Sockets without end: in all, where the server listens itself. */
  connections: 20_000,
  /** Slow-loris by many sockets: of one address, or an IPv6 network of 64 bits; not of this machine or a proxy that is trusted. */
  connectionsPerAddress: 2000,
  /** HTTP/2: requests at once on one connection. */
  connectionRequests: 128,
  /** Slow-loris: how long the headers may take. */
  headersMs: 10 * second,
  /** Slow-loris: how long the whole request may take. */
  requestMs: 30 * second,
  /** Slow readers: a connection on which nothing moves for so long is cut, whatever waits on it. */
  stallMs: 120 * second,
  /** Idle sockets. Longer than proxies keep theirs, so that none sends into one that is just closed. */
  keepAliveMs: 75 * second,
  /** Headers that fill the memory. */
  headerBytes: 16 * KiB,
  /** URLs longer than proxies pass on. */
  urlBytes: 8 * KiB,
  /** From SIGTERM to exit. */
  graceMs: 10 * second,
  /** Streams are ended spread over this time. */
  drainMs: 5 * second
} as const

export type Limits = Readonly<Record<keyof typeof defaultLimits, number>>

/** How long what is no longer current stays, in ms. */
export const defaultRetention = {
  /** Superseded versions, from when they were superseded: what stood within this time can be brought back. */
  history: 30 * day,
  /** Tombstones, by which clients that slept learn of deletions, and the identities by which repeated changes are known; at least as long as the history. */
  tombstones: 90 * day,
  /** Losers of conflicts and refused changes. */
  journal: 30 * day,
  /** Records by which a repeated push is known; after that its changes are known by their identities. */
  pushes: 7 * day
} as const

export type Retention = Readonly<Record<keyof typeof defaultRetention, number>>

/** What the server writes its log lines to: pino's shape. */
export interface Logger {
  debug (fields: object, message: string): void
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

/** An open stream as operators see it. */
export interface StreamClient {
  readonly id: string
  readonly userId: string | null
  readonly clientId: string | null
  /** Whose log it reads; null where there are no tenants. */
  readonly tenant: string | null
  readonly collections: readonly string[] | null
  /** The cursor it came with, or `now`. */
  readonly since: string
  /** How far it has come. */
  readonly cursor: string | null
  /** Entries between there and the log's newest, whoever may see them; null while it has no place yet. */
  readonly behind: number | null
  /** ms since 1970. */
  readonly connectedAt: number
  readonly bytesSent: number
}

/** Options of `new PocketServer(options)`. */
export interface PocketServerOptions extends AccessOptions, EdgeOptions {
  /** Instead of `authenticate`: JSON Web Tokens, checked with `{ secret }`, `{ publicKey }` or `{ jwksUrl }`; see [Authentication](#authentication). */
  jwt?: JwtOptions
  /** Where [tickets](#streams-in-browsers) wait: `{ put, take }`, see `TicketStore`. Default: where [nodes agree](#several-nodes), else in this process. */
  ticketStore?: TicketStore
  /** Where changes are kept: a `ChangeStore`, or any class with the seven methods. Default: SQLite at `./pocket.db`. */
  changeLog?: ChangeLog
  /** Hints between nodes. Default: by the server of the change log, else in this process; see [Several nodes](#several-nodes). */
  pubsub?: PubSub
  /** Where several nodes agree on limits, tickets and streams. Default: the server of the change log, else of `pubsub`, else in this process; see [Several nodes](#several-nodes). */
  coordination?: Coordination
  /** Without authentication: answer others than this machine too. Everybody may then read and write everything. Default false. */
  open?: boolean
  /** Names under which a browser may reach a server without authentication, beside loopback ones. */
  hosts?: readonly string[]
  /** Collections that everybody may read, without a token too, and that caches may keep: `['posts']`; see [Cacheable reads](#cacheable-reads). Default none. */
  publicCollections?: readonly string[]
  /** How conflicts are settled: `last-write-wins` (default), `server-wins`, `client-wins` or `merge`; see [Conflicts](#conflicts). */
  conflictStrategy?: ConflictStrategy
  /** Your own rule instead: `(conflict) => document | null`, sync or async; see [Conflicts](#conflicts). */
  resolveConflict?: ResolveConflict
  /** The same two for single collections, by name. */
  collections?: Readonly<Record<string, CollectionOptions>>
  /** What clients may ask for, see below; `Infinity` lifts a limit. */
  limits?: Partial<Limits>
  /** How long what is no longer current stays, in ms, see below; `Infinity` keeps it for ever. */
  retention?: Partial<Retention>
  /** Streams of one user over all nodes, once there is authentication. Default 20. The same as `limits.streamsPerUser`. */
  maxConnectionsPerUser?: number
  /** How long superseded versions are kept, in ms; `Infinity`: for ever. Default 30 days. The same as `retention.history`. */
  historyRetention?: number
  /** How long deletions are remembered, in ms; `Infinity`: for ever. A client that slept longer starts over. Default 90 days. The same as `retention.tombstones`. */
  tombstoneRetention?: number
  /** How often what is past its retention is dropped, in ms; `Infinity`: only by `compact()`. Default one hour. */
  compactInterval?: number
  /** A ping after this many ms without a byte; 5,000 to 25,000. Default 15,000. */
  heartbeatInterval?: number
  /** A stream whose peer takes nothing for this many ms is dropped. Default 30,000. */
  clientTimeout?: number
  /** How often the log is looked at without a hint, in ms. Default 1,000. */
  pollInterval?: number
  /** pino's, or anything of its shape. Default: silent. */
  logger?: Logger
  /** Called with each stream that opens. */
  onClientConnect?: (client: StreamClient) => void
  /** Called with each stream that has ended. */
  onClientDisconnect?: (client: StreamClient) => void
  /** Told who was refused, and what the operator did; never a token or a document. See [Audit](#audit). */
  onAudit?: OnAudit
}

export interface Config extends Edge {
  /** `authenticate` is among the rules with the built-in check of tokens, too. */
  readonly access: AccessRules
  readonly jwt: JwtRules | null
  readonly ticketStore: TicketStore | null
  readonly open: boolean
  readonly hosts: readonly string[]
  readonly collections: Collections
  readonly publicCollections: ReadonlySet<string>
  readonly limits: Limits
  readonly retention: Retention
  readonly heartbeatInterval: number
  readonly clientTimeout: number
  readonly pollInterval: number
  readonly compactInterval: number
  readonly logger: Logger
  readonly onClientConnect: (client: StreamClient) => void
  readonly onClientDisconnect: (client: StreamClient) => void
  readonly onAudit: OnAudit
}

/** What a timer of Node takes, about 24 days; a longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1

/** Says nothing. */
export const quiet: Logger = { debug () {}, info () {}, warn () {}, error () {} }

function number (name: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isFinite(value) || value < min || value > max) {
    throw new TypeError(`${name} must be a number from ${min} to ${max}, not ${value}`)
  }
  return value
}

function merged<T extends Readonly<Record<string, number>>> (name: string, defaults: T, given: Partial<T> = {}): T {
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaults, key)) throw new TypeError(`${name}.${key} is no option; there are ${Object.keys(defaults).join(', ')}`)
    if (value !== Infinity) number(`${name}.${key}`, value as number, 0)
  }
  return Object.freeze({ ...defaults, ...given })
}

const known: ReadonlySet<string> = new Set<keyof PocketServerOptions>([
  'changeLog', 'pubsub', 'coordination', 'authenticate', 'jwt', 'ticketStore', 'authorize', 'channels', 'channelsOf', 'accessVersion', 'tenant', 'open', 'hosts', 'conflictStrategy', 'resolveConflict', 'collections', 'publicCollections', 'limits', 'retention', 'rateLimit', 'trustProxy', 'cors', 'tls', 'maxConnectionsPerUser', 'historyRetention', 'tombstoneRetention', 'compactInterval', 'heartbeatInterval',
  'clientTimeout', 'pollInterval', 'logger', 'onClientConnect', 'onClientDisconnect', 'onAudit'
])

/** What `authorize` lets somebody see is judged by superseded versions too: they stay as long as deletions do. */
function looksBack (retention: Retention, { authorize }: AccessOptions): Retention {
  return authorize === undefined ? retention : Object.freeze({ ...retention, history: Math.max(retention.history, retention.tombstones) })
}

/**
 * Resolves the options, once, to one frozen object. One that is not offered, `authenticate` for example, is
 * refused: taking it in silence would leave a server open that its owner believes closed.
 * @throws TypeError naming the option that is wrong
 */
export function resolveConfig (options: PocketServerOptions = {}): Config {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw new TypeError(`${name} is not supported by this version of @pocket/server, and ignoring it would not be safe; there are ${[...known].join(', ')}`)
  }
  const publicCollections = publicFrom(options.publicCollections)
  const { authenticate, jwt } = authenticateOf(options, (fields, message) => options.logger?.error(fields, message))
  const streams = options.maxConnectionsPerUser === undefined ? {} : { streamsPerUser: options.maxConnectionsPerUser }
  const retained = { ...options.historyRetention !== undefined && { history: options.historyRetention }, ...options.tombstoneRetention !== undefined && { tombstones: options.tombstoneRetention } }
  return Object.freeze({
    access: resolveAccess({ ...options, ...authenticate !== undefined && { authenticate } }, publicCollections),
    jwt,
    ticketStore: options.ticketStore ?? null,
    ...resolveEdge(options),
    open: options.open ?? false,
    hosts: Object.freeze([...options.hosts ?? []]),
    collections: resolveCollections(options),
    publicCollections,
    limits: merged('limits', defaultLimits as Limits, { ...streams, ...options.limits }),
    retention: looksBack(merged('retention', defaultRetention as Retention, { ...retained, ...options.retention }), options),
    heartbeatInterval: number('heartbeatInterval', options.heartbeatInterval ?? 15_000, 5_000, 25_000),
    clientTimeout: number('clientTimeout', options.clientTimeout ?? 30_000, 1_000),
    pollInterval: number('pollInterval', options.pollInterval ?? 1_000, 10),
    compactInterval: options.compactInterval === Infinity ? Infinity : number('compactInterval', options.compactInterval ?? 60 * 60 * second, 1_000, LONGEST_TIMER),
    logger: options.logger ?? quiet,
    onClientConnect: options.onClientConnect ?? (() => {}),
    onClientDisconnect: options.onClientDisconnect ?? (() => {}),
    onAudit: options.onAudit ?? (() => {})
  })
}
