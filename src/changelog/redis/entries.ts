/**
 * How an entry lies in its value. What scripts look at has a place of its own; numbers are doubles, low byte first.
 *
 *     0 previous  8 checksum  12 where the text begins  16 server's time  24 timestamp  32 effective time
 *    40 operation, exact, has a text  41 identity (16 bytes)  57 length of the document's name and that name
 *       length of the hash and the hash  the other facts as JSON  the document
 */
import { crc32 } from 'node:zlib'
import type { DocumentKey, EntryFacts, NewEntry, Operation, Push, Shown, StoredEntry } from '../changelog.ts'
import { sha256 } from '../entry.ts'
import { SyncError } from '../../errors.ts'

const OPERATIONS: readonly Operation[] = ['insert', 'update', 'delete']
const EXACT = 4
const HAS_TEXT = 8

const CHECKSUM = 8
const TEXT_FROM = 12
const TIMES = 16
const FLAGS = 40
const IDENTITY = 41
const NAME = 57
export const IDENTITY_BYTES = 16

/** Collection and document as one name: the length of the first tells where the second begins. */
export function nameOf ({ collection, documentId }: DocumentKey): string {
  return `${Buffer.byteLength(collection)}:${collection}${documentId}`
}

export function keyOf (name: Buffer): DocumentKey {
  const colon = name.indexOf(0x3a)
  const end = colon + 1 + Number(name.toString('latin1', 0, colon))
  return { collection: name.toString('utf8', colon + 1, end), documentId: name.toString('utf8', end) }
}

/** An identity counts for its own document only. Half a SHA-256 is enough to tell changes of one document apart. */
export function identityName (name: string, identity: Uint8Array): Buffer {
  return sha256(Buffer.concat([Buffer.from(`${Buffer.byteLength(name)}:${name}`), identity])).subarray(0, IDENTITY_BYTES)
}

/** Without `previous`, which the commit puts before it. @param id of the caller's own, or null */
export function encode (push: Push, entry: NewEntry, { name, id }: { readonly name: string, readonly id: string | null }): Buffer {
  const { rev, hash, document } = entry
  const facts = JSON.stringify([push.userId, push.clientId, push.address, rev, id])
  const nameBytes = Buffer.byteLength(name)
  const hashAt = NAME + 4 + nameBytes
  const factsAt = hashAt + 1 + hash.length
  const textFrom = factsAt + Buffer.byteLength(facts)
  const value = Buffer.allocUnsafe(textFrom + (document === null ? 0 : Buffer.byteLength(document)))
  value.writeUInt32LE(textFrom, TEXT_FROM)
  value.writeDoubleLE(push.serverTimestamp, TIMES)
  value.writeDoubleLE(entry.timestamp, TIMES + 8)
  value.writeDoubleLE(entry.effectiveTime, TIMES + 16)
  value[FLAGS] = OPERATIONS.indexOf(entry.operation) + (entry.exact ? EXACT : 0) + (document === null ? 0 : HAS_TEXT)
  value.set(identityName(name, entry.identity), IDENTITY)
  value.writeUInt32LE(nameBytes, NAME)
  value.write(name, NAME + 4)
  value[hashAt] = hash.length
  value.set(hash, hashAt + 1)
  value.write(facts, factsAt)
  if (document !== null) value.write(document, textFrom)
  value.writeUInt32LE(crc32(value.subarray(TEXT_FROM)), CHECKSUM)
  return value.subarray(CHECKSUM)
}

/** How many bytes of a value the document's text takes. */
export function textBytes (value: Buffer): number {
  return value.length - value.readUInt32LE(TEXT_FROM)
}

/** By what a change would be known again: the name of the head's own identity. */
export function ownIdentity (value: Buffer): Buffer {
  return value.subarray(IDENTITY, IDENTITY + IDENTITY_BYTES)
}

/** @param value whole, or without its text, which then goes unchecked */
export function decodeFacts (sequence: number, value: Buffer): EntryFacts {
  const nameEnd = NAME + 4 + value.readUInt32LE(NAME)
  const hashEnd = nameEnd + 1 + value[nameEnd]!
  const [userId, clientId, address, rev] = JSON.parse(value.toString('utf8', hashEnd, value.readUInt32LE(TEXT_FROM))) as Array<string | null>
  const flags = value[FLAGS]!
  return {
    sequence,
    ...keyOf(value.subarray(NAME + 4, nameEnd)),
    operation: OPERATIONS[flags % EXACT]!,
    timestamp: value.readDoubleLE(TIMES + 8),
    effectiveTime: value.readDoubleLE(TIMES + 16),
    serverTimestamp: value.readDoubleLE(TIMES),
    userId: userId!,
    clientId: clientId!,
    address: address!,
    rev: rev!,
    hash: value.subarray(nameEnd + 1, hashEnd),
    previous: value.readDoubleLE(0),
    exact: (flags & EXACT) !== 0
  }
}

/** @throws SyncError storage_unavailable when the value is not what was written */
export function decodeEntry (sequence: number, value: Buffer, idOf: (sequence: number) => string): StoredEntry {
  verify(sequence, value)
  const document = textOf(value)
  const facts = decodeFacts(sequence, value)
  return { id: givenId(value) ?? idOf(sequence), ...facts, document, data: document }
}

/** @throws SyncError storage_unavailable when the value is not what was written */
export function decodeShown (sequence: number, value: Buffer): Shown {
  verify(sequence, value)
  const { collection, documentId } = keyOf(value.subarray(NAME + 4, NAME + 4 + value.readUInt32LE(NAME)))
  return { sequence, collection, documentId, operation: OPERATIONS[value[FLAGS]! % EXACT]!, document: textOf(value), timestamp: value.readDoubleLE(TIMES + 8) }
}

function textOf (value: Buffer): string | null {
  return (value[FLAGS]! & HAS_TEXT) === 0 ? null : value.toString('utf8', value.readUInt32LE(TEXT_FROM))
}

function givenId (value: Buffer): string | null {
  const nameEnd = NAME + 4 + value.readUInt32LE(NAME)
  const facts = JSON.parse(value.toString('utf8', nameEnd + 1 + value[nameEnd]!, value.readUInt32LE(TEXT_FROM))) as Array<string | null>
  return facts[4]!
}

function verify (sequence: number, value: Buffer): void {
  if (crc32(value.subarray(TEXT_FROM)) === value.readUInt32LE(CHECKSUM)) return
  throw new SyncError('storage_unavailable', { detail: `entry ${sequence} of the change log is damaged: look at the memory and the disk of Redis and restore a backup` })
}
