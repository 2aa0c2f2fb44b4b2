/** What a load generator is asked to do, and what it tells. */

/** Where the requests go. */
interface Base {
  readonly port: number
  /** Process whose CPU is counted. */
  readonly pid: number
  readonly connections: number
  /** How long is measured, after a fifth of that time to warm up. */
  readonly ms: number
  /** Sent as the bearer token. */
  readonly token?: string
  /** Conversations go on where the last load of this name left them. */
  readonly resume?: string
}

/** `echo`: the bodies of our pushes to `/`, whatever comes back. */
export interface PushLoad extends Base {
  readonly kind: 'push' | 'echo' | 'rxdb-push' | 'pouch-push'
  readonly changes: number
  /** Updates go to documents that the same connection inserted before; default false. */
  readonly updates?: boolean
  /** Messages have random ids, not ids that grow with time; default false. */
  readonly randomIds?: boolean
  /** How far the clients have read, and the epoch that lies in; default: nothing. */
  readonly checkpoint?: { readonly global: number }
  readonly epoch?: string
}

export interface PullLoad extends Base {
  readonly kind: 'pull' | 'echo-pull' | 'page' | 'rxdb-pull' | 'pouch-pull'
  readonly limit: number
  /** Where each conversation begins; with `follow` it goes on from the answer, else it asks the same again. */
  readonly checkpoint: { readonly global: number, readonly scope?: string }
  readonly epoch?: string
  readonly follow: boolean
  /** Pages are cut otherwise each time it begins, so that no two questions are equal; default false. */
  readonly apart?: boolean
  /** With `follow`: counts whole pulls, from the checkpoint to the end, not documents. */
  readonly whole?: boolean
  /** Documents that every answer holds, where that is known: each must move the checkpoint by as many. */
  readonly expect?: number
}

/** Every connection reads everything there is, once; the time ends with the last of them. */
export interface WholeLoad extends Omit<Base, 'ms' | 'resume'> {
  readonly kind: 'paged' | 'changes' | 'snapshot' | 'rxdb-whole'
  /** How many there are. */
  readonly documents: number
  /** Of a page. */
  readonly limit: number
  readonly epoch?: string
  /** What the first of the `changes` pages says of a first sync that is under way. */
  readonly snapshot?: number
  /** In which the answers come; absent: plain. */
  readonly coding?: 'gzip'
}

export type Load = PushLoad | PullLoad

export interface LoadResult {
  /** Documents a second, or requests where there are none. */
  readonly rate: number
  /** CPU of the measured process per document or request, µs. */
  readonly cpuMicros: number
  /** Share of one core that the generator used. */
  readonly generator: number
  /** Changes that were acknowledged in all, before and after the measured time too. */
  readonly acknowledged: number
  /** Of the requests in the measured time, ms. */
  readonly p50: number
  readonly p99: number
}
