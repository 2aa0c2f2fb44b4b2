/** What the adapters of the change log share: how entries are named and which epoch a sequence lies in. */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import type { ChangeEntry, EntryFacts, Epoch, Push } from './changelog.ts'

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

/** How far ahead of the server a client's clock may be before its time is clamped, ms (DESIGN 5). */
const CLOCK_LEAD = 60_000

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

/** A change given to `append` as a push of its own, so that it takes the same path as every other. */
export function appendedPush (change: ChangeEntry, head: EntryFacts | null, now: number): Push {
  const { collection, documentId, operation, timestamp } = change
  const document = operation === 'delete' ? null : change.document ?? change.data
  const hash = createHash('sha256').update(document ?? '').digest()
  const identity = createHash('sha256')
    .update(JSON.stringify([collection, documentId, timestamp, hash.toString('hex')])).digest()
  const effectiveTime = Math.max(Math.min(timestamp, now + CLOCK_LEAD), (head?.effectiveTime ?? -1) + 1)
  const expected = head?.sequence ?? 0
  return {
    key: randomBytes(32),
    fingerprint: identity,
    outcome: '',
    entries: [{ collection, documentId, operation, document, timestamp, effectiveTime, rev: null, hash, identity, exact: true, expected }],
    journal: [],
    messageId: change.id ?? '',
    userId: null,
    clientId: null,
    address: null,
    serverTimestamp: now
  }
}
