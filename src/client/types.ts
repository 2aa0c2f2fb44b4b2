/** The wire's messages under their own names, from `openapi.yaml`, and what the client takes and gives. */
import type { components } from './generated.ts'
import type { SyncProblem } from './problem.ts'

type Schemas = components['schemas']

export type Bye = Schemas['Bye']
export type Change = Schemas['Change']
export type Checkpoint = Schemas['Checkpoint']
export type EntryChange = Schemas['EntryChange']
export type Hello = Schemas['Hello']
export type Ping = Schemas['Ping']
export type Problem = Schemas['Problem']
export type PullResponse = Schemas['PullResponse']
export type PushResponse = Schemas['PushResponse']
export type Result = Schemas['Result']
export type Resync = Schemas['Resync']
export type ResyncReason = Resync['reason']

export interface ClientOptions {
  /** Where the server is, e.g. `https://sync.example.com`; in a browser also a path, `''` for the page's own origin. */
  readonly baseUrl: string
  /**
   * The bearer token. Called for every request, so keep it; called with the token that the server refused when
   * that was so, once, for a fresh one.
   */
  readonly token?: (refused?: string) => string | Promise<string>
  /** Which replica this is: a device or a tab; 1 to 128 characters. Keep it as long as the data. Default: a random one. */
  readonly clientId?: string
  /** Default: the platform's. */
  readonly fetch?: (request: Request) => Promise<Response>
  /** How often a push or pull is sent again after it failed in a way that may pass. Default 8, about a minute in all. */
  readonly retries?: number
  /**
   * What was pushed is kept for a while, the newest change of each document, and offered to the server again when
   * that has lost it: after a backup was restored. `false` keeps nothing.
   */
  readonly keep?: KeepOptions | false
  /** Only for networks that need other times. */
  readonly timing?: Partial<Timing>
}

/** How long is kept what was pushed: whatever of these is reached first ends it, oldest first. */
export interface KeepOptions {
  /** Where it survives the app, of this client alone. Default: it does not. */
  readonly store?: KeptStore
  /** Default 10,000. */
  readonly documents?: number
  /** Of the documents as JSON. Default 8 Mi. */
  readonly characters?: number
  /** Since it was answered, ms: as old as the backup that may be restored. Default 7 days. */
  readonly ageMs?: number
}

/** A `Map`, or a table of the app's database; sync or async. One that fails costs what it should have kept, nothing else. */
export interface KeptStore {
  /** All pairs that were set and not deleted, in any order. Read once. */
  entries (): Iterable<readonly [string, string]> | Promise<Iterable<readonly [string, string]>>
  set (key: string, text: string): unknown
  delete (key: string): unknown
}

/** All in ms. */
export interface Timing {
  /** An answer that takes longer is not waited for, and the message sent again. Default 60,000. */
  readonly requestMs: number
  /** The pause before the second attempt is at most this; it doubles with each. Default 1,000. */
  readonly backoffMs: number
  /** No pause is longer, unless the server asks for it. Default 30,000. */
  readonly backoffMaxMs: number
  /** A stream that has not greeted by then is held back on its way; after three in a row it is polled for. Default 5,000. */
  readonly helloMs: number
  /** How long one poll waits on the server. Default 25,000. */
  readonly waitMs: number
  /** While polling, how long until a stream is tried again. Default 300,000. */
  readonly streamAgainMs: number
}

export interface ChangeInput {
  readonly operation: Change['operation']
  readonly documentId: string
  /** The whole document; not needed with `delete`. */
  readonly document?: Change['document']
  /** When the user made the change, ms since 1970. Default: now; not with an `id` of the app's own. */
  readonly timestamp?: number
  /**
   * The sequence of the version that was edited, as a page or a result gave it. Without it the server can often
   * not tell an edit of the newest version from a conflict. Default with `insert`: 0, for a document believed new.
   */
  readonly base?: number
}

export interface PushInput {
  readonly collection: string
  readonly changes: readonly ChangeInput[]
  /**
   * Under which the message is known when it is sent again; 1 to 100 characters. Keep it with the changes where
   * they must survive the app: a push that failed is sent again under the same id, with the same changes down to
   * their timestamps. Ids that grow with time cost the server the least. Default: a UUID of version 7.
   */
  readonly id?: string
  /** Apply all changes or none. Such a push is never split. Default false. */
  readonly atomic?: boolean
  /** How far this replica has read, and the epoch that came with it: evidence where a change has no `base`. */
  readonly checkpoint?: Checkpoint
  readonly epoch?: string | undefined
}

export interface PullInput {
  /** Empty: all that this user may read. */
  readonly collections: readonly string[]
  /** As the server gave it, whole. Default: from the beginning. */
  readonly checkpoint?: Checkpoint
  /** The epoch that came with the checkpoint. */
  readonly epoch?: string | undefined
  /** Changes of a page at most. Default: the server's, 100. */
  readonly limit?: number
  /** Waits as long for something new, ms. Default 0. */
  readonly waitMs?: number
}

/** The checkpoint and epoch of a snapshot that was not read to its end; default: from the beginning. */
export type SnapshotInput = Pick<PullInput, 'collections' | 'checkpoint' | 'epoch'>

export type StreamInput = Pick<PullInput, 'collections' | 'checkpoint' | 'epoch'> & {
  /** Ends the stream. */
  readonly signal?: AbortSignal
}

/** The connection was lost or could not be made; it is tried again after `retryMs`. */
export interface Disconnected {
  readonly type: 'disconnected'
  readonly error: SyncProblem
  readonly retryMs: number
  readonly checkpoint: Checkpoint
  readonly epoch?: string | undefined
}

interface Placed { readonly epoch?: string }

/**
 * What happens on a stream, told apart by `type`. Each has the `checkpoint` and `epoch` to go on from; keep them
 * together with what was applied. With `resync` they go back, and everything from there follows.
 */
export type StreamEvent = Hello | PullResponse | (Ping & Placed) | Resync | (Bye & Placed) | Disconnected

/** Ends a call early: it then rejects with the signal's reason. */
export interface CallOptions {
  readonly signal?: AbortSignal
}
