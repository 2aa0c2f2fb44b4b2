/**
 * How an entry lies in its value. What scripts look at has a place of its own; numbers are doubles, low byte first.
 *
 *     0 previous, with a minus where the identity is that of an earlier entry  8 checksum  12 where the text begins
 *    16 server's time  24 timestamp  32 effective time  40 operation, exact, has a text  41 length of the identity
 *    42 the identity, length of the document's name and that name, length of the hash and the hash (none where the
 *       identity begins with it), the other facts as JSON, the document
 */
import { crc32 } from 'node:zlib'
import type { DocumentKey, EntryFacts, NewEntry, Operation, Push, Shown, StoredEntry } from '../changelog.ts'
import { SyncError } from '../../errors.ts'

const OPERATIONS: readonly Operation[] = ['insert', 'update', 'delete']
const EXACT = 4
const HAS_TEXT = 8

/** Where the sign of `previous` lies. */
const MINUS = 7
const CHECKSUM = 8
const TEXT_FROM = 12
const TIMES = 16
const FLAGS = 40
const IDENTITY = 41
const HASH_BYTES = 32

/** Collection and document as one name: the length of the first tells where the second begins. */
export function nameOf ({ collection, documentId }: DocumentKey): string {
  return `${Buffer.byteLength(collection)}:${collection}${documentId}`
}

export function keyOf (name: Buffer): DocumentKey {
  const colon = name.indexOf(0x3a)
  const end = colon + 1 + Number(name.toString('latin1', 0, colon))
  return { collection: name.toString('utf8', colon + 1, end), documentId: name.toString('utf8', end) }
}

/** An identity counts for its own document only. */
export function identityKey (name: string, identity: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(identity.length), identity, Buffer.from(name)])
}

/** Without `previous`, which the commit puts before it. @param id of the caller's own, or null */
export function encode (push: Pick<Push, 'serverTimestamp' | 'userId' | 'clientId' | 'address'>, entry: Encodable, { name, id }: { readonly name: string, readonly id: string | null }): Buffer {
  const { rev, hash, identity, document } = entry
  const facts = JSON.stringify([push.userId, push.clientId, push.address, rev, id])
  const nameBytes = Buffer.byteLength(name)
  const nameAt = IDENTITY + 1 + identity.length
  const hashAt = nameAt + 4 + nameBytes
  const kept = hash.length === HASH_BYTES && Buffer.compare(identity.subarray(0, HASH_BYTES), hash) === 0 ? NONE : hash
  const factsAt = hashAt + 1 + kept.length
  const textFrom = factsAt + Buffer.byteLength(facts)
  const value = Buffer.allocUnsafe(textFrom + (document === null ? 0 : Buffer.byteLength(document)))
  value.writeUInt32LE(textFrom, TEXT_FROM)
  value.writeDoubleLE(push.serverTimestamp, TIMES)
  value.writeDoubleLE(entry.timestamp, TIMES + 8)
  value.writeDoubleLE(entry.effectiveTime, TIMES + 16)
  value[FLAGS] = OPERATIONS.indexOf(entry.operation) + (entry.exact ? EXACT : 0) + (document === null ? 0 : HAS_TEXT)
  value[IDENTITY] = identity.length
  value.set(identity, IDENTITY + 1)
  value.writeUInt32LE(nameBytes, nameAt)
  value.write(name, nameAt + 4)
  value[hashAt] = kept.length
  value.set(kept, hashAt + 1)
  value.write(facts, factsAt)
  if (document !== null) value.write(document, textFrom)
  value.writeUInt32LE(crc32(value.subarray(TEXT_FROM)), CHECKSUM)
  return value.subarray(CHECKSUM)
}

type Encodable = Pick<NewEntry, 'operation' | 'document' | 'timestamp' | 'effectiveTime' | 'rev' | 'hash' | 'identity' | 'exact'>

const NONE = new Uint8Array()

interface Places {
  readonly name: Buffer
  readonly identity: Buffer
  readonly hash: Buffer
  readonly facts: number
}

function placesOf (value: Buffer): Places {
  const nameAt = IDENTITY + 1 + value[IDENTITY]!
  const nameEnd = nameAt + 4 + value.readUInt32LE(nameAt)
  const facts = nameEnd + 1 + value[nameEnd]!
  const identity = value.subarray(IDENTITY + 1, nameAt)
  const hash = facts === nameEnd + 1 ? identity.subarray(0, HASH_BYTES) : value.subarray(nameEnd + 1, facts)
  return { name: value.subarray(nameAt + 4, nameEnd), identity, hash, facts }
}

/** By what a change would be known again as this entry; null where that is an earlier one. */
export function ownIdentity (value: Buffer): Buffer | null {
  return (value[MINUS]! & 0x80) === 0 ? placesOf(value).identity : null
}

/** @param value whole, or without its text, which then goes unchecked */
export function decodeFacts (sequence: number, value: Buffer): EntryFacts {
  const { name, hash, facts } = placesOf(value)
  const [userId, clientId, address, rev] = otherFacts(value, facts)
  const flags = value[FLAGS]!
  return {
    sequence,
    ...keyOf(name),
    operation: OPERATIONS[flags % EXACT]!,
    timestamp: value.readDoubleLE(TIMES + 8),
    effectiveTime: value.readDoubleLE(TIMES + 16),
    serverTimestamp: value.readDoubleLE(TIMES),
    userId,
    clientId,
    address,
    rev,
    hash,
    previous: Math.abs(value.readDoubleLE(0)),
    exact: (flags & EXACT) !== 0
  }
}

type OtherFacts = [userId: string | null, clientId: string | null, address: string | null, rev: string | null, givenId: string | null]

function otherFacts (value: Buffer, from: number): OtherFacts {
  return JSON.parse(value.toString('utf8', from, value.readUInt32LE(TEXT_FROM))) as OtherFacts
}

/** The id that a caller chose; null where the server named it. */
export function givenId (value: Buffer): string | null {
  return otherFacts(value, placesOf(value).facts)[4]
}

/** @throws SyncError storage_unavailable when the value is not what was written */
export function decodeEntry (sequence: number, value: Buffer, idOf: (sequence: number) => string): StoredEntry {
  verify(sequence, value)
  const document = textOf(value)
  return { id: givenId(value) ?? idOf(sequence), ...decodeFacts(sequence, value), document, data: document }
}

/** @throws SyncError storage_unavailable when the value is not what was written */
export function decodeShown (sequence: number, value: Buffer): Shown {
  verify(sequence, value)
  return { sequence, ...keyOf(placesOf(value).name), operation: OPERATIONS[value[FLAGS]! % EXACT]!, document: textOf(value), timestamp: value.readDoubleLE(TIMES + 8) }
}

function textOf (value: Buffer): string | null {
  return (value[FLAGS]! & HAS_TEXT) === 0 ? null : value.toString('utf8', value.readUInt32LE(TEXT_FROM))
}

function verify (sequence: number, value: Buffer): void {
  if (crc32(value.subarray(TEXT_FROM)) === value.readUInt32LE(CHECKSUM)) return
  throw new SyncError('storage_unavailable', { detail: `entry ${sequence} of the change log is damaged: look at the memory and the disk of Redis and restore a backup` })
}
