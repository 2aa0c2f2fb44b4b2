/**
 * A pull as a question by URL. Its answer depends on the log, on what is asked, and where it is not public on who asks;
 * on nothing else. A full page may so be kept for long: later it is older than the log, but pages are prefixes, and what
 * came of their documents since lies behind them.
 *
 * Three things hold that together, or a kept page could lose somebody a change:
 * - A page that goes on names the newest epoch, not the one its place lies in, and only under that one it may be kept
 *   for long. A page made under an epoch that a restored backup does not know then has an address that nobody asks for
 *   any more. Of the epoch in which the backup was made it is still asked for, since public pages do not name their
 *   head: the operator has to purge those.
 * - A first sync's mark must lie within the log. A page that somebody had made ahead, under a mark to come, would bring
 *   documents back whose deletion is purged by the time that others read it.
 * - Of public collections that mark is rounded down, so that all who begin in the same stretch read the same pages.
 */
import type { User } from '../access.ts'
import { SyncError } from '../errors.ts'
import { epochOf } from './validity.ts'
import type { LogState } from './validity.ts'
import type { Position } from './cursor.ts'
import type { PageAnswer } from './page.ts'
import type { Pulls } from './pull.ts'

export interface ChangesQuery {
  readonly position: Position & { readonly after: number }
  /** null = all. */
  readonly collections: readonly string[] | null
  readonly limit: number | undefined
  /** ms; 0 for an answer at once. */
  readonly waitMs: number
}

export interface ChangesAnswer extends PageAnswer {
  /** Whether it stays right for as long as deletions are kept. */
  readonly lasting: boolean
}

export interface ChangesDeps {
  readonly pulls: Pulls
  /** For questions about public collections alone, whoever asks. */
  readonly publicPulls: Pulls
  readonly publicCollections: ReadonlySet<string>
}

/** Sequences after which first syncs of public collections get another mark, and so other pages. */
const MARKS = 4096

export class Changes {
  readonly #deps: ChangesDeps

  constructor (deps: ChangesDeps) {
    this.#deps = deps
  }

  /** Whether everybody may read what is asked for. */
  isPublic (collections: readonly string[] | null): boolean {
    return collections !== null && collections.every(name => this.#deps.publicCollections.has(name))
  }

  /**
   * @param signal ends a wait: the client left, or the server drains
   * @throws SyncError resync_required, too_large
   */
  async read (query: ChangesQuery, user: User | null, signal: AbortSignal): Promise<ChangesAnswer> {
    const { position: { after, epoch, snapshot, scope, head }, collections, limit, waitMs } = query
    const open = this.isPublic(collections)
    const checkpoint = { global: after, ...snapshot !== undefined && { snapshot }, ...scope !== undefined && { scope }, ...head !== undefined && { head } }
    const pulls = open ? this.#deps.publicPulls : this.#deps.pulls
    const page = await pulls.pull({ type: 'pull', id: 'get', timestamp: 0, collections: [...collections ?? []], checkpoint, waitMs, ...epoch !== undefined && { epoch }, ...limit !== undefined && { limit } }, user, signal)
    const { state } = page
    if (snapshot !== undefined && snapshot > state.head) throw markAhead(snapshot, state)
    if (!page.hasMore) return { ...page, lasting: false }
    const newest = state.epochs.at(-1)!.id
    const begins = open && after === 0 && snapshot === undefined
    return {
      ...page,
      checkpoint: open ? alike(page, begins) : page.checkpoint,
      epoch: newest,
      lasting: epoch === newest
    }
  }
}

/** The pages that all read are named by nothing that moves with every change. @param begins whether it is the first of a first sync */
function alike ({ checkpoint: { head, ...checkpoint }, state }: PageAnswer, begins: boolean): PageAnswer['checkpoint'] {
  return begins ? { ...checkpoint, snapshot: markOf(state) } : checkpoint
}

/** An older mark than the head is as good, as long as no deletion since it was purged. */
function markOf ({ head, horizon }: LogState): number {
  return Math.max(horizon, head - head % MARKS)
}

function markAhead (snapshot: number, state: LogState): SyncError {
  return new SyncError('resync_required', { reason: 'checkpoint-ahead', epoch: epochOf(state, 0), detail: `the mark ${snapshot} of a first sync is beyond the head ${state.head}` })
}
