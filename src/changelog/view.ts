/** A change log as another process reads it: while nodes serve and write it, and changing nothing. */
import type { Seal } from './audit.ts'
import type { DocumentKey, EntryFacts, Epoch, JournalQuery, JournalRow, Operation, StoredEntry } from './changelog.ts'

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
  /** Of the file; of a log on a server its URL without the password. */
  readonly path: string
  /** null where the log is no file, like all bytes. */
  readonly layout: number | null
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
  readonly fileBytes: number | null
  readonly walBytes: number | null
  /** In the file, but not in use. */
  readonly freeBytes: number | null
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

/** Which entries; what is absent does not matter. */
export interface AuditQuery {
  readonly userId?: string
  readonly collection?: string
  readonly documentId?: string
  readonly clientId?: string
  readonly address?: string
  readonly operation?: Operation
  /** Committed at or after, ms since 1970. */
  readonly since?: number
  /** Committed before. */
  readonly until?: number
}

/** Where the audit chain breaks. */
export interface Break {
  /** null where the chain as a whole is not the one that was expected. */
  readonly block: number | null
  /** null where no single entry can be named. */
  readonly sequence: number | null
  readonly problem: string
}

/** What the audit chain proves. Counts. */
export interface Proof {
  /** They are as they were sealed. */
  readonly entries: number
  /** Sequences of which only hashes are left: compaction or erasing dropped their entries. */
  readonly dropped: number
  /** Among `entries`: those of which who wrote them was erased. */
  readonly unnamed: number
  /** Written since the newest block; nothing is proven of them. */
  readonly unsealed: number
  /** Up to where the chain holds; null before its first block. */
  readonly newest: Seal | null
  /** The first one; null when the chain holds. */
  readonly broken: Break | null
}

export interface SnapshotPage {
  /** Each the newest of its document at the snapshot's sequence, in order; tombstones left out. */
  readonly entries: readonly StoredEntry[]
  /** Everything up to here was returned; the snapshot's own sequence when nothing is left. */
  readonly position: number
}

/** A file is asked at once, a server takes its time. */
export type Answer<T> = T | Promise<T>
export type Steps<Step, Result = void> = Generator<Step, Result> | AsyncGenerator<Step, Result>

/** The live documents as they stood at one sequence, though others go on writing. */
export interface Snapshot {
  next (after: number, limit: number): Answer<SnapshotPage>
  /**
   * After the last page: documents of which the version of then was compacted away before it was read, as they
   * are now, with a sequence after the snapshot's.
   */
  late (): Answer<StoredEntry[]>
}

/** Every failure of the medium is a `SyncError('storage_unavailable')`; all statements are short, or in slices. */
export interface LogView {
  /** As in `Figures`. */
  readonly path: string
  /** The newest sequence ever given out. */
  head (): Answer<number>
  epochs (): Answer<readonly Epoch[]>
  /** Entries after `sequence`, ascending, superseded ones included. */
  since (sequence: number, limit: number): Answer<StoredEntry[]>
  /** Whether others have written since it was last asked; the first answer is true. */
  moved (): Answer<boolean>
  entry (sequence: number): Answer<StoredEntry | null>
  /** A document's kept entries below `before`, newest first. */
  history (key: DocumentKey, before: number, limit: number): Answer<StoredEntry[]>
  /** Newest first. */
  journal (query: JournalQuery & { limit: number }): Answer<JournalRow[]>
  collections (): Answer<string[]>
  /** Of the file and its WAL; null where the log is no file. */
  bytes (): number | null
  snapshot (at: number, collection?: string): Snapshot
  /** Counts in slices, between which the caller may look away. */
  figures (): Steps<Progress, Figures>
  /** Looks at everything, in slices; found damage does not end it. */
  check (): Steps<Progress | Finding>
  /** Who changed what: entries without their documents, newest first, in pages that may be empty. */
  audit (query: AuditQuery): Steps<EntryFacts[]>
  /** Computes the audit chain anew. @param expected a hash, in hex, that it must lead through */
  prove (expected: string | null): Steps<Progress, Proof>
  close (): Answer<void>
}
