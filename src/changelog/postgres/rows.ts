/** How an entry lies in a row, and the checksum by which a flipped bit is noticed when it is read. */
import { crc32 } from 'node:zlib'
import type { EntryFacts, NewEntry, Operation, Push, Shown, StoredEntry } from '../changelog.ts'
import { SyncError } from '../../errors.ts'
import { blobs, flags, integers, numbers, texts } from './arrays.ts'
import type { Tuple } from './statement.ts'
import { fromText, toText } from './text.ts'

const OPERATIONS: readonly Operation[] = ['insert', 'update', 'delete']
export const DELETE = 2

/** Columns of `entries e` without the document, in the order that `decodeFacts` takes them. */
export const FACTS = 'e.sequence, e.collection, e.document_id, e.operation, e.timestamp, e.effective_time, e.server_timestamp, e.previous, e.exact, e.hash, e.user_id, e.client_id, e.address, e.rev, e.facts_checksum'
export const FACTS_WIDTH = 15
/** Its id is told by the epoch it lies in, unless it was given one. */
export const ENTRY = `${FACTS}, e.checksum, e.document, coalesce(e.id, coalesce(
  (SELECT p.id FROM pocket.epochs p WHERE p.log = e.log AND p.first <= e.sequence ORDER BY p.first DESC, p.number DESC LIMIT 1),
  (SELECT p.id FROM pocket.epochs p WHERE p.log = e.log ORDER BY p.number LIMIT 1)) || '-' || e.sequence)`
/** What a page shows. */
export const SHOWN = 'e.sequence, e.collection, e.document_id, e.operation, e.timestamp, e.checksum, e.document'

/** Numbers go into checksums as doubles, low byte first on every machine. */
const scratch = new Uint8Array(80)
const view = new DataView(scratch.buffer)
const bodyNumbers = scratch.subarray(0, 24)
const HASH_PLACE = 48

/** Over the facts alone, so that a head is verified without its body. */
function factsChecksum (f: EntryFacts): number {
  view.setFloat64(0, f.sequence, true)
  view.setFloat64(8, f.timestamp, true)
  view.setFloat64(16, f.effectiveTime, true)
  view.setFloat64(24, f.serverTimestamp, true)
  view.setFloat64(32, f.previous, true)
  view.setFloat64(40, 2 * OPERATIONS.indexOf(f.operation) + Number(f.exact), true)
  scratch.fill(0, HASH_PLACE)
  scratch.set(f.hash.subarray(0, 32), HASH_PLACE)
  return crc32(`${f.collection}\0${f.documentId}\0${f.userId}\0${f.clientId}\0${f.address}\0${f.rev}`, crc32(scratch)) | 0
}

/** Over what a reader is given, so that a page is verified without the other facts. */
function bodyChecksum (f: Omit<Shown, 'document'>, document: string | null): number {
  view.setFloat64(0, f.sequence, true)
  view.setFloat64(8, f.timestamp, true)
  view.setFloat64(16, OPERATIONS.indexOf(f.operation), true)
  return crc32(`${f.collection}\0${f.documentId}\0${document}`, crc32(bodyNumbers)) | 0
}

/** An entry's facts once it has its place. */
export function factsOf (push: Push, entry: NewEntry, place: { sequence: number, previous: number }): EntryFacts {
  return {
    sequence: place.sequence,
    collection: entry.collection,
    documentId: entry.documentId,
    operation: entry.operation,
    timestamp: entry.timestamp,
    effectiveTime: entry.effectiveTime,
    serverTimestamp: push.serverTimestamp,
    userId: push.userId,
    clientId: push.clientId,
    address: push.address,
    rev: entry.rev,
    hash: entry.hash,
    previous: place.previous,
    exact: entry.exact
  }
}

/** An entry as it is about to be written. */
export interface Written {
  readonly facts: EntryFacts
  readonly document: string | null
  /** The id that the caller of `append` gave it. */
  readonly id: string | null
}

/** In the order of `entryColumns`. */
export const ENTRY_COLUMNS = 'sequence, collection, document_id, operation, "timestamp", effective_time, server_timestamp, previous, exact, hash, user_id, client_id, address, rev, facts_checksum, id, checksum, document'
export const ENTRY_TYPES = ['int8', 'text', 'text', 'int4', 'int8', 'int8', 'int8', 'int8', 'bool', 'bytea', 'text', 'text', 'text', 'text', 'int4', 'text', 'int4', 'text'] as const

/** One array per column. */
export function entryColumns (entries: readonly Written[]): Buffer[] {
  const column = <T> (of: (facts: EntryFacts, written: Written) => T): T[] => entries.map(written => of(written.facts, written))
  return [
    numbers(column(f => f.sequence)),
    texts(column(f => toText(f.collection))),
    texts(column(f => toText(f.documentId))),
    integers(column(f => OPERATIONS.indexOf(f.operation))),
    numbers(column(f => f.timestamp)),
    numbers(column(f => f.effectiveTime)),
    numbers(column(f => f.serverTimestamp)),
    numbers(column(f => f.previous)),
    flags(column(f => f.exact)),
    blobs(column(f => f.hash)),
    texts(column(f => toText(f.userId))),
    texts(column(f => toText(f.clientId))),
    texts(column(f => toText(f.address))),
    texts(column(f => toText(f.rev))),
    integers(column(factsChecksum)),
    texts(column((_, { id }) => toText(id))),
    integers(column((f, { document }) => bodyChecksum(f, document))),
    texts(column((_, { document }) => document))
  ]
}

/** @throws SyncError storage_unavailable when the row is not what was written */
export function decodeFacts (row: Tuple): EntryFacts {
  const facts: EntryFacts = {
    sequence: row[0],
    collection: fromText(row[1] as string),
    documentId: fromText(row[2] as string),
    operation: OPERATIONS[row[3]]!,
    timestamp: row[4],
    effectiveTime: row[5],
    serverTimestamp: row[6],
    userId: fromText(row[10] as string | null),
    clientId: fromText(row[11] as string | null),
    address: fromText(row[12] as string | null),
    rev: fromText(row[13] as string | null),
    hash: row[9],
    previous: row[7],
    exact: row[8]
  }
  if (factsChecksum(facts) !== row[14]) throw damaged(row[0])
  return facts
}

/** @throws SyncError storage_unavailable when the row is not what was written */
export function decodeEntry (row: Tuple): StoredEntry {
  const facts = decodeFacts(row)
  const document = row[FACTS_WIDTH + 1] as string | null
  if (bodyChecksum(facts, document) !== row[FACTS_WIDTH]) throw damaged(row[0])
  return { id: fromText(row[FACTS_WIDTH + 2] as string), ...facts, document, data: document }
}

/** @throws SyncError storage_unavailable when the row is not what was written */
export function decodeShown (row: Tuple, from: number): Shown {
  const document = row[from + 6] as string | null
  const shown: Shown = { sequence: row[from], collection: fromText(row[from + 1] as string), documentId: fromText(row[from + 2] as string), operation: OPERATIONS[row[from + 3]]!, document, timestamp: row[from + 4] }
  if (bodyChecksum(shown, document) !== row[from + 5]) throw damaged(row[from])
  return shown
}

function damaged (sequence: number): SyncError {
  return new SyncError('storage_unavailable', {
    detail: `entry ${sequence} of the change log is damaged: look at the disk and restore a backup`
  })
}
