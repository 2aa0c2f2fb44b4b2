/**
 * PORT: what the nodes over one log agree on beside it. Small and short-lived: all of it may be lost without harm to
 * data, and lapses by the clock of the place where it lies, never by a node's.
 *
 * - account: what one user or address may still spend of a minute's budget, refilled evenly
 * - ticket: opens one stream, once, on any node
 * - lease: how long a node counts as there without another word: its streams count so long
 * - order: what one node wants done by another, which has the stream
 *
 * Names are digests or ids of ours: up to 64 characters of `A-Z a-z 0-9 _ : -`.
 */

/** Each method rejects when the place is away; what was asked may be done then. */
export interface Coordination {
  /**
   * Takes shares out of accounts, and charges what was spent without one. Each account for itself, atomically: the
   * shares of all nodes are never more than its budget. One that nobody touches until it is full is forgotten.
   */
  draw (asked: readonly Draw[]): Promise<readonly Drawn[]>
  /** Keeps it for its time, or answers false when there is no room. The oldest ones of its owner go for it. */
  putTicket (ticket: SharedTicket): Promise<boolean>
  /** Hands it out and forgets it in one step, so that of all who ask only one gets it; null when there is none. */
  takeTicket (hash: string): Promise<string | null>
  /** Counts one stream more of an owner, unless all nodes have `most` together. Nodes whose lease is over do not count. */
  enter (entry: Entry): Promise<boolean>
  /** Says that a node is there, what streams it has, and what it wants of others; brings what others want of it, each once. */
  report (report: Report): Promise<Reported>
  /** Idempotent. */
  close (): Promise<void>
}

export interface Draw {
  readonly account: string
  /** Of the account; at most so much is in it. */
  readonly perMinute: number
  /** Charged first, whatever is left; negative gives back. */
  readonly charge: number
  /** To be taken, or as much of it as there is; nothing where there is not `least`. */
  readonly want: number
  readonly least: number
}

export interface Drawn {
  readonly taken: number
  /** Time until the account has `least` where it has not, ms; else 0. */
  readonly waitMs: number
}

export interface SharedTicket {
  readonly hash: string
  readonly owner: string
  readonly text: string
  /** ms. */
  readonly livesFor: number
  /** In all. */
  readonly most: number
  readonly mostOfOwner: number
}

export interface Entry {
  readonly node: string
  readonly owner: string
  /** Over all nodes. */
  readonly most: number
  /** ms. */
  readonly lease: number
}

export interface Report {
  readonly node: string
  /** ms; 0: the node is gone, and all that was said of it. */
  readonly lease: number
  /** Owners whose streams on this node are so many now; who is not named stays as before. */
  readonly streams: ReadonlyArray<readonly [owner: string, count: number]>
  readonly orders: readonly Order[]
}

export interface Order {
  readonly node: string
  /** Of at most 1,000 characters. */
  readonly text: string
}

export interface Reported {
  /** Whether what the node has said before still stands; where it does not, it must say all again. */
  readonly known: boolean
  /** For this node, in the order in which they came. */
  readonly orders: readonly string[]
}

/** How long an order waits for its node, ms. */
export const ORDER_MS = 60_000
/** Orders that wait for one node: beyond, the oldest go. */
export const ORDERS = 1000
