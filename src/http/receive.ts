/** From a request to a message: media type, length, coding, JSON gate. */
import type { IncomingMessage } from 'node:http'
import { SyncError } from '../errors.ts'
import { checkLength, readBody } from './body.ts'
import type { ReadBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import { parseMessage } from './json-gate.ts'
import type { Message } from './json-gate.ts'
import type { NodeServices } from './services.ts'

export interface Received extends Message {
  /** Gives back the bytes in flight: call it when the message has been answered. */
  readonly release: () => void
}

const json = /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?;?$/i

/** Requests whose sender waits for "100 Continue" before it sends the body. */
const waiting = new WeakSet<IncomingMessage>()

/** For Node's `checkContinue`: the sender is told to go on only where the body is wanted. */
export function awaitContinue (request: IncomingMessage): void {
  waiting.add(request)
}

/** What a body may have that is read although its sender has to wait for changes: a pull has no more. */
const SMALL_BODY = 16 * 1024

/** @throws SyncError unsupported_media_type, too_large, rate_limited, overloaded, bad_request, invalid_json */
export async function receive (services: NodeServices, exchange: Exchange): Promise<Received> {
  const { config: { limits }, inFlight, rateLimits } = services
  const { request, response, account } = exchange
  let read = parsedBody(request)
  if (read === null) {
    const solvent = admit(services, exchange)
    if (solvent !== null) await solvent
    if (request.headers.expect !== undefined && waiting.delete(request)) response.writeContinue()
    read = await readBody(request, request.headers['content-encoding'], limits, inFlight.of(account))
    exchange.taken = true
  }
  const { body, release } = read
  rateLimits?.spendBody(exchange, body.length)
  try {
    const parsed = parseMessage(body, { depth: limits.depth, documentBytes: limits.documentBytes, changes: limits.changesPerPush })
    const { value, condemned } = parsed instanceof Promise ? await parsed : parsed
    return { value, condemned, release }
  } catch (error) {
    release()
    throw error
  }
}

/** What the head of a request says of its body. @returns null where that is known at once to be wanted */
function admit ({ config: { limits }, rateLimits }: NodeServices, exchange: Exchange): Promise<void> | null {
  const { 'content-type': type, 'content-length': length } = exchange.request.headers
  if (type !== 'application/json' && (type === undefined || !json.test(type))) throw new SyncError('unsupported_media_type', { detail: 'The Content-Type is not application/json in UTF-8.' })
  checkLength(length, limits)
  return rateLimits === null || Number(length) <= SMALL_BODY ? null : rateLimits.assertSolvent(exchange)
}

/**
 * A body that a middleware of the application, `express.json()` for one, has read before us. It goes through the
 * gate again as text, but what that middleware altered (numbers beyond 2^53, duplicate names) stays altered.
 */
function parsedBody (request: IncomingMessage): ReadBody | null {
  const { body } = request as { body?: unknown }
  if (body === undefined || !request.readableEnded) return null
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return { body: bytes, release () {} }
}

/** The id of a message that may have no other right member, for the problem that says so. */
export function idOf (value: unknown): string | undefined {
  const id = (value as { id?: unknown } | null)?.id
  return typeof id === 'string' && id.length <= 128 ? id : undefined
}
