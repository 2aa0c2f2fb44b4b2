/**
 * PORT: the change log, the truth of the server.
 * - document: a JSON object with an `_id`, living in a collection
 * - entry: a change that the server accepted, with its sequence
 * - sequence: the entry's place in the one order of the log: a positive integer, never reused, never going back
 * - head: a document's newest entry; of a deleted document a tombstone
 * - epoch: which stretch of history a sequence lies in; a row more at every start of a node
 * - horizon: the lowest sequence from which a client can still catch up; below it tombstones are gone
 * - channel: a name under which a document is filed
 * - identity: the digest by which a repeated change is known
 * - journal: losers of conflicts and refused changes; they have no sequence
 * `ChangeLog` is what an application may implement itself; `ChangeStore` is the richer port of our own adapters, which
 * `src/conformance/changelog.ts` holds to the promises written here.
 */
export type Operation = 'insert' | 'update' | 'delete'

/** An entry as every change log keeps and returns it. */
export interface ChangeEntry {
  /** Unique in the log; of entries that the server wrote `<epoch>-<sequence>`. */
  readonly id: string
  readonly sequence: number
  readonly collection: string
  readonly documentId: string
  /** `insert` for a document's first entry since its birth, else `update`; `delete` makes a tombstone. */
  readonly operation: Operation
  /** JSON text; null of a tombstone. */
  readonly document: string | null
  /** The same text under the name that users' own logs know. */
  readonly data: string | null
  /** The client's clock, in ms since 1970. */
  readonly timestamp: number
}

/** What the server's own stores keep of an entry beside its body; with it a `StoredEntry` is whole. */
export interface EntryFacts {
  readonly sequence: number
  readonly collection: string
  readonly documentId: string
  readonly operation: Operation
  readonly timestamp: number
  /** max(min(timestamp, server time + 60 s), effective time of its base + 1): what conflicts are decided by. */
  readonly effectiveTime: number
  /** The server's clock at the commit. */
  readonly serverTimestamp: number
  readonly userId: string | null
  readonly clientId: string | null
  readonly address: string | null
  /** The document's `_rev`, where the client keeps revisions; compared for equality only. */
  readonly rev: string | null
  /** SHA-256 of the canonical content. */
  readonly hash: Uint8Array
  /** The entry this one replaced as the document's head; 0 for the document's first ever. */
  readonly previous: number
  /** Stored exactly as the client sent it: neither merged nor resolved. */
  readonly exact: boolean
}

export interface StoredEntry extends ChangeEntry, EntryFacts {}

/** The extension point for applications: seven methods, single node; the server keeps the rest itself. */
export interface ChangeLog {
  append (change: ChangeEntry): Promise<void>
  /** Entries after `sequence`, ascending, superseded ones included. @param limit default 100 */
  getSince (sequence: number, limit?: number): Promise<ChangeEntry[]>
  getForCollection (collection: string, since: number): Promise<ChangeEntry[]>
  get (id: string): Promise<ChangeEntry | null>
  /** The newest sequence ever given out; 0 in a new log. */
  getCurrentSequence (): Promise<number>
  compact (): Promise<void>
  clear (): Promise<void>
}

export interface DocumentKey {
  readonly collection: string
  readonly documentId: string
}

/** A question about one document; with an identity also whether that change was ever accepted. */
export interface HeadKey extends DocumentKey {
  readonly identity?: Uint8Array
}

export interface HeadAnswer {
  /** Without its body: `entries` fetches that where a decision needs it. */
  readonly head: EntryFacts | null
  /** First sequence under which the identity was recorded; 0 when it never was. */
  readonly duplicateOf: number
}

/** An entry before it has a sequence. */
export interface NewEntry extends DocumentKey {
  readonly operation: Operation
  readonly document: string | null
  readonly timestamp: number
  readonly effectiveTime: number
  readonly rev: string | null
  readonly hash: Uint8Array
  readonly identity: Uint8Array
  readonly exact: boolean
  /** Sequence of the head the decision rests on, 0 for none. Not asked of an entry that follows another on its document in the same push. */
  readonly expected: number
  /** That head, where it was asked for: the store then need not look it up. */
  readonly replaces?: EntryFacts | null
  /** All channels the document is filed under from now on; absent = none, and the log is not filed any more: see `file`. */
  readonly channels?: readonly string[]
}

