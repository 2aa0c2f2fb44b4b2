/**
 * The typed client of `@pocket/server`, as `@pocket/server/client`: push, pull and live changes, for browsers and
 * Node, on the platform's own fetch. It keeps no documents: what it hands out belongs into the app's database.
 *
 * A resync (the server was restored from a backup, or this replica slept for longer than deletions are kept):
 * - The app marks all its documents of these collections, applies what comes from then on, and at the page with
 *   `hasMore` false drops those that did not come. Its unsent changes stay, less their `base`.
 * - The client starts over, and then, before it asks for more, offers again what it had pushed and the server has
 *   lost (`keep`). That comes back to the app like every other change. Without a resync, too: a replica that
 *   had not read as far as the backup goes still may have written beyond it.
 */
import { Kept } from './kept.ts'
import { Link, randomId } from './link.ts'
import { ResyncRequired } from './problem.ts'
import { pull, pullAll, type PullAllOptions } from './pull.ts'
import { Pusher } from './push.ts'
import { snapshot, type SnapshotSource } from './snapshot.ts'
import { StreamReader } from './stream.ts'
import type { CallOptions, ClientOptions, PullInput, PullResponse, PushInput, PushResponse, SnapshotInput, StreamEvent, StreamInput } from './types.ts'

export { ResyncRequired, SyncProblem } from './problem.ts'
export type { PullAllOptions } from './pull.ts'
export type {
  CallOptions, ChangeInput, Checkpoint, ClientOptions, Disconnected, EntryChange, KeepOptions, KeptStore, Problem, PullInput, PullResponse,
  PushInput, PushResponse, Result, ResyncReason, SnapshotInput, StreamEvent, StreamInput, Timing
} from './types.ts'

export interface Client {
  /** Which replica this is. */
  readonly clientId: string

  /**
   * Sends changes and says what became of each, in `results`. Failures that may pass are tried again under the same
   * id, so it takes effect once (promise 3). A large push goes out as several messages, in order, with one answer
   * for all; a single change that is too large for the way is `rejected` and the others go on. A checkpoint in
   * the answer never lies before the one that was given.
   * @throws SyncProblem what the server refuses as a whole, or cannot be reached for; the parts before it took effect
   * @throws ResyncRequired when the given checkpoint cannot be continued from; nothing was applied
   */
  push (input: PushInput, options?: CallOptions): Promise<PushResponse>

  /**
   * One page of what changed after a checkpoint. Apply it, keep its `checkpoint` and `epoch`, and ask again from
   * there while `hasMore` is true.
   * @throws ResyncRequired: mark what you have and pull from its `checkpoint` and `epoch`; SyncProblem
   */
  pull (input: PullInput, options?: CallOptions): Promise<PullResponse>

  /**
   * All pages from a checkpoint on; after a resync they begin anew, and those of what was offered again follow.
   * @throws ResyncRequired unless `onResync` is given; SyncProblem
   */
  pullAll (input: PullInput, options?: PullAllOptions): AsyncIterableIterator<PullResponse>

  /**
   * The first sync of a replica that has nothing yet: pages of all documents as they stand, from one answer that is
   * gone on with where it is cut, and at the end pages of what changed meanwhile, the last with `hasMore` false. Apply
   * and keep each like one of `pullAll`. An app that was stopped midway goes on with the checkpoint and epoch that it
   * kept, by this or by `pullAll`. Deletions of before are not told: who has documents already takes `pullAll`.
   * @throws ResyncRequired unless `onResync` is given; SyncProblem
   */
  snapshot (input: SnapshotInput, options?: PullAllOptions): AsyncIterableIterator<PullResponse>

  /**
   * Everything after a checkpoint, then live changes, until the signal aborts or the consumer stops; the
   * connection then closes. Without a checkpoint it starts at the beginning. A lost connection is made again from
   * where it got to, for ever. It reads no further than the consumer does. A `resync` event says that what follows
   * begins anew: mark what you have.
   * @throws SyncProblem what trying again cannot mend: a request that is wrong, or not allowed
   */
  stream (input: StreamInput): AsyncIterableIterator<StreamEvent>
}

