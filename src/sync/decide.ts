/**
 * What becomes of one change, given the version that stands: pure, and the same on every node.
 * A change whose base is the head is no conflict, whatever the clocks say (promise 10); mutually concurrent
 * changes are decided by a total order of (effective time, content hash), so every order of arrival ends the
 * same (promise 8).
 */
import type { EntryFacts, Operation } from '../changelog/changelog.ts'
import type { Incoming } from './incoming.ts'

/** How far a client's clock may run ahead before it is clamped, ms. */
const CLOCK_TOLERANCE = 60_000

/** What a conflict and the clamp need to know of a version. */
export type Version = Pick<EntryFacts, 'sequence' | 'operation' | 'effectiveTime' | 'hash' | 'rev'>

export interface Situation {
  /** The version that stands; null when the document never existed or is long purged. */
  readonly head: Version | null
  /** The head is an entry of this very push: the message itself says what follows what. */
  readonly headIsOwn: boolean
  /** How far the client has read the collection. */
  readonly seen: number
  readonly horizon: number
  /** The server's clock, ms. */
  readonly now: number
}

/** What only the history can tell; fetched when the head is not the base. */
export interface Evidence {
  /** The version that was edited, where it is known and kept. */
  readonly base: Pick<EntryFacts, 'effectiveTime'> | null
  /** Every entry after the base is by the same user and client, exactly as sent, and older. */
  readonly ownSinceBase: boolean
}

/** Taken over as a new entry. */
export interface Taken {
  readonly status: 'applied'
  readonly operation: Operation
  readonly effectiveTime: number
  /** It replaced a version that its client did not know, which lost. */
  readonly beatsHead: boolean
}

export type Decision =
  | Taken
  /** True already: nothing is written. */
  | { readonly status: 'applied', readonly operation: null }
  | { readonly status: 'conflict', readonly sequence: number, readonly stale: boolean }

/** Decides without history; undefined when the history must be asked. */
export function decideAtOnce (change: Incoming, situation: Situation): Decision | undefined {
  const { head } = situation
  if (head === null) return withoutHead(change, situation)
  const named = situation.headIsOwn || namesHead(change, head)
  if (!named && !followsHead(change, head, situation)) return undefined
  if (isVain(change, head)) return { status: 'applied', operation: null }
  return apply(change, named ? effectiveTime(change, situation.now, head) : clamp(change.timestamp, situation.now), head)
}

/** Last write wins: the later effective time, of equal ones the larger content hash. */
export function decideConcurrent (change: Incoming, situation: Situation & { head: Version }, evidence: Evidence): Decision {
  const { head, now } = situation
  if (evidence.ownSinceBase) return isVain(change, head) ? { status: 'applied', operation: null } : apply(change, effectiveTime(change, now, head), head)
  const time = effectiveTime(change, now, evidence.base)
  const later = time - head.effectiveTime || Buffer.compare(change.hash, head.hash)
  if (later <= 0) return isVain(change, head) ? { status: 'applied', operation: null } : { status: 'conflict', sequence: head.sequence, stale: false }
  return { ...apply(change, time, head), beatsHead: true }
}

/**
 * Deleting what is not there writes nothing. Only a deletion that is concurrent with the one that stands, and
 * later, moves the tombstone's time: an edit between the two must lose whichever of them came first.
 */
function isVain (change: Incoming, head: Version): boolean {
  return change.operation === 'delete' && head.operation === 'delete'
}

/** A version that was deleted and purged must not rise again from a replica that slept too long. */
function withoutHead (change: Incoming, { horizon, now }: Situation): Decision {
  const { base, operation } = change
  if (operation !== 'insert' && base !== undefined && base > 0 && base < horizon) return { status: 'conflict', sequence: 0, stale: true }
  if (operation === 'delete') return { status: 'applied', operation: null }
  return { status: 'applied', operation: 'insert', effectiveTime: effectiveTime(change, now, null), beatsHead: false }
}

/** The client says which version it edited, and that one stands. */
function namesHead (change: Incoming, head: Version): boolean {
  if (change.base !== undefined) return change.base === head.sequence
  return change.baseRev !== null && change.baseRev === head.rev
}

/**
 * Without a base, a checkpoint can prove that a version is unknown to the client, never that it was the one
 * edited; the head counts as the base only if it was read and is not newer. Such a change keeps its own time,
 * since arriving second nobody could tell what its base was, and the order of arrival must not matter.
 */
function followsHead (change: Incoming, head: Version, { seen, now }: Situation): boolean {
  if (change.base !== undefined || change.baseRev !== null) return false
  return seen >= head.sequence && clamp(change.timestamp, now) >= head.effectiveTime
}

function apply (change: Incoming, effectiveTime: number, head: Version): Taken {
  const reborn = head.operation === 'delete' ? 'insert' : 'update'
  return { status: 'applied', operation: change.operation === 'delete' ? 'delete' : reborn, effectiveTime, beatsHead: false }
}

function effectiveTime (change: Incoming, now: number, base: Pick<EntryFacts, 'effectiveTime'> | null): number {
  const time = clamp(change.timestamp, now)
  return base === null ? time : Math.max(time, base.effectiveTime + 1)
}

/** A clock that runs ahead can win its owner no more than the tolerance. */
function clamp (timestamp: number, now: number): number {
  return Math.min(timestamp, now + CLOCK_TOLERANCE)
}
