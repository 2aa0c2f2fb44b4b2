/** A pull: one page after a checkpoint, at once or when there is something (long poll). */
import type { PullRequest } from '../../schema/pull.ts'
import type { Limits } from '../config.ts'
import { SyncError } from '../errors.ts'
import { positionOf, type Position } from './cursor.ts'
import { readPage, type PageAnswer, type PageQuery } from './page.ts'
import type { User } from '../access.ts'
import type { ReadyPages } from './ready.ts'
import type { OneByOne } from './turns.ts'
import { isAhead } from './validity.ts'
import type { View, Views } from './view.ts'
import { nextRing, waitForHead, type WaitDeps } from './wait.ts'

export interface PullDeps extends WaitDeps {
  readonly limits: Limits
  readonly views: Views
  /** For readers whom nobody knows, of whom there may be a crowd: each reads in a turn of the event loop of its own. */
  readonly turns?: OneByOne
  /** Absent: each page is read anew. */
  readonly ready?: ReadyPages | undefined
}

/** What a client asks for. */
type Asked = Omit<PageQuery, 'view' | 'ready'>

export class Pulls {
  readonly #deps: PullDeps

  constructor (deps: PullDeps) {
    this.#deps = deps
  }

  /**
   * @param signal ends a long poll early: the client left, or the server drains
   * @throws SyncError resync_required, too_large, invalid_cursor
   */
  async pull (request: PullRequest, user: User | null, signal?: AbortSignal): Promise<PageAnswer> {
    const { limits } = this.#deps
    const asked = this.#query(request)
    if (isAhead(asked.position, 0)) await this.waitForHead(asked.position, signal)
    const wait = Math.min(request.waitMs ?? 0, limits.waitMs)
    const answer = wait > 0 ? await this.#readOrWait(asked, user, { wait, signal }) : await this.#read(asked, user)
    if (typeof asked.position.after === 'number') return answer
    // Clients that keep positions per collection adopt the answered checkpoint whole, so it keeps their other members.
    const { snapshot, head, ...kept } = request.checkpoint ?? {}
    return { ...answer, checkpoint: { ...kept, ...answer.checkpoint } }
  }

  /** @see waitForHead */
  async waitForHead (position: Position, signal?: AbortSignal): Promise<void> {
    await waitForHead(this.#deps, position, this.#deps.limits.aheadMs, signal)
  }

  /** With the reader's rights as they are at that moment. */
  #read (asked: Asked, user: User | null): Promise<PageAnswer> {
    const { store, views, turns, ready } = this.#deps
    const { position, collections, limit, bytes } = asked
    // Nothing is awaited or copied that need not be: together a fifth of a pull that finds nothing new.
    const read = (view: View): Promise<PageAnswer> => readPage(store, { position, collections, limit, bytes, view, ready })
    const now = (): Promise<PageAnswer> => {
      const view = views.of(user)
      return view instanceof Promise ? view.then(read) : read(view)
    }
    return turns === undefined ? now() : turns.turn().then(now)
  }

  #query (request: PullRequest): Asked {
    const { limits } = this.#deps
    if (request.collections.length > limits.collectionsPerPull) {
      throw new SyncError('too_large', { detail: `at most ${limits.collectionsPerPull} collections in one pull`, limit: { name: 'collectionsPerPull', max: limits.collectionsPerPull } })
    }
    return {
      position: positionOf(request.checkpoint, request.epoch),
      collections: request.collections.length === 0 ? null : [...new Set(request.collections)],
      limit: Math.min(request.limit ?? limits.pullDefault, limits.pullMax),
      bytes: limits.pageBytes
    }
  }

  async #readOrWait (first: Asked, user: User | null, { wait, signal }: { wait: number, signal: AbortSignal | undefined }): Promise<PageAnswer> {
    const { clock } = this.#deps
    const deadline = clock.now() + wait
    for (let asked = first; ;) {
      const done = new AbortController()
      const rung = nextRing(this.#deps, deadline, signal === undefined ? done.signal : AbortSignal.any([signal, done.signal]))
      try {
        const answer = await this.#read(asked, user)
        if (answer.count > 0 || answer.hasMore || !await rung) return answer
        // What was looked through is not looked through again at every change that others see.
        asked = { ...asked, position: positionOf(answer.checkpoint, answer.epoch) }
      } finally {
        done.abort()
      }
    }
  }
}
