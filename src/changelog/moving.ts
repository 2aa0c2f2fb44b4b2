/**
 * PORT: a log that moves from one store to another, whole: every version that is kept, epochs, identities, records of
 * pushes, channel rows and journal, so that each checkpoint, repeat and history goes on where it was. What a store
 * makes of its own entries (checksums, an audit chain) does not move: the target makes it anew.
 */
import { isDeepStrictEqual } from 'node:util'
import { sha256 } from './entry.ts'
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
  /** The newest id ever given to a journal row, whether it is still there or not; 0 for none. */
  readonly journalHead: number
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
  /** '' where the source keeps none: such a record is found by its key alone. */
  readonly messageId: string
  readonly key: Uint8Array
  readonly fingerprint: Uint8Array
  readonly first: number
  readonly outcome: string
  readonly serverTimestamp: number
}

export type MovedRecord =
  /** `givenId` is its id where that is not `<epoch>-<sequence>`, else null. */
  | { readonly kind: 'entry', readonly entry: StoredEntry, readonly givenId: string | null }
  | { readonly kind: 'identity', readonly identity: IdentityRecord }
  | { readonly kind: 'channel', readonly channel: ChannelRecord }
  | { readonly kind: 'push', readonly push: PushRecord }
  | { readonly kind: 'journal', readonly row: JournalRow }

export interface MovedPart {
  readonly records: readonly MovedRecord[]
  /** Where the next part begins; null when nothing was left, and then there are no records. Opaque, and good across restarts while the source rests. */
  readonly next: string | null
}

/** What is moved: two moves of the same log in the same state bring the same. */
export interface MoveSource {
  readonly log: string
  /** Another one as soon as the log was served since. */
  readonly state: string
}

export interface MovableStore extends ChangeStore {
  /**
   * In place of `open`, for `facts` and `part`: creates nothing, changes nothing, begins no epoch. One process per file
   * keeps others from writing meanwhile; of a log on a server, which others may serve, everything that only asks works
   * as well: the program looks at it so. `facts` and `part` work on an open store too.
   * @throws SyncError storage_unavailable when there is no log, another holds it, or it is the target of a move that has not ended
   */
  openAtRest (): Promise<void>
  facts (): Promise<LogFacts>
  /**
   * After `openAtRest`: the same for two stores exactly when they are of one log in one place, by whatever names it was
   * reached. Only of a log on a server: of a file, the lock tells.
   */
  place? (): Promise<string>
  /**
   * A part of the log: entries first, in sequence order, then the other kinds, each in an order of its own. Every
   * identity by which a repeat is known is a record, also one that the store itself derives from a head.
   * @param from `next` of the part before; null for the first
   * @param size records at most, and about as many times 1 KiB of text; one record at least
   * @throws SyncError storage_unavailable naming an entry that is damaged
   */
  part (from: string | null, size: number): Promise<MovedPart>
  /**
   * In place of `open`: makes the store the target of a move, creating it where there is none. It must be empty (no
   * sequence given out, no push, no journal), or the target of a move of the same log before: of the same state it
   * goes on, of another one what had come is dropped.
   * @returns where to go on from; null for the beginning
   * @throws TypeError when the store holds another log
   */
  begin (source: MoveSource): Promise<{ readonly progress: string | null }>
  /**
   * Takes over a part, as often as it comes, and notes where to go on from in the same step. Only between `begin` and
   * `end`. Records are put as they are; the entry with the highest sequence of a document is its head.
   * @throws TypeError naming the document whose text this store cannot hold; nothing of the part is kept then
   */
  take (records: readonly MovedRecord[], progress: string): Promise<void>
  /** All has come: sets the facts. Until then `open` refuses; from now on it opens the log, and begins an epoch as ever. */
  end (facts: LogFacts): Promise<void>
}

export function isMovable (store: ChangeStore): store is MovableStore {
  return 'part' in store && 'take' in store
}

/** Whether all of the source is at a target, where nodes may serve it by now. */
export function holdsAll (target: LogFacts, source: LogFacts): boolean {
  const own = target.epochs[source.epochs.length]
  if (own === undefined) return isDeepStrictEqual(sourceOf(target), sourceOf(source))
  return sourceOf(target).log === sourceOf(source).log && own.first === source.head + 1 &&
    isDeepStrictEqual(target.epochs.slice(0, source.epochs.length), source.epochs) &&
    target.journalHead >= source.journalHead && target.horizon >= source.horizon
}

/** By the log's secret and everything that changes when it is served, the epochs above all. */
export function sourceOf ({ secret, ...rest }: LogFacts): MoveSource {
  return { log: sha256(secret).toString('hex'), state: sha256(JSON.stringify(rest)).toString('hex') }
}
