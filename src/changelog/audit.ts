/**
 * What a store with an audit chain can do besides: entries are sealed in blocks, each of which names the one before,
 * and a document can be erased while the chain stays valid. `SqliteChangeLog` is one; a log in memory, or one with
 * the seven methods alone, has no chain.
 */
import type { DocumentKey } from './changelog.ts'

/** Up to where the chain goes. */
export interface Seal {
  /** The newest block, counted from 1. */
  readonly block: number
  /** The newest sequence that is sealed. */
  readonly sequence: number
  /** The newest block's hash, in hex. Written down elsewhere it proves later that nothing up to there was rewritten. */
  readonly hash: string
}

/** What went with documents that were erased. Counts. */
export interface Erased {
  readonly versions: number
  readonly journal: number
  /** False while another process reads the log: its WAL then keeps what was erased until the next checkpoint. */
  readonly walEmptied: boolean
}

/** What went with everything that a user wrote. Counts. */
export interface ErasedUser extends Erased {
  /** Documents that this user alone wrote: they are gone. */
  readonly documents: number
  /** Documents that others wrote too: they stay, and who wrote this user's versions is forgotten. */
  readonly shared: number
}

export interface EraseOptions {
  /**
   * Rewrite the whole file afterwards. Without it what was erased is overwritten where it lay, but a copy that SQLite
   * left in the unused part of another page, when it moved entries, may stay. Everybody waits meanwhile, and the disk
   * needs room for the file once more. Default false.
   */
  readonly rewrite?: boolean
}

/** What a user wrote, as far as one look went. */
export interface WrittenBy {
  /** `alone`: nobody else's words are among the kept versions. */
  readonly documents: ReadonlyArray<DocumentKey & { readonly alone: boolean }>
  /** Look on from here; null at the end. */
  readonly next: number | null
}

export interface AuditStore {
  /** Called after each sealing. */
  onSeal (listener: (seal: Seal) => void): void
  /**
   * Seals entries in blocks, in small steps between which commits go on. What does not fill a block waits.
   * @param before entries from before this time do not wait; ms, of the server's clock. Default: none waits
   */
  seal (before?: number): Promise<void>
  /**
   * Drops what the log holds of documents below their deletions: versions, identities, journal rows and the records
   * of pushes that tell of those. The deletions stay, so that replicas learn of them; a document that lives stays.
   */
  erase (keys: readonly DocumentKey[], options?: EraseOptions): Promise<Erased>
  /** @param after 0 to begin */
  writtenBy (userId: string, after: number): Promise<WrittenBy>
  /** Forgets who wrote the versions that this user wrote of a document. @returns how many there were */
  forgetWriter (key: DocumentKey, userId: string): Promise<number>
  /** Drops the journal rows of this user. @returns how many there were */
  forgetJournal (userId: string): Promise<number>
}
