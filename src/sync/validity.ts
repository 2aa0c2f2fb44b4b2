/** Whether a client can go on from where it says it is (DESIGN: epochs, horizon). */
import { epochAt } from '../changelog/entry.ts'
import type { Epoch } from '../changelog/changelog.ts'
import { SyncError } from '../errors.ts'
import { highest, lowest, type Position } from './cursor.ts'

export type ResyncReason = 'checkpoint-ahead' | 'epoch-changed' | 'compacted' | 'scope-changed'

/** The log as one snapshot showed it. */
export interface LogState {
  readonly head: number
  readonly horizon: number
  readonly epochs: readonly Epoch[]
  /** For a reader whose rights are judged by superseded versions: what was shown up to here is not known any more. */
  readonly historyFrom?: number
}

/** The last sequence of an epoch, or undefined when the log does not know it. */
function endOf (state: LogState, id: string): number | undefined {
  const index = state.epochs.findIndex(epoch => epoch.id === id)
  if (index === -1) return undefined
  const next = state.epochs[index + 1]
  return next === undefined ? state.head : next.first - 1
}

/** @param mark `<sequence>.<epoch>` */
function hasHead (state: LogState, mark: string): boolean {
  const [sequence, epoch] = mark.split('.') as [string, string]
  const end = endOf(state, epoch)
  return end !== undefined && Number(sequence) <= end
}

/**
 * Why the position cannot be continued from; null when it can. A client at 0 always can.
 * @param scope the digest of the reader's rights, where they have one
 */
export function resyncReason (position: Position, state: LogState, scope: string | undefined): ResyncReason | null {
  const top = highest(position)
  if (top === 0) return null
  if (position.epoch !== undefined) {
    const end = endOf(state, position.epoch)
    if (end === undefined || top > end) return 'epoch-changed'
  } else if (top > state.head) return 'checkpoint-ahead'
  if (position.head !== undefined && !hasHead(state, position.head)) return 'epoch-changed'
  if (isCompacted(position, state)) return 'compacted'
  return scope !== undefined && scope !== position.scope ? 'scope-changed' : null
}

/**
 * Below the horizon tombstones are gone. A first sync that began above it missed none. What was shown below the
 * history's horizon is not known any more, and a catch-up under way has been shown that where it began.
 */
function isCompacted (position: Position, { horizon, historyFrom = 0 }: LogState): boolean {
  if ((position.snapshot ?? least(position)) < historyFrom) return true
  if ((position.snapshot ?? 0) >= horizon) return false
  const { after } = position
  if (typeof after === 'number') return after < horizon
  return [...after.values()].some(sequence => sequence > 0 && sequence < horizon)
}

/** The lowest of a position's sequences beside 0, where nothing has been shown yet. */
export function least ({ after }: Position): number {
  return typeof after === 'number' ? after : Math.min(...[...after.values()].filter(sequence => sequence > 0))
}

/** True while a checkpoint without epoch is ahead of this node, which may only lag behind another. */
export function isAhead (position: Position, head: number): boolean {
  return position.epoch === undefined && highest(position) > head
}

/** The epoch in which an answer's checkpoint lies. */
export function epochOf (state: LogState, checkpoint: number): string {
  return epochAt(state.epochs, checkpoint).id
}

/**
 * @param scope the digest of the reader's rights now, where they have one
 * @throws SyncError resync_required when the position cannot be continued from
 */
export function assertValid (position: Position, state: LogState, scope: string | undefined = position.scope): void {
  const reason = resyncReason(position, state, scope)
  if (reason === null) return
  throw new SyncError('resync_required', { reason, epoch: epochOf(state, 0), detail: explain(reason, position, state) })
}

function explain (reason: ResyncReason, position: Position, { head, horizon, historyFrom = 0 }: LogState): string {
  if (reason === 'compacted') return `the checkpoint ${lowest(position)} lies before ${Math.max(horizon, historyFrom)}, where what was dropped since is still known`
  if (reason === 'checkpoint-ahead') return `the checkpoint ${highest(position)} is beyond the head ${head}`
  if (reason === 'scope-changed') return 'what you may see has changed since this checkpoint was made'
  return `the checkpoint ${highest(position)} lies in a stretch of history that this log does not have`
}
