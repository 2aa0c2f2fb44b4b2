/**
 * PORT: a log that moves from one store to another, whole: every version that is kept, epochs, identities, records of
 * pushes, channel rows and journal, so that each checkpoint, repeat and history goes on where it was.
 */
import type { ChangeStore, Epoch, JournalRow, StoredEntry } from './changelog.ts'

/** What is true of the log as a whole. */
export interface LogFacts {
  readonly head: number
  readonly horizon: number
  readonly historyHorizon: number
  /** Oldest first. */
  readonly epochs: readonly Epoch[]
  readonly secret: Uint8Array
  /** By what the documents are filed, and which filing that is; '' for neither. */
  readonly filedBy: string
  readonly filing: string
}

export interface IdentityRecord {
  readonly collection: string
  readonly documentId: string
  readonly identity: Uint8Array
  readonly sequence: number
  readonly serverTimestamp: number
}

export interface ChannelRecord {
  readonly collection: string
  readonly documentId: string
  readonly channel: string
  readonly position: number
  readonly member: boolean
}

export interface PushRecord {
  readonly messageId: string
  readonly key: Uint8Array
  readonly fingerprint: Uint8Array
  readonly first: number
  readonly outcome: string
  readonly serverTimestamp: number
}

/** An entry's `id` is kept where it is not `<epoch>-<sequence>`. */
export type MovedRecord =
  | { readonly kind: 'entry', readonly entry: StoredEntry }
  | { readonly kind: 'identity', readonly identity: IdentityRecord }
  | { readonly kind: 'channel', readonly channel: ChannelRecord }
  | { readonly kind: 'push', readonly push: PushRecord }
  | { readonly kind: 'journal', readonly row: JournalRow }

export interface MovedPart {
  readonly records: readonly MovedRecord[]
  /** Where the next part begins; null after the last. Opaque, and good across restarts while the source rests. */
  readonly next: string | null
}

export interface MovableStore extends ChangeStore {
  facts (): Promise<LogFacts>
  /**
   * A part of the log: entries first, in sequence order, then the other kinds, each in an order of its own.
   * @param from `next` of the part before; null for the first
   * @param size records at most, and about as many times 1 KiB of text
   */
  part (from: string | null, size: number): Promise<MovedPart>
  /**
   * Takes over a part, as often as it comes; only between `begin` and `end`. Identities and records are put as they
   * are; the entry with the highest sequence of a document is its head. @param progress where to go on from, kept with
   * the part in one step
   */
  take (part: readonly MovedRecord[], progress: string | null): Promise<void>
  /**
   * Makes the store the target of a move: it must be empty, or the target of the same move before.
   * @param source names the log that moves, e.g. by its secret and oldest epoch
   * @returns where to go on from; null for the beginning
   * @throws TypeError when the store holds another log
   */
  begin (source: string): Promise<{ readonly progress: string | null }>
  /** All has come: sets the facts, opens an epoch after the head, and the store can be served. Until then it refuses to be. */
  end (facts: LogFacts): Promise<void>
}

export function isMovable (store: ChangeStore): store is MovableStore {
  return 'part' in store && 'take' in store
}
