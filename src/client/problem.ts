import { retryAfterMs } from './backoff.ts'
import type { Checkpoint, Problem, ResyncReason } from './types.ts'

export interface ProblemFacts {
  readonly code: string
  readonly message: string
  readonly status?: number
  readonly retryable?: boolean
  readonly problem?: Problem
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** Why a request failed for good, or for longer than the client was willing to try. */
export class SyncProblem extends Error {
  /**
   * From the server's error catalogue (README); `network` when no whole answer came, `unexpected_answer` when it
   * was not the sync server's: a proxy's error page, say.
   */
  readonly code: string
  /** HTTP status; 0 when no answer came. */
  readonly status: number
  /** The same message under the same id may succeed later. */
  readonly retryable: boolean
  /** The server's own words, where it was the server that answered. */
  readonly problem: Problem | undefined
  /** Not before this time, where the answer names one. */
  readonly retryAfterMs: number | undefined
  /** Id of the message: send it again under this one. Undefined for a stream. */
  id: string | undefined

  constructor (facts: ProblemFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = 'SyncProblem'
    this.code = facts.code
    this.status = facts.status ?? 0
    this.retryable = facts.retryable ?? false
    this.problem = facts.problem
    this.retryAfterMs = facts.retryAfterMs
  }
}

/**
 * The server cannot bring this client up to date from its checkpoint. Mark all local documents of the collections,
 * pull from `checkpoint`, and when `hasMore` is false drop those that did not come; unsent changes stay.
 */
export class ResyncRequired extends SyncProblem {
  readonly reason: ResyncReason
  /** Where to start over. */
  readonly checkpoint: Checkpoint
  readonly epoch: string | undefined

  constructor (problem: Problem) {
    super({ code: problem.code, message: problem.detail, status: problem.status, problem })
    this.name = 'ResyncRequired'
    this.reason = problem.reason ?? 'epoch-changed'
    this.checkpoint = problem.checkpoint ?? { global: 0 }
    this.epoch = problem.epoch
  }
}

/** No whole answer: whether the message took effect is not known. */
export function unreachable (cause: unknown): SyncProblem {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new SyncProblem({ code: 'network', message: `The server gave no answer: ${detail}`, retryable: true, cause })
}

/** An answer that is none of this server's: of a proxy that failed or a network that wants a login first. */
export function unexpected (response: Response): SyncProblem {
  const { status } = response
  return new SyncProblem({
    code: 'unexpected_answer',
    message: `Something else than the sync server answered, with ${status} ${response.headers.get('content-type') ?? 'without a type'}.`,
    status,
    retryable: status < 400 || status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505),
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'))
  })
}

/** What an answer that is no success means. @param body parsed, or text that is no JSON */
export function problemOf (response: Response, body: unknown): SyncProblem {
  if (!isProblem(response, body)) return unexpected(response)
  if (body.code === 'resync_required') return new ResyncRequired(body)
  return new SyncProblem({
    code: body.code,
    message: body.detail,
    status: response.status,
    // A refused token may be replaced once, which is decided elsewhere; the same again would be refused again.
    retryable: body.retryable && response.status !== 401,
    problem: body,
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'))
  })
}

function isProblem (response: Response, body: unknown): body is Problem {
  return response.headers.get('content-type')?.startsWith('application/problem+json') === true &&
    typeof body === 'object' && body !== null && typeof (body as { code?: unknown }).code === 'string'
}