/** A change that was not taken over: a loser of a conflict, or a refused one. */
export interface NewJournalRow extends DocumentKey {
  readonly status: 'conflict' | 'rejected'
  /** Code of the error catalogue, or the reason of the conflict. */
  readonly code: string
  /** The change as it came, as text; never served as JSON, since it may be the very thing that was refused. */
  readonly raw: string
}

export interface JournalRow extends NewJournalRow {
  readonly id: number
  readonly messageId: string
  readonly serverTimestamp: number
  readonly userId: string | null
  readonly clientId: string | null
  readonly address: string | null
}

/** Which rows of the journal, newest first. */
export interface JournalQuery {
  /** Only rows with an id below this one. */
  readonly before?: number
  /** Default 100. */
  readonly limit?: number
  readonly collection?: string
  readonly documentId?: string
}

/** One push as it is committed: all of it or nothing. */
export interface Push {
  /** Digest of (user, client, message id); by it the push is known when it comes again. */
  readonly key: Uint8Array
  /** Digest of its content; another one under the same key is `reused`. */
  readonly fingerprint: Uint8Array
  /** What to answer when it comes again: opaque to the store, kept with the record. */
  readonly outcome: string
  readonly entries: readonly NewEntry[]
  readonly journal: readonly NewJournalRow[]
  readonly messageId: string
  readonly userId: string | null
  readonly clientId: string | null
  readonly address: string | null
  /** The server's clock, ms. */
  readonly serverTimestamp: number
}

export type Committed =
  /** Durable. Its entries took the consecutive sequences from `first` on (0 when it has none). */
  | { readonly status: 'committed', readonly first: number }
  /** Seen before; nothing was written. */
  | { readonly status: 'seen', readonly first: number, readonly outcome: string }
  /** Seen before with another fingerprint; nothing was written. */
  | { readonly status: 'reused' }
  /** These documents have other heads than expected; nothing was written. */
  | { readonly status: 'moved', readonly heads: readonly EntryFacts[] }

export interface ReadQuery {
  /** Exclusive: one position for everything, or one per collection (their keys are then the collections). */
  readonly after: number | ReadonlyMap<string, number>
  /** null = all. Ignored when `after` is a map. */
  readonly collections: readonly string[] | null
  /** Only documents filed under one of these now, and removals of those that were. Absent = all documents. */
  readonly channels?: readonly string[]
  /** Without `channels`: each row also says where its document was filed after this position. */
  readonly filedAfter?: number
  /** Rows at most; ≥ 1. */
  readonly limit: number
  /** Stop after the row with which the documents' text passes this many bytes; at least one row is returned. */
  readonly bytes: number
  /** Of the page that answered the same question before: where it would be the same again, the store may say so instead of reading it. */
  readonly stamp?: string
}

/** Less than an entry: a page is read often, and most of an entry's facts concern the server alone. */
export type Shown = Pick<StoredEntry, 'sequence' | 'collection' | 'documentId' | 'operation' | 'document' | 'timestamp'>

/** Where a document entered a channel (again with each entry it stays for) or left it. */
export interface ChannelRow {
  readonly channel: string
  readonly position: number
  readonly member: boolean
}

export interface Row {
  /** Where the row stands in the order: the entry's sequence, or of a removal where the document left the channels. */
  readonly position: number
  /** The document's head: what a reader is shown of it. */
  readonly entry: Shown
  /** False: the document has left the channels that are read; its body must not be shown. */
  readonly member: boolean
  /** The document's channel rows after `filedAfter`, in no order; absent where that was not asked, or the store has no channels. */
  readonly filed?: readonly ChannelRow[]
}

export interface Page {
  /** The newest entry per document, positions ascending. */
  readonly rows: readonly Row[]
  /** Everything asked for with a position up to here is in `rows`; equals `head` when nothing is left. */
  readonly scanned: number
  /** The newest sequence of the log in the snapshot that was read. */
  readonly head: number
  readonly horizon: number
  /** The newest entry of which the version before it is gone: what a reader was shown up to here may not be known any more. */
  readonly historyHorizon: number
  /** All epochs in the same snapshot, oldest first. */
  readonly epochs: readonly Epoch[]
  /** Of a page that was cut, where the store can tell quickly whether it still is as it was. The one that was given, and no rows: it is. */
  readonly stamp?: string
}

