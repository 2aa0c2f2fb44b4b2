/** What the adapters of the change log share: how entries are named, which epoch a sequence lies in, by what a change is known. */
import { hash as digest, randomBytes, randomInt } from 'node:crypto'
import type { ChangeEntry, EntryFacts, Epoch, NewEntry, Push } from './changelog.ts'

const EPOCH_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
const EPOCH_LENGTH = 12

/** A random epoch id of 12 characters [a-z0-9]: two histories never share one by chance (62 bits). */
export function newEpochId (): string {
  let id = ''
  for (let i = 0; i < EPOCH_LENGTH; i++) id += EPOCH_ALPHABET[randomInt(EPOCH_ALPHABET.length)]!
  return id
}

/**
 * The epoch a sequence lies in: the newest that began at or before it, else the oldest.
 * @param epochs oldest first, never empty
 */
export function epochAt (epochs: readonly Epoch[], sequence: number): Epoch {
  let found = epochs[0]
  if (found === undefined) throw new TypeError('a change log has at least one epoch')
  for (const epoch of epochs) if (epoch.first <= sequence) found = epoch
  return found
}

/** The id of an entry that the server wrote: `<epoch>-<sequence>`. */
export function entryId (epochs: readonly Epoch[], sequence: number): string {
  return `${epochAt(epochs, sequence).id}-${sequence}`
}

/** JSON with sorted names, after RFC 8785: equal values have equal text, whatever client wrote them. */
function canonical (value: unknown): string {
  const copy = sorted(value)
  return copy === unsortable ? spelledOut(value) : JSON.stringify(copy)
}

const unsortable = Symbol('unsortable')

/**
 * The same value with its names in order: made and turned into text at once it takes half the time of `spelledOut`.
 * `unsortable` where an object has a name that would not stay in its place: one like a number, or `__proto__`.
 */
function sorted (value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return sortedItems(value)
  const object = value as Record<string, unknown>
  const copy: Record<string, unknown> = {}
  for (const name of sortedNames(object)) {
    if (leavesItsPlace(name)) return unsortable
    const member = object[name]
    const ordered = typeof member === 'object' ? sorted(member) : member
    if (ordered === unsortable) return unsortable
    copy[name] = ordered
  }
  return copy
}

function sortedItems (items: readonly unknown[]): unknown {
  if (!items.some(item => typeof item === 'object' && item !== null)) return items
  const copy = items.map(sorted)
  return copy.includes(unsortable) ? unsortable : copy
}

function leavesItsPlace (name: string): boolean {
  const first = name.charCodeAt(0)
  return (first >= 0x30 && first <= 0x39) || name === '__proto__'
}

