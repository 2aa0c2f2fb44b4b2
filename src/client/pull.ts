import { randomId, type Link } from './link.ts'
import { ResyncRequired } from './problem.ts'
import type { CallOptions, PullInput, PullResponse } from './types.ts'

export type PullAllOptions = CallOptions & {
  /**
   * Called before everything comes again from the beginning: mark what you have, and drop what did not come when
   * the pages end. Without it `pullAll` throws the `ResyncRequired`.
   */
  readonly onResync?: (resync: ResyncRequired) => void | Promise<void>
}

export function pull (link: Link, clientId: string, input: PullInput, { signal, retries }: CallOptions & { retries?: number } = {}): Promise<PullResponse> {
  const id = randomId()
  const { collections, checkpoint, epoch, limit, waitMs } = input
  const text = JSON.stringify({ type: 'pull', id, timestamp: Date.now(), collections, checkpoint, epoch, limit, waitMs, clientId })
  return link.pull(text, { id, signal, waitMs, ...retries === undefined ? {} : { retries } })
}

/** What pages are made of. */
interface Pages {
  /** Pulls one page. */
  readonly next: (input: PullInput) => Promise<PullResponse>
  /** Offers again what the server may have lost. @returns whether there was anything */
  readonly settle: () => Promise<boolean>
}

/** Pages until there is no more. */
export async function * pullAll ({ next, settle }: Pages, input: PullInput, { onResync }: PullAllOptions): AsyncGenerator<PullResponse, void, undefined> {
  let { checkpoint, epoch } = input
  for (let resyncs = 0, offers = 0; ;) {
    let page: PullResponse
    try {
      page = await next({ ...input, ...checkpoint === undefined ? {} : { checkpoint }, epoch })
    } catch (error) {
      // A server that refuses its own starting point would do so for ever.
      if (!(error instanceof ResyncRequired) || onResync === undefined || resyncs++ > 2) throw error
      await onResync(error)
      checkpoint = error.checkpoint
      epoch = error.epoch
      continue
    }
    checkpoint = page.checkpoint
    epoch = page.epoch
    yield page
    // What was offered again comes back with further pages. A server that loses it again at once would do so for ever.
    if (!page.hasMore && (!await settle() || offers++ > 2)) return
  }
}