export interface Epoch {
  /** 1 to 32 characters of [a-z0-9]. */
  readonly id: string
  /** The first sequence of this stretch; it ends where the next epoch begins. */
  readonly first: number
  /** When it began, ms. */
  readonly started: number
}

/** The channels of a live document, given as JSON text. */
export type Filer = (key: DocumentKey, document: string) => readonly string[]

/** What to drop: everything of its kind from before this time (ms, of the server's clock at the commit); absent = keep. */
export interface CompactPolicy {
  /** Entries that were superseded before it: what stood at or after this time can be brought back, however old it is. A deletion and what it deleted go together. */
  readonly historyBefore?: number
  /** Tombstones and identities; purging moves the horizon. */
  readonly tombstonesBefore?: number
  readonly pushesBefore?: number
  readonly journalBefore?: number
}

/** What an adapter can do. Suites skip by it, and test that a missing ability is really missing. */
export interface Supports {
  /** A committed entry survives a kill and a power cut. */
  readonly durable: boolean
  /** Several processes may have it open at once. */
  readonly sharedByProcesses: boolean
  /** Keeps epochs, times, hashes, users, identities and push records across a restart. */
  readonly facts: boolean
  readonly channels: boolean
}

export interface StoreHealth {
  /** Whether a commit can be made durable now. */
  readonly writable: boolean
  /** What is wrong and what the operator does; null when nothing is. */
  readonly detail: string | null
}

/** The port of our own adapters. Every failure of the medium is a `SyncError('storage_unavailable')`. */
export interface ChangeStore extends ChangeLog {
  readonly supports: Supports
  /** Opens or creates the log and begins an epoch; idempotent. The other methods call it when it was not called. */
  open (): Promise<void>
  /** The current head of each named document, in the order asked. */
  heads (keys: readonly HeadKey[]): Promise<HeadAnswer[]>
  /** Resolves only after the commit is durable. Pushes that wait together share a transaction, each apart from the others. */
  commit (push: Push): Promise<Committed>
  /** Reads one snapshot; never returns an entry while a lower sequence may still appear. */
  read (query: ReadQuery): Promise<Page>
  /** Whole entries by sequence, null for those that are gone; in the order asked. */
  entries (sequences: readonly number[]): Promise<Array<StoredEntry | null>>
  /** A document's kept entries below `before` (absent = all), newest first. @param options.limit default 100 */
  history (key: DocumentKey, options?: { before?: number, limit?: number }): Promise<StoredEntry[]>
  journal (query?: JournalQuery): Promise<JournalRow[]>
  /** Drops journal rows by their ids. @returns how many of them there were */
  discardJournal (ids: readonly number[]): Promise<number>
  /** Names of all collections that have a head, in no order. */
  collections (): Promise<string[]>
  /** A checkpoint n is valid if n is 0 or n ≥ horizon. */
  horizon (): Promise<number>
  /** Oldest first; never empty. */
  epochs (): Promise<readonly Epoch[]>
  /** 32 random bytes made with the log and kept with it: the key of digests that clients carry. */
  secret (): Promise<Uint8Array>
  /**
   * Files all documents anew, in steps and before the log is served, unless it is filed under this name already and
   * every live document since came with its channels. @throws TypeError where `supports.channels` is false
   */
  file (name: string, channelsOf: Filer): Promise<void>
  /** Which filing the channel rows are of: another one whenever `file` moved a document. '' before the first. */
  filing (): Promise<string>
  /** In small steps, between which commits go on. Without a policy superseded entries go at once, nothing else. */
  compact (policy?: CompactPolicy): Promise<void>
  /** Drops every entry. Sequences go on, an epoch begins, and no earlier checkpoint stays valid. */
  clear (): Promise<void>
  health (): StoreHealth
  /** Figures for metrics by name, e.g. `wal_bytes`. */
  stats (): Readonly<Record<string, number>>
  /** Waits for running commits, refuses later calls; idempotent. */
  close (): Promise<void>
}
