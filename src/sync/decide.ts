/**
 * What becomes of one change, given the version that stands: pure, and the same on every node.
 * A change whose base is the head is no conflict, whatever the clocks say (promise 10). Whatever is concurrent
 * with the head goes to the strategy; by last-write-wins, a total order of (effective time, content hash) decides,
 * so every order of arrival ends the same (promise 8).
 */
import type { EntryFacts, Operation, StoredEntry } from '../changelog/changelog.ts'
import { clamp } from '../changelog/entry.ts'
import type { ConflictStrategy } from '../collections.ts'
import type { Incoming } from './incoming.ts'

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

/** The version that a change edited. */
export type Base = Pick<StoredEntry, 'document' | 'effectiveTime'>

/** What only the history can tell; fetched when the head is not the base. */
export interface Evidence {
  /** The version that was edited, where it is known and kept. */
  readonly base: Base | null
  /** The entries after the base, newest first; none when it is not known. */
  readonly since: readonly StoredEntry[]
  /** Every entry after the base is by the same user and client, exactly as sent, and older. */
  readonly ownSinceBase: boolean
}

/** A change and the version that stands, neither of which knew of the other. */
export interface Clash extends Pick<Evidence, 'base' | 'since'> {
  readonly change: Incoming
  readonly head: Version
  readonly now: number
}

/** By what a conflict was decided; so the journal names it. */
export type Judge = ConflictStrategy | 'resolveConflict' | 'stale_base'

/** Taken over as a new entry. */
export interface Taken {
  readonly status: 'applied'
  readonly operation: Operation
  readonly effectiveTime: number
  /** By what it beat a version that its client did not know; absent when there was no conflict. */
  readonly beatsBy?: Judge
}

/** True already: nothing is written. */
export interface Vain {
  readonly status: 'applied'
  readonly operation: null
}

/** The version that stands goes on standing. */
export interface Beaten {
  readonly status: 'conflict'
  readonly sequence: number
  readonly by: Judge
}

export type Decision = Taken | Vain | Beaten

const vain: Vain = { status: 'applied', operation: null }

/** Decides without history; undefined when the history must be asked. */
export function decideAtOnce (change: Incoming, situation: Situation): Decision | undefined {
  const { head } = situation
  if (head === null) return withoutHead(change, situation)
  const named = situation.headIsOwn || namesHead(change, head)
  if (!named && !followsHead(change, head, situation)) return undefined
  if (isVain(change, head)) return vain
  return take(change, head, named ? effectiveTime(change, situation.now, head) : clamp(change.timestamp, situation.now))
}

/** The client's own earlier changes are its base, read back or not: no conflict. */
export function decideAfterOwn ({ change, head, now }: Clash): Decision {
  return isVain(change, head) ? vain : take(change, head, effectiveTime(change, now, head))
}

/** Last write wins: the later effective time, of equal ones the larger content hash. */
export function lastWriteWins ({ change, head, base, now }: Clash): Decision {
  const time = effectiveTime(change, now, base)
  const later = time - head.effectiveTime || Buffer.compare(change.hash, head.hash)
  if (later <= 0) return isVain(change, head) ? vain : stands(head, 'last-write-wins')
  return { ...take(change, head, time), beatsBy: 'last-write-wins' }
}

/** The version that stands is kept. Of two deletions neither loses. */
export function serverWins ({ change, head }: Clash): Decision {
  return isVain(change, head) ? vain : stands(head, 'server-wins')
}

/** The change is taken, whatever stands. */
export function clientWins (clash: Clash): Decision {
  return isVain(clash.change, clash.head) ? vain : overrule(clash, 'client-wins')
}

export function stands ({ sequence }: Version, by: Judge): Beaten {
  return { status: 'conflict', sequence, by }
}

/** The change stands on the word of another judge than time. */
export function overrule (clash: Clash, beatsBy: Judge): Taken {
  return { ...take(clash.change, clash.head, unitedTime(clash)), beatsBy }
}

/**
 * The effective time of an entry in which a conflict was settled by more than time: the later of the two that met.
 * Earlier than the head's it must not be: a change that already lost to the head would beat the entry that replaced
 * it, so that the order of arrival decided. Later than both it must not be either, though the head is what it
 * stands on: it holds no edit of that time, and would beat a change that is newer than everything in it. So the
 * largest time among the edits that led to a document is the same whichever came first (promise 8).
 */
export function unitedTime ({ change, head, base, now }: Clash): number {
  return Math.max(effectiveTime(change, now, base), head.effectiveTime)
}

/**
 * Deleting what is not there writes nothing. Only by last-write-wins a deletion that is concurrent with the one
 * that stands, and later, moves the tombstone's time: an edit between the two must lose whichever of them came first.
 */
export function isVain (change: Incoming, head: Version): boolean {
  return change.operation === 'delete' && head.operation === 'delete'
}

/** A version that was deleted and purged must not rise again from a replica that slept too long. */
function withoutHead (change: Incoming, { horizon, now }: Situation): Decision {
  const { base, operation } = change
  if (operation === 'delete') return vain
  if (operation !== 'insert' && base !== undefined && base > 0 && base < horizon) return { status: 'conflict', sequence: 0, by: 'stale_base' }
  return { status: 'applied', operation: 'insert', effectiveTime: effectiveTime(change, now, null) }
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

function take (change: Incoming, head: Version, effectiveTime: number): Taken {
  return { status: 'applied', operation: operationOver(head, change.operation === 'delete'), effectiveTime }
}

/** What an entry is called that replaces a head. */
export function operationOver (head: Version, deletes: boolean): Operation {
  if (deletes) return 'delete'
  return head.operation === 'delete' ? 'insert' : 'update'
}

export function effectiveTime (change: Incoming, now: number, base: Pick<Base, 'effectiveTime'> | null): number {
  const time = clamp(change.timestamp, now)
  return base === null ? time : Math.max(time, base.effectiveTime + 1)
}
