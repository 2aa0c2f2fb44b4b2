/** From a change as the client sent it to one that can be decided, or to the reason why it cannot. */
import type { Operation } from '../changelog/changelog.ts'
import { contentHash, identityOf } from '../changelog/entry.ts'
import { catalogue, type ErrorCode, type ErrorItem } from '../errors.ts'
import type { PushDeps, PushMessage } from './message.ts'

/** A change of the right form. */
export interface Incoming {
  /** Its place in the message. */
  readonly index: number
  readonly documentId: string
  readonly operation: Operation
  /** The document's JSON text as it will be stored; null of a delete. */
  readonly text: string | null
  readonly timestamp: number
  /** The sequence of the version that was edited, where the client says it. */
  readonly base: number | undefined
  /** The `_rev` of the version that was edited, where the client keeps revisions. */
  readonly baseRev: string | null
  readonly rev: string | null
  readonly hash: Uint8Array
  readonly identity: Uint8Array
}

export interface Refused {
  readonly index: number
  readonly documentId: string
  readonly error: ErrorItem
  /** The change as it came, for the journal. */
  readonly raw: string
}

export type Prepared = { readonly change: Incoming } | { readonly refused: Refused }

const DOCUMENT_ID_BYTES = 512

/** All changes of a message, in the order in which they take effect. */
export function prepare (message: PushMessage, deps: PushDeps): Prepared[] {
  return inClientOrder(message.changes).map(index => prepareOne(message, index, deps))
}

/** `sequence` in a push is the client's own counter: it orders the changes of the message. */
function inClientOrder (changes: PushMessage['changes']): number[] {
  const order = changes.map((_, index) => index)
  if (!changes.every(change => typeof change['sequence'] === 'number')) return order
  return order.sort((a, b) => (changes[a]!['sequence'] as number) - (changes[b]!['sequence'] as number))
}

function prepareOne (message: PushMessage, index: number, { checkChange, limits }: PushDeps): Prepared {
  const change = message.changes[index]!
  const condemned = message.condemned.get(index)
  if (condemned !== undefined) return { refused: { index, documentId: idOf(change), ...condemned } }
  const malformed = checkChange(change, index)
  if (malformed !== null) return refuse(change, index, malformed)
  const document = (change['operation'] === 'delete' ? null : change['document']) as Record<string, unknown> | null
  const text = document === null ? null : JSON.stringify(document)
  const error = problemOf(change, document, text, limits.documentBytes)
  if (error !== null) return refuse(change, index, { ...error, pointer: `/changes/${index}${error.pointer}` })
  return { change: incoming(change, index, text, document) }
}

function refuse (change: Readonly<Record<string, unknown>>, index: number, error: ErrorItem): Prepared {
  return { refused: { index, documentId: idOf(change), error, raw: JSON.stringify(change) } }
}

function idOf (change: Readonly<Record<string, unknown>>): string {
  const id = change['documentId']
  return typeof id === 'string' ? id : ''
}

/** What a schema cannot say: sizes in bytes, and members that must agree. */
function problemOf (change: Readonly<Record<string, unknown>>, document: Record<string, unknown> | null, text: string | null, maxBytes: number): ErrorItem | null {
  if (Buffer.byteLength(idOf(change)) > DOCUMENT_ID_BYTES) {
    return item('invalid_change', '/documentId', `documentId is longer than ${DOCUMENT_ID_BYTES} bytes of UTF-8.`)
  }
  if (document === null || text === null) return null
  if (document['_id'] !== undefined && document['_id'] !== idOf(change)) return item('document_id_mismatch', '/document/_id')
  // A character takes at most three bytes, so most documents need no counting.
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
    return item('document_too_large', '/document', `The document takes ${Buffer.byteLength(text)} bytes; ${maxBytes} are allowed.`)
  }
  return null
}

function item (code: ErrorCode, pointer: string, detail: string = catalogue[code].message): ErrorItem {
  return { code, pointer, detail }
}

function incoming (change: Readonly<Record<string, unknown>>, index: number, text: string | null, document: Record<string, unknown> | null): Incoming {
  const timestamp = change['timestamp'] as number
  const rev = stringMember(document, '_rev')
  const hash = contentHash(document)
  return {
    index,
    documentId: idOf(change),
    operation: change['operation'] as Operation,
    text,
    timestamp,
    base: change['base'] as number | undefined,
    baseRev: stringMember(change['previousDocument'], '_rev'),
    rev,
    hash,
    identity: identityOf(hash, timestamp, rev)
  }
}

function stringMember (value: unknown, name: string): string | null {
  if (typeof value !== 'object' || value === null) return null
  const member: unknown = (value as Record<string, unknown>)[name]
  return typeof member === 'string' ? member : null
}
