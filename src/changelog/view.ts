/** A change log as a second process reads it: while a server holds and writes it, and changing nothing. */
import type { DocumentKey, Epoch, JournalQuery, JournalRow, StoredEntry } from './changelog.ts'

export interface CollectionFigures {
  readonly name: string
  readonly documents: number
  readonly tombstones: number
}

export interface EntryPlace {
  readonly sequence: number
  /** ms since 1970. */
  readonly serverTimestamp: number
}

/** What a log holds. Bytes, counts, ms since 1970. */
export interface Figures {
  readonly path: string
  readonly layout: number
  readonly head: number
  readonly horizon: number
  readonly epochs: readonly Epoch[]
  /** Most documents first. */
  readonly collections: readonly CollectionFigures[]
  readonly documents: number
  readonly tombstones: number
  /** Superseded ones and tombstones included. */
  readonly entries: number
  readonly identities: number
  readonly journal: number
  readonly pushes: number
  readonly channels: number
  /** null in an empty log. */
  readonly oldest: EntryPlace | null
  readonly newest: EntryPlace | null
  readonly fileBytes: number
  readonly walBytes: number
  /** In the file, but not in use. */
  readonly freeBytes: number
}

/** How far a long look has come, in rows; `total` is an estimate. */
export interface Progress {
  readonly done: number
  readonly total: number
}

/** Something that is wrong with a log. */
export interface Finding {
  readonly about: 'file' | 'entry' | 'head' | 'chain' | 'sequence' | 'epoch' | 'horizon' | 'channel' | 'identity' | 'push' | 'journal' | 'meta'
  readonly sequence: number | null
  readonly collection: string | null
  readonly documentId: string | null
  readonly problem: string
  /** What the operator does about it. */
  readonly advice: string
}

export interface SnapshotPage {
  /** Each the newest of its document at the snapshot's sequence, in order; tombstones left out. */
  readonly entries: readonly StoredEntry[]
  /** Everything up to here was returned; the snapshot's own sequence when nothing is left. */
  readonly position: number
}

/** The live documents as they stood at one sequence, though others go on writing. */
export interface Snapshot {
  next (after: number, limit: number): SnapshotPage
  /**
   * After the last page: documents of which the version of then was compacted away before it was read, as they
   * are now, with a sequence after the snapshot's.
   */
  late (): StoredEntry[]
}

/** Every failure of the medium is a `SyncError('storage_unavailable')`; all statements are short, or in slices. */
export interface LogView {
  readonly path: string
  /** The newest sequence ever given out. */
  head (): number
  epochs (): readonly Epoch[]
  /** Entries after `sequence`, ascending, superseded ones included. */
  since (sequence: number, limit: number): StoredEntry[]
  /** Whether others have written since it was last asked; the first answer is true. */
  moved (): boolean
  entry (sequence: number): StoredEntry | null
  /** A document's kept entries below `before`, newest first. */
  history (key: DocumentKey, before: number, limit: number): StoredEntry[]
  /** Newest first. */
  journal (query: JournalQuery & { limit: number }): JournalRow[]
  collections (): string[]
  /** Of the file and its WAL. */
  bytes (): number
  snapshot (at: number, collection?: string): Snapshot
  /** Counts in slices, between which the caller may look away. */
  figures (): Generator<Progress, Figures>
  /** Looks at everything, in slices; found damage does not end it. */
  check (): Generator<Progress | Finding, void>
  close (): void
}
