/**
 * The one catalogue of errors: what a code means, its HTTP status, and what the client does next.
 * A code is never renamed and never reused; nothing in the program reads a message.
 * The README's error table and the `Problem` schema are generated from here.
 */

/** What the receiver of an error does next. */
export type Retry =
  /** The request is wrong: mend it, sending it again changes nothing. */
  | 'never'
  /** Send the same message again, under the same id, after a pause. */
  | 'same'
  /** Get a fresh credential, then send the same message again, once. */
  | 'login'
  /** Start over from the checkpoint in the problem. */
  | 'resync'
  /** Send less in one message. */
  | 'split'

export interface Kind {
  /** HTTP status; 0 for what condemns a single change and is only found in `results`. */
  readonly status: number
  readonly retry: Retry
  /** One sentence: what is wrong. The detail of an error adds where. */
  readonly message: string
  /** One sentence: what to do next. */
  readonly next: string
}

const kinds = {
  // The whole message
  invalid_json: { status: 400, retry: 'never', message: 'The body is not acceptable JSON.', next: 'Send UTF-8 JSON without duplicate names, __proto__, lone surrogates or numbers a double cannot hold.' },
  invalid_message: { status: 400, retry: 'never', message: 'The message does not have the form this endpoint takes.', next: 'Compare it with openapi.yaml at the place the pointer names.' },
  invalid_cursor: { status: 400, retry: 'never', message: 'The cursor or checkpoint is not one this server hands out.', next: 'Send back a checkpoint exactly as you received it, or start from 0.' },
  duplicate_header: { status: 400, retry: 'never', message: 'A header that must be unique was sent more than once.', next: 'Send it once.' },
  token_in_query: { status: 400, retry: 'never', message: 'A token in a URL ends up in logs and is refused.', next: 'Send it as "Authorization: Bearer …".' },
  bad_request: { status: 400, retry: 'never', message: 'The request is not well-formed HTTP.', next: 'Check the request line, headers and body.' },
  not_authenticated: { status: 401, retry: 'login', message: 'This server wants to know who asks.', next: 'Send "Authorization: Bearer <token>".' },
  invalid_token: { status: 401, retry: 'login', message: 'The token is not valid.', next: 'Get a new one and send the message again, once.' },
  forbidden: { status: 403, retry: 'never', message: 'You may not do this.', next: 'Ask the operator for the right.' },
  no_tenant: { status: 403, retry: 'never', message: 'This credential names no tenant, and so no documents.', next: 'Ask the operator for one that does.' },
  not_loopback: { status: 403, retry: 'never', message: 'Without authentication this server answers its own machine only.', next: 'Configure authentication, or start it with "open" if everybody may read and write everything.' },
  not_found: { status: 404, retry: 'never', message: 'There is nothing at this path.', next: 'GET /sync/info lists what this server offers.' },
  method_not_allowed: { status: 405, retry: 'never', message: 'This path does not take this method.', next: 'Use one that the Allow header names.' },
  not_acceptable: { status: 406, retry: 'never', message: 'What this path answers is not what Accept asks for.', next: 'Accept the media type that openapi.yaml gives for it.' },
  request_timeout: { status: 408, retry: 'same', message: 'The request did not arrive in time.', next: 'Send it again with the same id.' },
  resync_required: { status: 410, retry: 'resync', message: 'From this checkpoint the server cannot bring you up to date.', next: 'Start over from the checkpoint in this answer and drop what does not come again.' },
  too_large: { status: 413, retry: 'split', message: 'The message is over a limit.', next: 'Send it in smaller parts.' },
  uri_too_long: { status: 414, retry: 'never', message: 'The URL is longer than 8 KiB.', next: 'Use POST /sync/pull.' },
  unsupported_media_type: { status: 415, retry: 'never', message: 'The body has a media type or coding this path does not take.', next: 'Send application/json in UTF-8, plain or with one of the codings that Accept-Encoding names.' },
  id_reused: { status: 422, retry: 'never', message: 'This message id was used before for other changes.', next: 'Give every new message a new id.' },
  protocol_unsupported: { status: 426, retry: 'never', message: 'This server does not speak that version of the protocol.', next: 'Use a version that GET /sync/info names.' },
  rate_limited: { status: 429, retry: 'same', message: 'Too many requests.', next: 'Wait for as long as Retry-After says.' },
  headers_too_large: { status: 431, retry: 'never', message: 'The headers are larger than 16 KiB.', next: 'Send fewer or shorter ones.' },
  internal_error: { status: 500, retry: 'same', message: 'The server failed; this is its fault.', next: 'Send the message again with the same id; report it if it stays.' },
  unsupported_transfer_coding: { status: 501, retry: 'never', message: 'The only transfer coding taken is chunked.', next: 'Send the body chunked or with Content-Length.' },
  busy: { status: 503, retry: 'same', message: 'Others keep changing the same documents; nothing of this push was written.', next: 'Send it again with the same id after Retry-After.' },
  overloaded: { status: 503, retry: 'same', message: 'The server is at a limit of its own; nothing was written.', next: 'Send the message again with the same id after Retry-After.' },
  storage_unavailable: { status: 503, retry: 'same', message: 'The change log cannot be written or read at the moment; whether this push was kept is not known.', next: 'Send the message again with the same id after Retry-After.' },
  authentication_unavailable: { status: 503, retry: 'same', message: 'Who asks cannot be checked at the moment; nothing was written.', next: 'Send the message again with the same id after Retry-After.' },
  access_unavailable: { status: 503, retry: 'same', message: 'What you may see cannot be found out at the moment; nothing was shown.', next: 'Send the message again with the same id after Retry-After.' },
  draining: { status: 503, retry: 'same', message: 'The server is shutting down.', next: 'Send the message again with the same id; another node or the restarted server answers.' },

  // One change; the others of its message go on
  invalid_change: { status: 0, retry: 'never', message: 'The change does not have the form a change must have.', next: 'Mend the member the pointer names.' },
  invalid_operation: { status: 0, retry: 'never', message: 'The operation is none of insert, update, delete.', next: 'Use one of them.' },
  invalid_document: { status: 0, retry: 'never', message: 'An insert or update needs a document that is a JSON object.', next: 'Send the whole document.' },
  document_id_mismatch: { status: 0, retry: 'never', message: 'document._id differs from documentId.', next: 'Make them equal or leave _id out.' },
  document_too_large: { status: 0, retry: 'never', message: 'The document is larger than this server takes.', next: 'Keep large data elsewhere and refer to it.' },
  too_deep: { status: 0, retry: 'never', message: 'The document is nested too deep.', next: 'Flatten it.' },
  forbidden_name: { status: 0, retry: 'never', message: 'A member is called __proto__, which would change objects that copy it.', next: 'Rename the member.' },
  duplicate_name: { status: 0, retry: 'never', message: 'An object has the same member twice.', next: 'Keep one of them.' },
  lone_surrogate: { status: 0, retry: 'never', message: 'A string holds half a surrogate pair, which UTF-8 cannot carry.', next: 'Send whole characters.' },
  number_out_of_range: { status: 0, retry: 'never', message: 'A number is no finite double, or an integer beyond 2^53 − 1 that would be altered.', next: 'Send it as a string.' },
  write_forbidden: { status: 0, retry: 'never', message: 'You may not write this document.', next: 'Ask for the right, or drop the change.' },
  validation_failed: { status: 0, retry: 'never', message: 'The document is not what its collection takes.', next: 'Mend what the pointer names.' },
  resolution_failed: { status: 0, retry: 'never', message: 'The application\'s own rule for conflicts failed or made no document.', next: 'Tell the operator; the change is kept in the journal.' },
  stale_base: { status: 0, retry: 'never', message: 'The document was deleted so long ago that the server no longer knows it.', next: 'Drop the local copy, or insert it anew.' }
} as const satisfies Record<string, Kind>

