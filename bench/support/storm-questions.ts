/** What the helper that comes back is asked to do, and what it tells. */
import type { Returned } from '../../test/support/returning.ts'

export type StormQuestion =
  /** Opens so many streams, one half as EventSource and one as our client; answers when all are live. */
  | { readonly what: 'open', readonly port: number, readonly count: number }
  /** What happens counts from now, while so many changes a second are pushed. */
  | { readonly what: 'begin', readonly rate: number }
  | { readonly what: 'cut' }
  /** Waits until all are live and have everything. */
  | { readonly what: 'settle', readonly ms: number }

/** Of one storm. */
export interface Storm extends Omit<Returned, 'times' | 'failed'> {
  readonly streams: number
  readonly live: number
  /** Entries pushed meanwhile. */
  readonly pushed: number
  /** Streams that have all of these. */
  readonly complete: number
  readonly failed: readonly string[]
  /** From its loss until a stream was live again, ms. */
  readonly p50: number
  readonly p99: number
  readonly longest: number
  /** Share of one core that the clients used. */
  readonly generator: number
}
