/**
 * The typed client of `@pocket/server`, as `@pocket/server/client`: push, pull and live changes, for browsers and
 * Node, on the platform's own fetch. It keeps no documents: what it hands out belongs into the app's database.
 */
import { Link, randomId } from './link.ts'
import { pull, pullAll, type PullAllOptions } from './pull.ts'
import { Pusher } from './push.ts'
import { StreamReader } from './stream.ts'
import type { CallOptions, ClientOptions, PullInput, PullResponse, PushInput, PushResponse, StreamEvent, StreamInput } from './types.ts'

export { ResyncRequired, SyncProblem } from './problem.ts'
export type { PullAllOptions } from './pull.ts'
export type {
  CallOptions, ChangeInput, Checkpoint, ClientOptions, Disconnected, EntryChange, Problem, PullInput, PullResponse,
  PushInput, PushResponse, Result, ResyncReason, StreamEvent, StreamInput, Timing
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
   * @throws ResyncRequired, SyncProblem
   */
  pull (input: PullInput, options?: CallOptions): Promise<PullResponse>

  /**
   * All pages from a checkpoint on.
   * @throws ResyncRequired unless `onResync` is given; SyncProblem
   */
  pullAll (input: PullInput, options?: PullAllOptions): AsyncIterableIterator<PullResponse>

  /**
   * Everything after a checkpoint, then live changes, until the signal aborts or the consumer stops; the
   * connection then closes. Without a checkpoint it starts at the beginning. A lost connection is made again from
   * where it got to, for ever. It reads no further than the consumer does.
   * @throws SyncProblem what trying again cannot mend: a request that is wrong, or not allowed
   */
  stream (input: StreamInput): AsyncIterableIterator<StreamEvent>
}

/** @throws TypeError when `baseUrl` is no URL */
export function createClient (options: ClientOptions): Client {
  const { clientId = randomId() } = options
  const link = new Link({ ...options, baseUrl: options.baseUrl.replace(/\/+$/, '') })
  const pusher = new Pusher(link, clientId)
  return {
    clientId,
    push: (input, call = {}) => pusher.push(input, call),
    pull: (input, call) => pull(link, clientId, input, call),
    pullAll: (input, call = {}) => pullAll(next => pull(link, clientId, next, call), input, call),
    stream: input => stream(link, clientId, input)
  }
}

function stream (link: Link, clientId: string, { collections, checkpoint = { global: 0 }, epoch, signal }: StreamInput): AsyncIterableIterator<StreamEvent> {
  const stopped = new AbortController()
  const stop = (): void => {
    signal?.removeEventListener('abort', stop)
    stopped.abort()
  }
  if (signal?.aborted === true) stop()
  else signal?.addEventListener('abort', stop)
  const events = new StreamReader({
    link,
    collections,
    checkpoint,
    epoch,
    signal: stopped.signal,
    pull: input => pull(link, clientId, input, { signal: stopped.signal, retries: 0 })
  }).events()
  return {
    [Symbol.asyncIterator] () { return this },
    async next () {
      let result: IteratorResult<StreamEvent, void> | undefined
      try {
        result = await events.next()
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
