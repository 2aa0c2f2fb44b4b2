/**
 * What is hashed for the audit chain. Each is the JSON of an array of strings, numbers and nulls that begins with what
 * it is: no two entries and no two kinds have the same text, and any language can compute it.
 */
import { hash as digest } from 'node:crypto'
import type { Leaf } from './merkle.ts'
import type { EntryRow } from './rows.ts'

/** The facts of a block, by which it is chained. */
export interface BlockFacts {
  readonly number: number
  readonly first: number
  readonly last: number
  readonly root: Buffer
  /** Hash of the block before; zeros for the first. */
  readonly previous: Buffer
  /** ms since 1970. */
  readonly sealed: number
}

/** Apart from the other facts, so that it can be forgotten and they still be proven. */
export function whoHash (row: EntryRow, salt: Buffer): Buffer {
  return sha256(['who', salt.toString('hex'), row[10], row[11], row[12]])
}

/** Of a row as it lies in the file, which may have been tampered with. The document counts by its very text. */
export function leafHash (row: EntryRow, collection: string, { salt, who }: Leaf): Buffer {
  const [sequence, , documentId, operation, timestamp, effectiveTime, serverTimestamp, previous, exact, content] = row
  const document = row[17]
  return sha256([
    'entry', salt.toString('hex'), sequence, row[15], collection, documentId, operation, timestamp, effectiveTime, serverTimestamp,
    previous, exact, content.toString('hex'), row[13], document === null ? null : digest('sha256', document), (who ?? whoHash(row, salt)).toString('hex')
  ])
}

export function blockHash ({ number, first, last, root, previous, sealed }: BlockFacts): Buffer {
  return sha256(['block', number, first, last, root.toString('hex'), previous.toString('hex'), sealed])
}

function sha256 (parts: ReadonlyArray<string | number | null>): Buffer {
  return digest('sha256', JSON.stringify(parts), 'buffer')
}
