/** How an entry lies in a row, and the checksum by which a flipped bit is noticed when it is read. */
import { crc32 } from 'node:zlib'
import type { EntryFacts, NewEntry, Operation, Push, Shown, StoredEntry } from '../changelog.ts'
import { SyncError } from '../../errors.ts'

const OPERATIONS: readonly Operation[] = ['insert', 'update', 'delete']

/** Columns of `log l` without the document, in the order of `FactsRow`. */
export const FACTS = 'l.sequence, l.collection, l.document_id, l.operation, l.timestamp, l.effective_time, l.server_timestamp, l.previous, l.exact, l.hash, l.user_id, l.client_id, l.address, l.rev, l.facts_checksum'
export const ENTRY = `${FACTS}, l.id, l.checksum, l.document`

export type FactsRow = [
  sequence: number, collection: number, documentId: string, operation: number, timestamp: number,
  effectiveTime: number, serverTimestamp: number, previous: number, exact: number, hash: Buffer,
  userId: string | null, clientId: string | null, address: string | null, rev: string | null, checksum: number
]
export type EntryRow = [...FactsRow, id: string | null, checksum: number, document: string | null]

/** What a page shows: reading the other columns and their checksum would more than double its cost. */
export const SHOWN = 'l.sequence, l.collection, l.document_id, l.operation, l.timestamp, l.checksum, l.document'
export type ShownRow = [
  sequence: number, collection: number, documentId: string, operation: number, timestamp: number,
  checksum: number, document: string | null
]

/** Numbers go into checksums as doubles, low byte first on every machine: turning them into text costs more than the rest. */
const numbers = new Uint8Array(80)
const view = new DataView(numbers.buffer)
const bodyNumbers = numbers.subarray(0, 24)
const HASH_PLACE = 48

/** Over the facts alone, so that a head is verified without its body; the collection by its name. */
export function factsChecksum (f: EntryFacts): number {
  const { sequence, timestamp, effectiveTime, serverTimestamp, previous, exact } = f
  view.setFloat64(0, sequence, true)
  view.setFloat64(8, timestamp, true)
  view.setFloat64(16, effectiveTime, true)
  view.setFloat64(24, serverTimestamp, true)
  view.setFloat64(32, previous, true)
  view.setFloat64(40, 2 * OPERATIONS.indexOf(f.operation) + Number(exact), true)
  numbers.set(f.hash, HASH_PLACE)
  return crc32(`${f.collection}\0${f.documentId}\0${f.userId}\0${f.clientId}\0${f.address}\0${f.rev}`, crc32(numbers))
}

/** Over what a reader is given, so that a page is verified without the other facts. */
function bodyChecksum (f: Omit<Shown, 'document'>, document: string | null): number {
  view.setFloat64(0, f.sequence, true)
  view.setFloat64(8, f.timestamp, true)
  view.setFloat64(16, OPERATIONS.indexOf(f.operation), true)
  return crc32(`${f.collection}\0${f.documentId}\0${document}`, crc32(bodyNumbers))
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

/** Columns of `log` as they are written, in the order of `LOG_COLUMNS`. */
export const LOG_COLUMNS = 'sequence, collection, document_id, operation, timestamp, effective_time, server_timestamp, previous, exact, hash, user_id, client_id, address, rev, facts_checksum, id, checksum, document'

/** Appends the entry's columns to `values`, the bindings of a statement of many rows. */
export function encodeEntry (values: unknown[], collection: number, facts: EntryFacts, body: { id: string | null, document: string | null }): void {
  values.push(
    facts.sequence, collection, facts.documentId, OPERATIONS.indexOf(facts.operation), facts.timestamp,
    facts.effectiveTime, facts.serverTimestamp, facts.previous, facts.exact ? 1 : 0, facts.hash,
    facts.userId, facts.clientId, facts.address, facts.rev, factsChecksum(facts),
    body.id, bodyChecksum(facts, body.document), body.document
  )
}

/** @throws SyncError storage_unavailable when the row is not what was written */
export function decodeFacts (row: FactsRow | EntryRow, collection: string): EntryFacts {
  const facts: EntryFacts = {
    sequence: row[0],
    collection,
    documentId: row[2],
    operation: OPERATIONS[row[3]]!,
    timestamp: row[4],
    effectiveTime: row[5],
    serverTimestamp: row[6],
    userId: row[10],
    clientId: row[11],
    address: row[12],
    rev: row[13],
    hash: row[9],
    previous: row[7],
    exact: row[8] === 1
  }
  if (factsChecksum(facts) !== row[14]) throw damaged(row[0])
  return facts
}

/** @throws SyncError storage_unavailable when the row is not what was written */
export function decodeEntry (row: EntryRow, collection: string, id: string): StoredEntry {
  const document = row[17]
  const entry: StoredEntry = {
    id: row[15] ?? id,
    sequence: row[0],
    collection,
    documentId: row[2],
    operation: OPERATIONS[row[3]]!,
    document,
    data: document,
    timestamp: row[4],
    effectiveTime: row[5],
    serverTimestamp: row[6],
    userId: row[10],
    clientId: row[11],
    address: row[12],
    rev: row[13],
    hash: row[9],
    previous: row[7],
    exact: row[8] === 1
  }
  if (factsChecksum(entry) !== row[14] || bodyChecksum(entry, document) !== row[16]) throw damaged(row[0])
  return entry
}

/** @throws SyncError storage_unavailable when the row is not what was written */
export function decodeShown (row: ShownRow, collection: string): Shown {
  const document = row[6]
  const shown: Shown = { sequence: row[0], collection, documentId: row[2], operation: OPERATIONS[row[3]]!, document, timestamp: row[4] }
  if (bodyChecksum(shown, document) !== row[5]) throw damaged(row[0])
  return shown
}

function damaged (sequence: number): SyncError {
  return new SyncError('storage_unavailable', {
    detail: `entry ${sequence} of the change log is damaged: look at the disk and restore a backup`
  })
}