export type ErrorCode = keyof typeof kinds
/** code → status, retry, message, next; in the order in which the README lists them. */
export const catalogue: Readonly<Record<ErrorCode, Kind>> = kinds

/** Where in a message something is wrong. */
export interface ErrorItem {
  /** RFC 6901 JSON pointer into the message, "" for the whole. */
  readonly pointer: string
  readonly code: ErrorCode
  readonly detail: string
}

/** Members that some problems carry beside the common ones. */
export interface ErrorFacts {
  /** What exactly and where; the catalogue's message when absent. Never holds a token or document. */
  readonly detail?: string
  readonly errors?: readonly ErrorItem[]
  /** `resync_required`: why. */
  readonly reason?: string
  /** `resync_required`: the epoch of the checkpoint to start over from. */
  readonly epoch?: string
  /** `too_large`: which limit and how much it allows. */
  readonly limit?: { readonly name: string, readonly max: number }
  /** Further response headers (`Retry-After`, `Allow`, …). */
  readonly headers?: Readonly<Record<string, string>>
  /** `storage_unavailable`: because another process holds the change log. For operators, never on the wire. */
  readonly held?: boolean
  readonly cause?: unknown
}

/** The only error that reaches a client; every other one is answered as `internal_error`. */
export class SyncError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly facts: ErrorFacts

  constructor (code: ErrorCode, facts: ErrorFacts = {}) {
    super(facts.detail ?? catalogue[code].message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.name = 'SyncError'
    this.code = code
    this.status = catalogue[code].status
    this.facts = facts
  }

  /** Whether the same message may succeed when sent again unchanged. */
  get retryable (): boolean {
    return catalogue[this.code].retry === 'same'
  }
}
