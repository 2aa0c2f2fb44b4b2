/** How a document stands while a push is decided: as the log has it, then as the push has left it so far. */
import type { EntryFacts, HeadAnswer, NewEntry } from '../changelog/changelog.ts'
import type { Base, Version } from './decide.ts'

export interface Standing {
  readonly head: Version | null
  /** What this push did to it already; the log does not know these identities yet. */
  readonly own: ReadonlyArray<{ readonly identity: Uint8Array, readonly offset: number }>
  /** The log's head, which the first entry on the document must still meet at the commit. */
  readonly expected: number
  readonly logged: EntryFacts | null
  /** The newest change of this push on it, if something else came of it than it sent: the next one edited what was sent. */
  readonly altered: Altered | null
  /** As this push has left it; undefined while it is the log's head. */
  readonly text?: string | null
}

export interface Altered {
  readonly sent: Base
  readonly stored: string | null
  readonly offset: number
}

/** An entry of this push and what its document was before. Few pushes name a document again: only then it is asked how that was left. */
export interface Left {
  readonly entry: NewEntry
  readonly offset: number
  readonly altered: Altered | null
  readonly before: Standing
}

const none: Standing['own'] = []

/** @param left by the newest entry of this push on the document, where there is one */
export function standingOf ({ head }: HeadAnswer, left: Left | undefined): Standing {
  if (left === undefined) return { head, own: none, expected: head?.sequence ?? 0, logged: head, altered: null }
  const { entry, offset, altered, before: { own, expected, logged } } = left
  const { operation, effectiveTime, hash, rev, identity, document: text } = entry
  return { head: { sequence: 0, operation, effectiveTime, hash, rev }, own: [...own, { identity, offset }], expected, logged, altered, text }
}
