/** PocketServer: puts the parts together. */
import { setMaxListeners } from 'node:events'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import type { FastifyPluginAsync } from 'fastify'
import { assertChangeLog } from './backends.ts'
import { erasuresOf, type Parts } from './compose.ts'
import type { Erased, ErasedUser, EraseOptions } from './changelog/audit.ts'
import type { Backup, BackupOptions, BackupStore } from './changelog/backup.ts'
import type { ChangeStore, CompactPolicy, JournalQuery, JournalRow } from './changelog/changelog.ts'
import { hasTenants } from './changelog/networked.ts'
import { resolveConfig } from './config.ts'
import type { Config, PocketServerOptions, StreamClient } from './config.ts'
import type { TlsOptions } from './edge.ts'
import { SyncError } from './errors.ts'
import { syncPlugin } from './http/app.ts'
import { attach, isSync } from './http/attach.ts'
import { writeProblem } from './http/exchange.ts'
import { healthOf } from './http/health.ts'
import { Listeners } from './http/listeners.ts'
import type { Listening } from './http/listeners.ts'
import { disconnect, drain, NO_TENANTS, start, stop, type Running } from './lifecycle.ts'
import type { InTenant, Middleware, ServerHealth } from './server-types.ts'
import type { Caller } from './sync/caller.ts'
import type { HistoryQuery } from './sync/history.ts'
import type { History } from '../schema/history.ts'
import type { Result } from '../schema/push-response.ts'

export type { Listening } from './http/listeners.ts'
export type { InTenant, Middleware, ServerHealth } from './server-types.ts'
export { version } from './compose.ts'

/** Whoever holds the server object is no client. */
const operator: Caller = { user: null, clientId: null, address: null, operator: true }

/**
 * A sync server. Nothing is opened before it is used: by `listen`, `attach`, `handler`, `plugin` or `healthCheck`.
 *
 * Without authentication it answers its own machine only (403 `not_loopback`), also where the application listens
 * by itself, unless the option `open` says otherwise.
 */
export class PocketServer {
  readonly #config: Config
  readonly #options: PocketServerOptions
  readonly #draining = new AbortController()
  readonly #listeners: Listeners
  readonly #detach = new Set<() => void>()
  #starting: Promise<Running> | undefined
  #running: Running | undefined
  #closing: Promise<void> | undefined

