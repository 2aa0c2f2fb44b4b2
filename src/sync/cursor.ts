/**
 * How far a client has read, in its two spellings: the checkpoint of a message and the cursor of a URL or
 * stream id, `<n>[~e<epoch>][~c<digest>][~s<snapshot>][~h<head>]`. Bare digits are a valid cursor.
 */
import type { Checkpoint } from '../../schema/checkpoint.ts'
import { MAX_INTEGER } from '../../schema/common.ts'
import { SyncError } from '../errors.ts'

/** A place to go on from. */
export interface Position {
  /** Everything up to here has been delivered; per collection for clients that keep them apart. */
  readonly after: number | ReadonlyMap<string, number>
  /** The epoch `after` was handed out in, where the client says it. */
  readonly epoch: string | undefined
  /** Of a first sync under way: the head when it began. */
  readonly snapshot: number | undefined
  /** Between pages: `<sequence>.<epoch>` of the head that the last was read under, up to which lies what it left out. */
  readonly head: string | undefined
  /** The digest of the rights it was handed out under. */
  readonly scope: string | undefined
}

const syntax = /^(0|[1-9][0-9]{0,15})(?:~e([a-z0-9]{1,32}))?(?:~c([A-Za-z0-9_-]{1,64}))?(?:~s(0|[1-9][0-9]{0,15}))?(?:~h((?:0|[1-9][0-9]{0,15})\.[a-z0-9]{1,32}))?$/

/** @throws SyncError invalid_cursor when the text is no cursor or beyond 2^53 − 1 */
export function parseCursor (text: string): Position {
  const match = syntax.exec(text)
  if (match === null) throw new SyncError('invalid_cursor', { detail: 'a cursor is a sequence, optionally with ~e<epoch>, ~c<digest>, ~s<snapshot> and ~h<head>' })
  const after = Number(match[1])
  const snapshot = match[4] === undefined ? undefined : Number(match[4])
  if (after > MAX_INTEGER || (snapshot ?? 0) > MAX_INTEGER) throw new SyncError('invalid_cursor', { detail: 'a sequence is at most 2^53 − 1' })
  return { after, epoch: match[2], snapshot, scope: match[3], head: match[5] }
}

export function formatCursor ({ after, epoch, scope, snapshot, head }: Position & { readonly after: number }): string {
  return `${after}${marked('e', epoch)}${marked('c', scope)}${marked('s', snapshot)}${marked('h', head)}`
}

function marked (name: string, value: string | number | undefined): string {
  return value === undefined ? '' : `~${name}${value}`
}

/** The position a message's checkpoint names; without one, the beginning. */
export function positionOf (checkpoint: Checkpoint | undefined, epoch: string | undefined): Position {
  const sequences = checkpoint?.sequences
  return {
    after: sequences === undefined ? checkpoint?.global ?? 0 : new Map(Object.entries(sequences)),
    epoch,
    snapshot: checkpoint?.snapshot,
    scope: checkpoint?.scope,
    head: checkpoint?.head
  }
}

/** The highest sequence a position claims to have seen. */
export function highest ({ after }: Position): number {
  return typeof after === 'number' ? after : Math.max(0, ...after.values())
}

/** The sequence up to which all of a position has been seen. */
export function lowest ({ after }: Position): number {
  if (typeof after === 'number') return after
  return after.size === 0 ? 0 : Math.min(...after.values())
}
