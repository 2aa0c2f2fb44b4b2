/** Makes the pages that streams are sent, from the ring or from the store, each once for all streams of a scope. */
import { MAX_INTEGER } from '../../schema/common.ts'
import type { ChangeStore, Page } from '../changelog/changelog.ts'
import type { Limits } from '../config.ts'
import { readFiled, type FiledPage } from './filings.ts'
import { oneLine, PageFrame, Place, readRing } from './frames.ts'
import type { Grant } from './grants.ts'
import { ChangeLists, headMark, readPage, snapshotMark } from './page.ts'
import type { Scope } from './scopes.ts'
import type { Tail } from './tail.ts'
import { assertValid, epochOf, type LogState } from './validity.ts'

/** In one frame at most, whatever the limits say. */
const ENTRIES = 10_000

export interface FrameMakerOptions {
  readonly store: ChangeStore
  readonly tail: Tail
  readonly limits: Limits
  /** Calls back in the next turn of the event loop. */
  readonly turn: (callback: () => void) => void
  /** More is kept than may be: begin anew. */
  readonly onFull: () => void
}

/** Which page: what lies after a place, for the streams of a scope, under a grant. */
export interface PageWish {
  readonly scope: Scope
  readonly place: Place
  readonly grant: Grant
}

export class FrameMaker {
  readonly #options: FrameMakerOptions
  #cached = 0
  /** The log as it is after this turn: one look for all who wait for it. */
  #now: Promise<Page> | undefined

  constructor (options: FrameMakerOptions) {
    this.#options = options
  }

  /** What was made for the former end of the log is worth nothing now. */
  forget (): void {
    this.#cached = 0
  }

  /** From the ring, which covers the place; a promise where rules are asked about its documents, null where only the store can say. */
  ringFrame (wish: PageWish): PageFrame | Promise<PageFrame> | null {
    const { tail, limits } = this.#options
    const made = madeBefore(wish)
    if (made !== undefined) return made
    const query = { after: wish.place.after, collections: wish.scope.collections, entries: limits.frameEntries, bytes: limits.frameBytes }
    if (tail.sight !== 'everything') return this.#filedFrame(wish, readFiled(tail.ring, { ...query, ...wish.grant }))
    const { changes, count, reached } = readRing(tail.ring, query)
    const state = tail.state!
    const end = reached === tail.place.after ? tail.place : new Place(reached, epochOf(state, reached), { head: headMark(state) })
    return this.#keep(wish, new PageFrame(changes, { end, count, hasMore: reached < state.head, state }))
  }

  /** @throws SyncError resync_required when the place cannot be continued from */
  async storeFrame (wish: PageWish): Promise<PageFrame> {
    const made = await madeBefore(wish)
    if (made?.hasMore === true) return made
    const { store, limits } = this.#options
    const { scope: { collections }, place: position, grant: { view } } = wish
    const answer = await readPage(store, {
      position,
      collections: collections === null ? null : [...collections],
      limit: Math.max(1, Math.min(limits.frameEntries, ENTRIES)),
      bytes: limits.frameBytes,
      view
    })
    const { global, ...marks } = answer.checkpoint
    const { count, hasMore, epoch, state } = answer
    const frame = new PageFrame(oneLine(answer.changes.toString()), { end: new Place(global!, epoch, marks), count, hasMore, state })
    // A last page must be newer than every page before it, so it is read for each stream anew.
    return hasMore ? this.#keep(wish, frame) : frame
  }

  #filedFrame (wish: PageWish, page: FiledPage | null): PageFrame | Promise<PageFrame> | null {
    if (page === null) return null
    const { judge, assertKept } = wish.grant.view
    const state = this.#options.tail.state!
    if (judge === null || page.rows.length === 0) return this.#keep(wish, this.#shownFrame(wish, page, state))
    const making = judge(page.rows).then(async ({ rows, looked }) => {
      const reached = looked < page.rows.length ? page.rows[looked - 1]!.position : page.reached
      const asIs = rows.length === looked && rows.every((row, i) => row === page.rows[i])
      if (!asIs) await this.#stillKnown(wish)
      if (rows.length > 0) await assertKept?.()
      return this.#keep(wish, this.#shownFrame(wish, { rows, reached }, state))
    })
    const frames = framesOf(wish)
    frames.set(wish.place.id, making)
    // Who waits for it is told of a failure; the next who asks begins anew.
    making.catch(() => { if (frames.get(wish.place.id) === making) frames.delete(wish.place.id) })
    return making
  }

  /**
   * What the reader was shown before decides what it is told of; compaction may have dropped that while it was looked up.
   * @throws SyncError resync_required
   */
  async #stillKnown ({ place, grant: { view } }: PageWish): Promise<void> {
    this.#now ??= new Promise(resolve => {
      this.#options.turn(() => {
        this.#now = undefined
        resolve(this.#options.store.read({ after: MAX_INTEGER, collections: null, limit: 1, bytes: 1 }))
      })
    })
    const state = await this.#now
    assertValid(place, view.looksBack ? { ...state, historyFrom: state.historyHorizon } : state, place.scope)
  }

  #shownFrame ({ place, grant: { view } }: PageWish, { rows, reached }: FiledPage, state: LogState): PageFrame {
    const lists = new ChangeLists()
    for (const row of rows) lists.add(row.entry.collection, this.#options.tail.filings.textOf(row))
    const hasMore = reached < state.head
    const marks = { ...hasMore && { ...snapshotMark(place, state, view), head: headMark(state) }, scope: view.scope }
    return new PageFrame(lists.text, { end: new Place(reached, epochOf(state, reached), marks), count: rows.length, hasMore, state })
  }

  #keep (wish: PageWish, frame: PageFrame): PageFrame {
    this.#cached += frame.size
    if (this.#cached > this.#options.limits.ringBytes) this.#options.onFull()
    else framesOf(wish).set(wish.place.id, frame)
    return frame
  }
}

/** What was made under another grant is not for this one. */
function framesOf ({ scope, grant }: PageWish): Scope['frames'] {
  if (scope.grant !== grant) {
    scope.frames.clear()
    scope.grant = grant
  }
  return scope.frames
}

function madeBefore ({ scope, place, grant }: PageWish): PageFrame | Promise<PageFrame> | undefined {
  return scope.grant === grant ? scope.frames.get(place.id) : undefined
}