  /** @throws TypeError naming the option that is wrong */
  constructor (options: PocketServerOptions = {}) {
    this.#config = resolveConfig(options)
    this.#options = options
    // Every request that waits listens to it: thousands are no leak.
    setMaxListeners(0, this.#draining.signal)
    this.#listeners = new Listeners(this.#config, this.#dispatch)
    if (options.changeLog !== undefined) assertChangeLog(options.changeLog)
    if (options.tenant !== undefined && options.changeLog !== undefined && !hasTenants(options.changeLog as ChangeStore)) throw new TypeError(NO_TENANTS)
  }

  /**
   * Opens the change log, then listens.
   * @param port 0 picks a free one
   * @throws TypeError for an address that other machines reach, without authentication and `open`; what Node says of one
   * that cannot be used (`EADDRINUSE`, …), or why the log cannot be opened
   */
  async listen (port = 3000, host = '127.0.0.1'): Promise<Listening> {
    this.#listeners.assertReach(host)
    await this.#start()
    return await this.#listeners.listen(port, host)
  }

  /**
   * Answers on a server that the application made. As long as that has no request listener of its own, all routes
   * are served; once it has one, before or after this call, `/sync/*` alone: everything else, its own /health
   * too, is its listener's. `/sync/*` is answered before any middleware: to stand behind one, use `handler`.
   *
   * Timers of the server that were left at Node's defaults are set to this server's (the one of the whole request
   * only on a server without a listener: uploads of the application may take long). `close` gives it back, open.
   */
  attach (server: Server): this {
    this.#detach.add(attach(server, this.#dispatch, this.#config))
    this.#startEarly()
    return this
  }

  /**
   * Express middleware: serves `/sync/*` and passes on everything else. May stand behind the application's own
   * middleware and be mounted at a path, `/sync` itself too. A body that `express.json()` has read before is
   * taken as that left it, which alters integers beyond 2^53 and duplicate names: put this in front where it can be.
   */
  get handler (): Middleware {
    this.#startEarly()
    return (request, response, next) => {
      const { baseUrl } = request as { baseUrl?: string }
      if (isSync(request.url!)) this.#dispatch(request, response)
      else if (baseUrl?.endsWith('/sync') === true) {
        request.url = `/sync${request.url!}`
        this.#dispatch(request, response)
      } else next()
    }
  }

  /** Fastify plugin with the routes under `/sync`: `app.register(pocket.plugin)`. The app's own parsers and error handler stay as they are. */
  get plugin (): FastifyPluginAsync {
    return async (app) => {
      const { services } = await this.#start()
      syncPlugin(app, services)
    }
  }

  /**
   * Another key and certificate for connections to come, before the former ones run out.
   * @throws what OpenSSL says of two that do not fit; the former ones stay
   */
  renewTls (tls: TlsOptions): void {
    this.#listeners.renewTls(tls)
  }

  /** Always throws: this server has no WebSocket. */
  attachWebSocket (_server: unknown): never {
    throw new Error('This server speaks HTTP and Server-Sent Events, not WebSocket: use attach(httpServer), and let clients read GET /sync/stream.')
  }

  /** The open streams. */
  getClients (): StreamClient[] {
    return this.#running?.logs.parts().flatMap(({ feed }) => feed.clients()) ?? []
  }

  /**
   * Ends a stream at once; its client may come back. One of another node, which its id names, is ended there as soon as
   * that node hears of it: within a second or two.
   * @returns whether there was one; of another node's, true: the order waits for it, and only that node knows
   * @param reason told to the client before: it then comes back with another credential. Whether the old one is still
   * good is for `authenticate` to say
   */
  disconnectClient (id: string, reason?: 'token-revoked'): boolean {
    const running = this.#running
    return running !== undefined && (disconnect(running.logs, id, reason) || running.services.nodes?.order(id, reason) === true)
  }

  /**
   * Copies the log as one moment shows it into one file, while pushes go on. To put it back, end the server and run
   * `pocket-server restore`.
   * @param path in a folder that exists
   * @throws TypeError for a log that is not kept in a file; SyncError storage_unavailable when a file is there
   * already or the copy cannot be made: nothing is left of it
   */
  backup (path: string, { tenant, ...options }: BackupOptions & InTenant = {}): Promise<Backup> {
    return this.#work(tenant, async ({ store }) => {
      if (!('backup' in store)) throw new TypeError('this change log is not kept in a file: back it up with the tools of its database')
      return await (store as ChangeStore & BackupStore).backup(path, options)
    })
  }

  async healthCheck (): Promise<ServerHealth> {
    try {
      const { status, clients, pendingChanges, lastSync, detail } = healthOf((await this.#start()).services)
      return { healthy: status === 'ok', clientCount: clients, pendingChanges, lastSyncTime: lastSync, detail: detail ?? null }
    } catch (error) {
      return { healthy: false, clientCount: 0, pendingChanges: 0, lastSyncTime: null, detail: (error as Error).message }
    }
  }

  /** A document's kept versions, newest first, and what of it the journal holds; of an unknown document none. */
  history (collection: string, documentId: string, { tenant, ...query }: HistoryQuery & InTenant = {}): Promise<History> {
    return this.#work(tenant, async ({ histories }) => JSON.parse(await histories.text({ collection, documentId }, query, operator)) as History)
  }

  /**
   * Makes an old version of a document the newest again, by an ordinary push: a deleted document comes back, a
   * tombstone deletes. `conflict` when somebody wrote the document at the same moment: look again.
   * @throws SyncError not_found when that version is not kept
   */
  revert (collection: string, documentId: string, sequence: number, { tenant }: InTenant = {}): Promise<Result> {
    return this.#work(tenant, ({ revivals }) => revivals.revert({ collection, documentId }, sequence, operator))
  }

  /** Losers of conflicts and refused changes, newest first. `raw` is what came, as text: it may be anything. */
  journal ({ tenant, ...query }: JournalQuery & InTenant = {}): Promise<JournalRow[]> {
    return this.#work(tenant, ({ store }) => store.journal(query))
  }

  /**
   * Pushes a change of the journal again, on top of what stands, so that it wins. Its row goes once it is `applied`,
   * `merged` or `duplicate`; otherwise the result says why not. @throws SyncError not_found without such a row
   */
  replayJournal (id: number, { tenant }: InTenant = {}): Promise<Result> {
    return this.#work(tenant, ({ revivals }) => revivals.replay(id, operator))
  }

  /** Drops a row of the journal. @returns whether there was one */
  discardJournal (id: number, { tenant }: InTenant = {}): Promise<boolean> {
    return this.#work(tenant, async ({ store }) => await store.discardJournal([id]) > 0)
  }

  /**
   * Erases a document: a deletion, which replicas learn of, and at once what the log holds of it. Its id stays in that.
   * @throws TypeError for a log that cannot erase, SyncError busy when somebody wrote it at the same moment
   */
  erase (collection: string, documentId: string, { tenant, ...options }: EraseOptions & InTenant = {}): Promise<Erased> {
    return this.#work(tenant, parts => erasuresOf(parts).document({ collection, documentId }, options, operator))
  }

  /** Erases every document that only this user wrote, and forgets who wrote this user's versions of the others. */
  eraseUser (userId: string, { tenant, ...options }: EraseOptions & InTenant = {}): Promise<ErasedUser> {
    return this.#work(tenant, parts => erasuresOf(parts).user(userId, options, operator))
  }

  /**
   * Drops what is past its retention, in small steps between which pushes go on. By itself it is done every `compactInterval`.
   * @param policy what to drop instead: of each kind everything from before a time, in ms since 1970
   * @throws SyncError storage_unavailable
   */
  compact (policy?: CompactPolicy, { tenant }: InTenant = {}): Promise<void> {
    return this.#work(tenant, ({ housekeeping }) => housekeeping.compact(policy))
  }

  /**
   * Shuts down: stops accepting, lets pushes in flight finish, ends long polls and streams, closes the change log
   * if the server opened it (one that was passed in stays open), within `limits.graceMs`. Idempotent.
   */
  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    this.#draining.abort()
    const closed = this.#listeners.close()
    const running = await this.#starting?.catch(() => undefined)
    if (running !== undefined) await drain(running, closed)
    this.#listeners.cutOff()
    await closed
    for (const detach of this.#detach) detach()
    if (running !== undefined) await stop(running)
  }

  /** What `close` waits for, as for requests. */
  async #work<T> (tenant: string | undefined, work: (parts: Parts) => Promise<T>): Promise<T> {
    const { services, logs } = await this.#start()
    services.activity.begin()
    try {
      return await logs.work(tenant, work)
    } finally {
      services.activity.end()
    }
  }

  readonly #dispatch: RequestListener = (request, response) => {
    if (this.#running !== undefined) this.#running.app.routing(request, response)
    else this.#dispatchLater(request, response)
  }

  #dispatchLater (request: IncomingMessage, response: ServerResponse): void {
    this.#start().then(
      ({ app }) => { app.routing(request, response) },
      (error: unknown) => {
        const refusal = error instanceof SyncError ? error : new SyncError('storage_unavailable')
        writeProblem({ request, response, id: undefined }, refusal, true)
      })
  }

  /** Opens the log before the first request asks for it; a failure is logged, answered with 503, and tried again. */
  #startEarly (): void {
    this.#start().catch(() => {})
  }

  #start (): Promise<Running> {
    if (this.#closing !== undefined) return Promise.reject(new SyncError('draining'))
    this.#starting ??= start(this.#config, this.#options, this.#draining.signal).then(
      running => {
        this.#running = running
        return running
      },
      (error: unknown) => {
        this.#starting = undefined
        this.#config.logger.error({ err: error }, 'the server cannot start')
        throw error
      }
    )
    return this.#starting
  }
}