/** @throws TypeError when `baseUrl` is no URL */
export function createClient (options: ClientOptions): Client {
  const { clientId = randomId(), keep = {} } = options
  const link = new Link({ ...options, baseUrl: options.baseUrl.replace(/\/+$/, '') })
  const server = new Server(link, clientId, keep === false ? null : new Kept(keep))
  return {
    clientId,
    push: (input, call = {}) => server.push(input, call),
    pull: (input, call = {}) => server.pull(input, call),
    pullAll: (input, call = {}) => server.pullAll(input, call),
    snapshot: (input, call = {}) => snapshot(server.snapshots(call), input, call),
    stream: input => stream(server, input)
  }
}

/** What a client asks of its server, with an eye on whether that has lost what it answered. */
class Server {
  readonly link: Link
  readonly kept: Kept | null
  readonly #clientId: string
  readonly #pusher: Pusher

  constructor (link: Link, clientId: string, kept: Kept | null) {
    this.link = link
    this.kept = kept
    this.#clientId = clientId
    this.#pusher = new Pusher(link, clientId)
  }

  push (input: PushInput, call: CallOptions): Promise<PushResponse> {
    return this.#watch(() => this.#pusher.push(input, { ...call, keep: this.#keep }))
  }

  async pull (input: PullInput, call: CallOptions & { retries?: number }): Promise<PullResponse> {
    await this.settle(call)
    const before = this.kept?.answers ?? 0
    const page = await this.#watch(() => pull(this.link, this.#clientId, input, call))
    await this.kept?.sawPage(input, page, before)
    return page
  }

  pullAll (input: PullInput, call: PullAllOptions): AsyncGenerator<PullResponse, void, undefined> {
    return pullAll({ next: page => this.pull(page, call), settle: () => this.settle(call) }, input, call)
  }

  snapshots (call: PullAllOptions): SnapshotSource {
    return {
      link: this.link,
      saw: async page => { await this.kept?.sawPage({}, page, -1) },
      resync: async reason => { await this.kept?.resync(reason) },
      pulls: input => this.pullAll(input, call)
    }
  }

  async settle ({ signal }: CallOptions): Promise<boolean> {
    const call = { ...signal === undefined ? {} : { signal }, retries: 0, again: true, keep: this.#keep }
    return await this.kept?.settle(input => this.#pusher.push(input, call)) ?? false
  }

  readonly #keep = async (...answered: Parameters<Kept['add']>): Promise<void> => { await this.kept?.add(...answered) }

  async #watch<T> (send: () => Promise<T>): Promise<T> {
    try {
      return await send()
    } catch (error) {
      if (error instanceof ResyncRequired) await this.kept?.resync(error.reason)
      throw error
    }
  }
}

function stream (server: Server, { collections, checkpoint = { global: 0 }, epoch, signal }: StreamInput): AsyncIterableIterator<StreamEvent> {
  const stopped = new AbortController()
  const stop = (): void => {
    signal?.removeEventListener('abort', stop)
    stopped.abort()
  }
  if (signal?.aborted === true) stop()
  else signal?.addEventListener('abort', stop)
  const events = new StreamReader({
    link: server.link,
    collections,
    checkpoint,
    epoch,
    signal: stopped.signal,
    pull: input => server.pull(input, { signal: stopped.signal, retries: 0 })
  }).events()
  const watched = watch(server, events, { checkpoint, epoch })
  return {
    [Symbol.asyncIterator] () { return this },
    async next () {
      let result: IteratorResult<StreamEvent, void> | undefined
      try {
        result = await watched(stopped.signal)
        return result
      } finally {
        if (result?.done !== false) stop()
      }
    },
    // Also while a `next` waits for something to happen, which a generator alone would wait for too.
    return: () => {
      stop()
      return events.return()
    }
  }
}

/** The events one by one; what a resync has shown to be lost is offered again before the next is read. */
function watch (server: Server, events: AsyncGenerator<StreamEvent, void, undefined>, from: Pick<PullInput, 'checkpoint' | 'epoch'>): (signal: AbortSignal) => Promise<IteratorResult<StreamEvent, void>> {
  let before = server.kept?.answers ?? 0
  return async signal => {
    await server.settle({ signal })
    const result = await events.next()
    if (result.done !== true) {
      const { checkpoint, epoch } = result.value
      await server.kept?.sawEvent(result.value, from, before)
      from = { checkpoint, epoch }
      before = server.kept?.answers ?? 0
    }
    return result
  }
}
