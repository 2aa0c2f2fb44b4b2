/**
 * Who asks (DESIGN 7): the application's `authenticate`, or the built-in check of JWTs, before anything of the body is
 * read. Every cause has the same answer; why is for the operator's log alone, without the token.
 */
import type { IncomingMessage } from 'node:http'
import type { Authenticate, TenantOf, User } from '../access.ts'
import { RefusedToken } from '../auth/refused.ts'
import { sessionOf } from '../auth/user.ts'
import type { Session } from '../auth/user.ts'
import { isTenant } from '../changelog/networked.ts'
import type { Config } from '../config.ts'
import { SyncError } from '../errors.ts'
import type { Clock } from '../sync/clock.ts'
import { inTime, late } from '../sync/in-time.ts'

export interface AuthenticationDeps {
  readonly authenticate: Authenticate
  /** null where there are no tenants. */
  readonly tenant: TenantOf | null
  readonly limits: Config['limits']
  readonly logger: Config['logger']
  readonly clock: Clock
}

/** A longer one does not get through proxies. Attack: megabytes to hash and parse for who has shown nothing yet. */
const TOKEN_BYTES = 7 * 1024

export class Authentication {
  readonly #deps: AuthenticationDeps

  constructor (deps: AuthenticationDeps) {
    this.#deps = deps
  }

  /** @throws SyncError not_authenticated, invalid_token, no_tenant, authentication_unavailable */
  session (request: IncomingMessage): Promise<Session> {
    const session = this.#session(request)
    const { tenant } = this.#deps
    return tenant === null ? session : session.then(async known => ({ ...known, tenant: await this.#tenant(tenant, known.user) }))
  }

  /** Where it is not clear whose documents a user's are, the user gets none. */
  async #tenant (tenant: TenantOf, user: User): Promise<string> {
    const { limits: { authenticateMs }, clock, logger } = this.#deps
    let name: unknown
    try {
      name = await inTime(async () => await tenant(user), authenticateMs, clock)
    } catch (error) {
      logger.error({ err: error }, 'tenant failed, and nobody was let in')
      throw new SyncError('authentication_unavailable')
    }
    if (isTenant(name)) return name
    if (name === undefined || name === null || name === '') throw new SyncError('no_tenant')
    if (name === late) {
      logger.error({ authenticateMs }, 'tenant did not answer in time, and nobody was let in')
      throw new SyncError('authentication_unavailable')
    }
    logger.error({ type: typeof name }, 'tenant answered something else than 1 to 128 characters without control characters, and nobody was let in')
    throw new SyncError('no_tenant')
  }

  async #session (request: IncomingMessage): Promise<Session> {
    const token = tokenOf(request)
    if (token === null) throw refused(request, true)
    const answer = await this.#ask(token, request)
    if (answer === null || answer === undefined) throw refused(request, token !== '')
    try {
      return sessionOf(answer, this.#deps.clock.now())
    } catch (error) {
      this.#deps.logger.error({ err: harmless(error, token) }, 'authenticate answered no user, and nobody was let in')
      throw refused(request, token !== '')
    }
  }

  async #ask (token: string, request: IncomingMessage): Promise<unknown> {
    const { authenticate, limits: { authenticateMs }, clock, logger } = this.#deps
    try {
      const answer = authenticate(token, request)
      const found = isThenable(answer) ? await inTime(() => answer, authenticateMs, clock) : answer
      if (found !== late) return found
    } catch (error) {
      if (error instanceof RefusedToken) logger.debug({ reason: error.message }, 'a token was refused')
      else logger.warn({ err: harmless(error, token) }, 'authenticate failed, and nobody was let in')
      if (!(error instanceof SyncError) || error.code !== 'authentication_unavailable') throw refused(request, token !== '')
      throw new SyncError('authentication_unavailable')
    }
    // The token was not found wrong: a client told so would throw a good one away.
    logger.error({ authenticateMs }, 'authenticate did not answer in time, and nobody was let in')
    throw new SyncError('authentication_unavailable')
  }
}

/** @returns '' where none was sent, null for one that cannot be any */
function tokenOf ({ headers: { authorization = '' } }: IncomingMessage): string | null {
  const [, rest] = /^bearer(?: +(.*))?$/i.exec(authorization) ?? []
  if (rest === undefined || rest === '') return ''
  return rest.length <= TOKEN_BYTES && /^[\x21-\x7e]+$/.test(rest) ? rest : null
}

function isThenable (value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

/** Requests that `attach` has taken before the application's own listener could. */
const overtaken = new WeakSet<IncomingMessage>()

export function overtake (request: IncomingMessage): void {
  overtaken.add(request)
}

function refused (request: IncomingMessage, sent: boolean): SyncError {
  const detail = overtaken.has(request) ? 'Nobody is known by this request. attach() answers before the application\'s own middleware: to use a user that one sets, mount the server behind it with app.use(pocket.handler).' : undefined
  return new SyncError(sent ? 'invalid_token' : 'not_authenticated', detail === undefined ? {} : { detail })
}

/** Of an error what no token is in: applications put requests, and so headers, on their errors. */
function harmless (error: unknown, token: string): object {
  const parts = [token, ...token.split('.')].filter(part => part.length >= 8)
  const clean = (text: string): string => parts.reduce((rest, part) => rest.replaceAll(part, '[token]'), text)
  if (!(error instanceof Error)) return { type: typeof error }
  return { type: clean(error.name), message: clean(error.message), stack: clean(error.stack ?? '') }
}
