/** The one body of every error: RFC 9457 problem details (WIRE, "Errors"). */
import { randomInt } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import { PROTOCOL_VERSION } from '../../schema/version.ts'
import { SyncError, catalogue } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { acceptedCodings } from './body.ts'
import { pairs, SAFE } from './head.ts'

export interface Problem {
  readonly status: number
  /** By lower-case name, with the body's length. */
  readonly headers: Map<string, string>
  readonly body: string
}

/** Seconds after which clients come again, spread so that not all come at once. */
const pauses: Partial<Record<ErrorCode, readonly [number, number]>> = {
  busy: [1, 4],
  authentication_unavailable: [1, 6],
  overloaded: [1, 6],
  storage_unavailable: [2, 10],
  access_unavailable: [2, 10],
  draining: [3, 10]
}

/** What the receiver needs to know beside the body. */
const hints: Partial<Record<ErrorCode, Readonly<Record<string, string>>>> = {
  not_authenticated: { 'www-authenticate': 'Bearer realm="sync"' },
  invalid_token: { 'www-authenticate': 'Bearer realm="sync", error="invalid_token"' },
  unsupported_media_type: { 'accept-post': 'application/json', 'accept-encoding': acceptedCodings },
  protocol_unsupported: { 'sync-protocol': String(PROTOCOL_VERSION) }
}

/** @param id of the message that is answered, where it could be read */
export function problemOf (error: SyncError, id?: string): Problem {
  const body = JSON.stringify(members(error, id))
  const headers = new Map([
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
    ...pairs(SAFE),
    ['content-length', String(Buffer.byteLength(body))]
  ])
  for (const [name, value] of Object.entries({ ...hints[error.code], ...error.facts.headers })) headers.set(name.toLowerCase(), value)
  const pause = pauses[error.code]
  if (pause !== undefined) headers.set('retry-after', String(randomInt(pause[0], pause[1] + 1)))
  return { status: error.status, headers, body }
}

function members (error: SyncError, id: string | undefined): object {
  const { code, status, facts: { reason, epoch, limit, errors } } = error
  return {
    type: `urn:sync:problem:${code}`,
    title: STATUS_CODES[status],
    status,
    detail: `${sentence(error.message)} ${catalogue[code].next}`,
    code,
    retryable: error.retryable,
    id,
    reason,
    checkpoint: code === 'resync_required' ? { global: 0 } : undefined,
    epoch,
    limit,
    errors
  }
}

function sentence (text: string): string {
  const first = text.charAt(0)
  return `${first.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

/** What a client is told of an error: of one that is not ours nothing, since its message may hold data. */
export function syncErrorOf (error: unknown): SyncError {
  if (error instanceof SyncError) return error
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  const code = (error as { code?: unknown } | null)?.code
  if (typeof code === 'string' && code.startsWith('FST_ERR_')) {
    if (status === 415) return new SyncError('unsupported_media_type', { cause: error })
    if (status === 404) return new SyncError('not_found', { cause: error })
    if (status === 414) return new SyncError('uri_too_long', { cause: error })
    if (status === 400) return new SyncError('bad_request', { cause: error })
  }
  return new SyncError('internal_error', { cause: error })
}