function spelledOut (value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(spelledOut).join(',')}]`
  const object = value as Record<string, unknown>
  return `{${sortedNames(object).map(name => `${JSON.stringify(name)}:${spelledOut(object[name])}`).join(',')}}`
}

/** More are left to the engine, whose time does not grow with their square. */
const FEW_NAMES = 16

/** Most objects have few names: put in order one by one they take a quarter of the engine's time, and no memory. */
function sortedNames (object: object): string[] {
  const names = Object.keys(object)
  if (names.length > FEW_NAMES) return names.sort()
  for (let i = 1; i < names.length; i++) {
    const name = names[i]!
    let place = i
    for (; place > 0 && names[place - 1]! > name; place--) names[place] = names[place - 1]!
    names[place] = name
  }
  return names
}

/** SHA-256 of a document's canonical text; of a delete, that of null. */
export function contentHash (document: unknown): Buffer {
  return sha256(canonical(document ?? null))
}

/** By way of text, since a Buffer made by the hash has memory of its own, which costs a quarter more and its collection. */
export function sha256 (content: string | Uint8Array): Buffer {
  return Buffer.from(digest('sha256', content, 'binary'), 'binary')
}

const TIME_BYTES = 8

/**
 * By it a repeated change of a document is known, whenever and under whatever message id it comes. A `_rev` is
 * part of the document and so of the hash; without one the client's timestamp tells two equal edits apart.
 */
export function identityOf (contentHash: Uint8Array, timestamp: number, rev: string | null): Buffer {
  if (rev !== null) return Buffer.from(contentHash)
  const identity = Buffer.allocUnsafe(contentHash.length + TIME_BYTES)
  identity.set(contentHash)
  // A whole number below 2^53: in two halves it takes no bigint.
  const high = Math.floor(timestamp / 2 ** 32)
  identity.writeUInt32BE(timestamp - high * 2 ** 32, identity.writeUInt32BE(high, contentHash.length))
  return identity
}

/** Whether `identityOf` these makes this identity: asked of every entry, so without making it. */
export function isIdentityOf (identity: Uint8Array, { hash, timestamp, rev }: Pick<EntryFacts, 'hash' | 'timestamp' | 'rev'>): boolean {
  if (identity.length !== hash.length + (rev === null ? TIME_BYTES : 0)) return false
  for (let i = 0; i < hash.length; i++) if (identity[i] !== hash[i]) return false
  let time = 0
  for (let i = hash.length; i < identity.length; i++) time = time * 256 + identity[i]!
  return rev !== null || time === timestamp
}

/** Whether an identity is of this content, whatever its time. */
export function hasContent (identity: Uint8Array, contentHash: Uint8Array): boolean {
  return Buffer.compare(identity.subarray(0, contentHash.length), contentHash) === 0
}

/** How far ahead of the server a client's clock may be before its time is clamped, ms (DESIGN 5). */
const CLOCK_TOLERANCE = 60_000

/**
 * The sequence an appended change takes: the caller's own if it has one (not 0), else the next.
 * @throws TypeError when the caller's would not be the newest: the order of the log never goes back
 */
export function appendedSequence (given: number | undefined, head: number): number {
  const sequence = given === undefined || given === 0 ? head + 1 : given
  if (!Number.isSafeInteger(sequence) || sequence <= head) {
    throw new TypeError(`sequence ${sequence} does not come after ${head}, the newest of this log`)
  }
  return sequence
}

/**
 * A change given to `append` as a push of its own, so that it takes the same path as every other.
 * @throws TypeError when its document is no JSON or its timestamp no time
 */
export function appendedPush (change: ChangeEntry, head: EntryFacts | null, now: number): Push {
  const { collection, documentId, operation, timestamp } = change
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) throw new TypeError(`timestamp ${timestamp} is no whole number of ms since 1970`)
  const document = operation === 'delete' ? null : change.document ?? change.data
  const content = contentOf({ document, timestamp })
  const effectiveTime = effectiveAfter(head, timestamp, now)
  const expected = head?.sequence ?? 0
  return {
    key: randomBytes(32),
    fingerprint: content.identity,
    outcome: '',
    entries: [{ collection, documentId, operation, document, timestamp, effectiveTime, ...content, exact: true, expected }],
    journal: [],
    messageId: change.id ?? '',
    userId: null,
    clientId: null,
    address: null,
    serverTimestamp: now
  }
}

/**
 * What a push would have recorded of a change of which only the text is known.
 * @throws TypeError when the document is no JSON
 */
export function contentOf ({ document, timestamp }: Pick<ChangeEntry, 'document' | 'timestamp'>): Pick<NewEntry, 'hash' | 'identity' | 'rev'> {
  const value = document === null ? null : parse(document)
  const hash = contentHash(value)
  const member = (value as { _rev?: unknown } | null)?._rev
  const rev = typeof member === 'string' ? member : null
  return { hash, identity: identityOf(hash, timestamp, rev), rev }
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new TypeError('a document must be JSON text', { cause })
  }
}

/** A clock that runs ahead can win its owner no more than the tolerance (promise 10). */
export function clamp (timestamp: number, now: number): number {
  return Math.min(timestamp, now + CLOCK_TOLERANCE)
}

/** The effective time of a change that follows a head: later than that, and clamped to the server's clock. */
export function effectiveAfter (head: Pick<EntryFacts, 'effectiveTime'> | null, timestamp: number, now: number): number {
  return Math.max(clamp(timestamp, now), (head?.effectiveTime ?? -1) + 1)
}
