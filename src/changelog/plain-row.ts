/** What an application's own log returns, under the usual other names and types, as an entry. */
import { SyncError } from '../errors.ts'
import type { ChangeEntry, Operation } from './changelog.ts'

export interface PlainRow {
  /** Its timestamp is 0 where the log keeps none. */
  readonly entry: ChangeEntry
  readonly timed: boolean
}

/**
 * Takes `document_id` (and `documentid`, which PostgreSQL makes of an unquoted name) for `documentId`; `document`
 * or `data`, as text or parsed; numbers as text or bigint; a time as ms, text or Date, or none at all.
 * @throws SyncError storage_unavailable when it is no entry
 */
export function rowOf (value: unknown): PlainRow {
  if (typeof value !== 'object' || value === null) throw broken('returned an entry that is no object')
  const row = value as Readonly<Record<string, unknown>>
  const sequence = sequenceOf(row['sequence'])
  if (sequence === 0) throw broken('returned an entry without a sequence')
  const operation = operationOf(row['operation'], sequence)
  const document = operation === 'delete' ? null : textOf(row['document'] ?? row['data'], sequence)
  const time = timeOf(row['timestamp'])
  const entry = {
    id: row['id'] === undefined || row['id'] === null ? '' : String(row['id']),
    sequence,
    collection: nameOf(row['collection'], 'collection', sequence),
    documentId: nameOf(row['documentId'] ?? row['document_id'] ?? row['documentid'], 'documentId or document_id', sequence),
    operation,
    document,
    data: document,
    timestamp: time ?? 0
  }
  return { entry, timed: time !== null }
}

/** A sequence as a number; 0 of null, which SQL's max() says of an empty table. */
export function sequenceOf (value: unknown): number {
  const sequence = value === null || value === undefined ? 0 : typeof value === 'string' || typeof value === 'bigint' ? Number(value) : value
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 0) throw broken(`returned ${String(value)} for a sequence`)
  return sequence as number
}

/** @param what the log did */
export function broken (what: string, cause?: unknown): SyncError {
  return new SyncError('storage_unavailable', { detail: `The application's change log ${what}.`, cause })
}

function operationOf (value: unknown, sequence: number): Operation {
  if (value === 'insert' || value === 'update' || value === 'delete') return value
  throw broken(`returned entry ${sequence} without an operation`)
}

function nameOf (value: unknown, name: string, sequence: number): string {
  if (typeof value !== 'string') throw broken(`returned entry ${sequence} without a ${name}`)
  return value
}

function textOf (value: unknown, sequence: number): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null) return JSON.stringify(value)
  throw broken(`returned entry ${sequence} without a document or data`)
}

function timeOf (value: unknown): number | null {
  if (value === null || value === undefined) return null
  const digits = typeof value === 'string' && /^\d+$/.test(value)
  const time = Math.round(typeof value === 'string' && !digits ? Date.parse(value) : Number(value))
  return Number.isSafeInteger(time) && time >= 0 ? time : null
}
