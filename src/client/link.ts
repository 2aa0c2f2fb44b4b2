/** One server as seen from here: requests with credentials, sent again under the same id until they are answered. */
import createOpenApiClient from 'openapi-fetch'
import { Deadline, fullJitter, sleep } from './backoff.ts'
import type { paths } from './generated.ts'
import { problemOf, SyncProblem, unexpected, unreachable } from './problem.ts'
import type { ClientOptions, PullResponse, PushResponse, Timing } from './types.ts'

const defaultTiming: Timing = {
  requestMs: 60_000,
  backoffMs: 1000,
  backoffMaxMs: 30_000,
  helloMs: 5000,
  waitMs: 25_000,
  streamAgainMs: 300_000
}

const RETRIES = 8

export interface Call {
  /** Of the message. */
  readonly id: string
  readonly signal?: AbortSignal | undefined
  /** How long the server may take on purpose, ms. */
  readonly waitMs?: number | undefined
  /** Default: the client's. */
  readonly retries?: number
}

interface Init {
  readonly headers: Record<string, string>
  readonly signal: AbortSignal
}

type Answered<T> = { readonly data?: T, readonly error?: unknown, readonly response: Response }
type Query<Path extends '/sync/stream' | '/sync/snapshot'> = NonNullable<paths[Path]['get']['parameters']['query']>
type Send<T> = (init: Init) => Promise<Answered<T>>

export class Link {
  readonly timing: Timing
  /** How often what failed is tried again. */
  readonly retries: number
  readonly #api: ReturnType<typeof createOpenApiClient<paths>>
  readonly #token: ClientOptions['token']

  /** @throws TypeError when `baseUrl` is none */
  constructor ({ baseUrl, fetch, token, retries = RETRIES, timing }: ClientOptions) {
    this.#api = createOpenApiClient<paths>({ baseUrl, fetch: fetch ?? (request => globalThis.fetch(request)) })
    this.#token = token
    this.retries = retries
    this.timing = { ...defaultTiming, ...timing }
    // A URL that cannot be fetched would look like a network that is down for ever.
    Reflect.construct(Request, [`${baseUrl}/sync/pull`])
  }

  /** @param text the message as JSON, the same for every attempt whatever the app does with its objects meanwhile */
  push (text: string, call: Call): Promise<PushResponse> {
    return this.#call(call, 'push-response', init => this.#api.POST('/sync/push', { ...ready(text), ...init }))
  }

  pull (text: string, call: Call): Promise<PullResponse> {
    return this.#call(call, 'pull-response', init => this.#api.POST('/sync/pull', { ...ready(text), ...init }))
  }

  /** The body of an answered stream. One attempt. @throws SyncProblem */
  stream (query: Query<'/sync/stream'>, signal: AbortSignal, token: string | undefined): Promise<ReadableStream<Uint8Array>> {
    return bodyOf('text/event-stream', this.#api.GET('/sync/stream', { params: { query }, parseAs: 'stream', headers: authorization(token), signal, cache: 'no-store' }))
  }

  /** The body of a snapshot. One attempt. @throws SyncProblem */
  snapshot (query: Query<'/sync/snapshot'>, signal: AbortSignal, token: string | undefined): Promise<ReadableStream<Uint8Array>> {
    return bodyOf('application/x-ndjson', this.#api.GET('/sync/snapshot', { params: { query }, parseAs: 'stream', headers: authorization(token), signal }))
  }

  /** @throws SyncProblem when the app has none at the moment */
  async token (refused?: string): Promise<string | undefined> {
    try {
      return await this.#token?.(refused)
    } catch (error) {
      throw unreachable(error)
    }
  }

  get hasToken (): boolean {
    return this.#token !== undefined
  }

  async #call<T extends { type: string }> (call: Call, type: T['type'], send: Send<T>): Promise<T> {
    const { id, signal, retries = this.retries } = call
    const { backoffMs, backoffMaxMs } = this.timing
    const credential = new Credential(this)
    for (let failures = 0; ;) {
      signal?.throwIfAborted()
      try {
        return await this.#attempt(call, credential, type, send)
      } catch (error) {
        signal?.throwIfAborted()
        const problem = asProblem(error)
        if (credential.replaceable(problem)) continue
        problem.id = id
        if (!problem.retryable || failures >= retries) throw problem
        await sleep(Math.max(problem.retryAfterMs ?? 0, fullJitter(failures++, backoffMs, backoffMaxMs)), signal)
      }
    }
  }

  async #attempt<T extends { type: string }> (call: Call, credential: Credential, type: T['type'], send: Send<T>): Promise<T> {
    const deadline = new Deadline(call.signal)
    deadline.extend(this.timing.requestMs + (call.waitMs ?? 0))
    try {
      const { data, error, response } = await send({ headers: authorization(await credential.token()), signal: deadline.signal })
      if (!response.ok) throw problemOf(response, error)
      if (data?.type !== type) throw unexpected(response)
      return data
    } finally {
      deadline.end()
    }
  }
}

/** The token of a run of attempts; a refused one is replaced once. */
export class Credential {
  readonly #link: Link
  #sent: string | undefined
  #refused: string | undefined
  #replaced = false

  constructor (link: Link) {
    this.#link = link
  }

  async token (): Promise<string | undefined> {
    this.#sent = await this.#link.token(this.#refused)
    return this.#sent
  }

  /** Whether the same again may succeed at once, with a fresh token. */
  replaceable ({ status }: SyncProblem): boolean {
    if (status !== 401 || this.#replaced || !this.#link.hasToken) return false
    this.#replaced = true
    this.expired()
    return true
  }

  /** The server says that it takes the token no longer. */
  expired (): void {
    this.#refused = this.#sent
  }

  /** The server has taken it. */
  accepted (): void {
    this.#refused = undefined
    this.#replaced = false
  }
}

export function asProblem (error: unknown): SyncProblem {
  return error instanceof SyncProblem ? error : unreachable(error)
}

async function bodyOf (type: string, asked: Promise<Answered<unknown>>): Promise<ReadableStream<Uint8Array>> {
  try {
    const { data, error, response } = await asked
    if (!response.ok) throw problemOf(response, error)
    if (data === null || data === undefined || response.headers.get('content-type')?.split(';', 1)[0] !== type) throw unexpected(response)
    return data as ReadableStream<Uint8Array>
  } catch (error) {
    throw asProblem(error)
  }
}

function ready (text: string): { body: never, bodySerializer: () => string } {
  return { body: {} as never, bodySerializer: () => text }
}

function authorization (token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

/** 128 bits. `crypto.randomUUID` is missing on pages that came over plain HTTP. */
export function randomId (): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)))
}

const TIME_BYTES = 6

/**
 * A UUID of version 7 (RFC 9562): its first 48 bits are the time, ms, so that ids of all clients grow together. The
 * server keeps its records of pushes by their ids, and those of one moment lie in one place then instead of in a page
 * each: `npm run bench -- --only push` has the difference.
 */
export function timeOrderedId (): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const now = Date.now()
  for (let i = 0; i < TIME_BYTES; i++) bytes[i] = now / 2 ** (8 * (TIME_BYTES - 1 - i))
  bytes[6] = 0x70 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

function hex (bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}
