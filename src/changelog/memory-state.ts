/** What the memory adapter holds, and the two writes that change it: an entry comes, a document's entries go. */
import { entryId } from './entry.ts'
import { Order } from './memory-order.ts'
import type { ChannelRecord, IdentityRecord } from './moving.ts'
import type {
  Committed, DocumentKey, EntryFacts, Epoch, HeadAnswer, HeadKey, JournalRow, NewEntry, Push, StoredEntry
} from './changelog.ts'

export interface ChannelRow {
  readonly position: number
  readonly member: boolean
}

export interface MemoryDocument extends DocumentKey {
  head: StoredEntry | null
  /** Kept entries, ascending, the head included. */
  entries: StoredEntry[]
  /** Identity → first sequence. */
  readonly identities: Map<string, number>
  readonly channels: Map<string, ChannelRow>
}

export interface Identity {
  readonly of: MemoryDocument
  readonly digest: string
  /** In the order in which identities were recorded. */
  readonly place: number
  readonly serverTimestamp: number
}

export interface SeenPush {
  readonly messageId: string
  readonly fingerprint: string
  readonly first: number
  readonly outcome: string
  readonly serverTimestamp: number
}

/** A digest as the key of a Map. */
export function digestKey (digest: Uint8Array): string {
  return Buffer.from(digest).toString('latin1')
}

function removeFrom<T> (orders: Map<string, Order<T>>, name: string, position: number): void {
  const order = orders.get(name)
  order?.remove(position)
  if (order?.size === 0) orders.delete(name)
}

/** An entry without its body. */
function factsOf ({ id, document, data, ...facts }: StoredEntry): EntryFacts {
  return facts
}

export class MemoryState {
  head = 0
  horizon = 0
  historyHorizon = 0
  readonly epochs: Epoch[] = []
  readonly pushes = new Map<string, SeenPush>()
  readonly journal = new Order<JournalRow>()
  journalIds = 0
  #identityPlaces = 0
  /** By what the documents are filed, null when some are not; and which filing that is. */
  readonly filing: { name: string | null, id: string } = { name: null, id: '' }

  /** Every kept entry. */
  log = new Order<StoredEntry>()
  /** The newest entry of every document, in all and by collection. */
  heads = new Order<StoredEntry>()
  headsOf = new Map<string, Order<StoredEntry>>()
  /** Documents by the position of their row in a channel. */
  channels = new Map<string, Order<MemoryDocument>>()
  identities = new Order<Identity>()
  /** Ids that callers of `append` chose. */
  givenIds = new Map<string, number>()
  #documents = new Map<string, Map<string, MemoryDocument>>()

  beginEpoch (epoch: Epoch): void {
    this.epochs.push(Object.freeze(epoch))
  }

  document ({ collection, documentId }: DocumentKey): MemoryDocument | undefined {
    return this.#documents.get(collection)?.get(documentId)
  }

  headOf (key: HeadKey): HeadAnswer {
    const document = this.document(key)
    return {
      head: document?.head ? factsOf(document.head) : null,
      duplicateOf: key.identity === undefined ? 0 : document?.identities.get(digestKey(key.identity)) ?? 0
    }
  }

  /** Why a push is not to be written; null when it is. */
  refusal (push: Push): Exclude<Committed, { status: 'committed' }> | null {
    const seen = this.pushes.get(digestKey(push.key))
    if (seen !== undefined) {
      if (seen.fingerprint !== digestKey(push.fingerprint)) return { status: 'reused' }
      return { status: 'seen', first: seen.first, outcome: seen.outcome }
    }
    const moved = this.#moved(push.entries)
    return moved === null ? null : { status: 'moved', heads: moved }
  }

  /** Appends an entry, moves its document's head and channel rows and records its identity. @param id of the caller's own */
  put (sequence: number, entry: NewEntry, push: Push, id?: string): void {
    const document = this.document(entry) ?? this.#create(entry)
    const stored = this.#stored(sequence, entry, push, id)
    this.head = sequence
    this.log.add(sequence, stored)
    if (id) this.givenIds.set(id, sequence)
    this.#moveHead(document, stored)
    this.#moveChannels(document, sequence, entry.channels ?? [])
    if (entry.channels === undefined && entry.document !== null) this.filing.name = null
    this.identify({ ...entry, sequence, serverTimestamp: push.serverTimestamp })
  }

  /** Records an identity unless it is known. */
  identify ({ identity, sequence, serverTimestamp, ...key }: IdentityRecord): void {
    const document = this.document(key) ?? this.#create(key)
    const digest = digestKey(identity)
    if (document.identities.has(digest)) return
    const place = ++this.#identityPlaces
    document.identities.set(digest, sequence)
    this.identities.add(place, { of: document, digest, place, serverTimestamp })
  }

  /** Takes over an entry of another store; those of a document in the order of their sequences. */
  adopt (entry: StoredEntry, givenId: string | null): void {
    this.log.add(entry.sequence, entry)
    if (givenId !== null) this.givenIds.set(givenId, entry.sequence)
    this.#moveHead(this.document(entry) ?? this.#create(entry), entry)
  }

  /** Takes over a channel row of another store, of a document that is here; in the order of their positions. */
  adoptChannel ({ channel, position, member, ...key }: ChannelRecord): void {
    const document = this.document(key)
    if (document !== undefined) this.#place(document, channel, { position, member })
  }

  record (push: Push, first: number): void {
    const { messageId, userId, clientId, address, serverTimestamp } = push
    for (const { collection, documentId, status, code, raw } of push.journal) {
      const id = ++this.journalIds
      this.journal.add(id, Object.freeze({ id, collection, documentId, status, code, raw, messageId, userId, clientId, address, serverTimestamp }))
    }
    this.pushes.set(digestKey(push.key), { messageId, fingerprint: digestKey(push.fingerprint), first, outcome: push.outcome, serverTimestamp })
  }

  /** @returns how many of these journal rows there were */
  discard (ids: readonly number[]): number {
    const before = this.journal.size
    for (const id of ids) this.journal.remove(id)
    return before - this.journal.size
  }

  /** Drops superseded entries. */
  drop (entries: readonly StoredEntry[]): void {
    const gone = new Set(entries)
    const documents = new Set<MemoryDocument>()
    for (const entry of gone) {
      this.log.remove(entry.sequence)
      this.givenIds.delete(entry.id)
      documents.add(this.document(entry)!)
    }
    for (const document of documents) document.entries = document.entries.filter(entry => !gone.has(entry))
  }

  /** Drops a deleted document: its tombstone, what is left of its entries, its channel rows. */
  purge (document: MemoryDocument, tombstone: StoredEntry): void {
    this.drop(document.entries)
    this.heads.remove(tombstone.sequence)
    removeFrom(this.headsOf, document.collection, tombstone.sequence)
    for (const [channel, { position }] of document.channels) removeFrom(this.channels, channel, position)
    document.channels.clear()
    document.head = null
    this.horizon = Math.max(this.horizon, tombstone.sequence)
    this.historyHorizon = Math.max(this.historyHorizon, tombstone.sequence)
    this.#forget(document)
  }

  forgetIdentity ({ of, digest, place }: Identity): void {
    of.identities.delete(digest)
    this.identities.remove(place)
    this.#forget(of)
  }

  /** Drops every entry; push records and journal stay, so that a repeated push still takes effect once. */
  clear (): void {
    this.log = new Order()
    this.heads = new Order()
    this.headsOf = new Map()
    this.channels = new Map()
    this.identities = new Order()
    this.givenIds = new Map()
    this.#documents = new Map()
  }

  /** The heads that are not the expected ones, null when all are. */
  #moved (entries: readonly NewEntry[]): EntryFacts[] | null {
    const asked = new Set<string>()
    const moved: EntryFacts[] = []
    let any = false
    for (const entry of entries) {
      const key = JSON.stringify([entry.collection, entry.documentId])
      if (asked.has(key)) continue
      asked.add(key)
      const head = this.document(entry)?.head ?? null
      if ((head?.sequence ?? 0) === entry.expected) continue
      any = true
      if (head !== null) moved.push(factsOf(head))
    }
    return any ? moved : null
  }

  #create ({ collection, documentId }: DocumentKey): MemoryDocument {
    const created: MemoryDocument = { collection, documentId, head: null, entries: [], identities: new Map(), channels: new Map() }
    const documents = this.#documents.get(collection)
    if (documents === undefined) this.#documents.set(collection, new Map([[documentId, created]]))
    else documents.set(documentId, created)
    return created
  }

  #forget ({ collection, documentId, head, identities }: MemoryDocument): void {
    if (head !== null || identities.size > 0) return
    const documents = this.#documents.get(collection)
    documents?.delete(documentId)
    if (documents?.size === 0) this.#documents.delete(collection)
  }

  #stored (sequence: number, entry: NewEntry, push: Push, id?: string): StoredEntry {
    const { collection, documentId, operation, document, timestamp, effectiveTime, rev, exact } = entry
    const { serverTimestamp, userId, clientId, address } = push
    return Object.freeze({
      id: id || entryId(this.epochs, sequence),
      sequence,
      collection,
      documentId,
      operation,
      document,
      data: document,
      timestamp,
      effectiveTime,
      serverTimestamp,
      userId,
      clientId,
      address,
      rev,
      hash: Uint8Array.from(entry.hash),
      previous: this.document(entry)?.head?.sequence ?? 0,
      exact
    })
  }

  #moveHead (document: MemoryDocument, entry: StoredEntry): void {
    const heads = this.headsOf.get(entry.collection) ?? new Order<StoredEntry>()
    this.headsOf.set(entry.collection, heads)
    for (const order of [this.heads, heads]) {
      if (document.head !== null) order.remove(document.head.sequence)
      order.add(entry.sequence, entry)
    }
    document.head = entry
    document.entries.push(entry)
  }

  #moveChannels (document: MemoryDocument, position: number, channels: readonly string[]): void {
    const now = new Set(channels)
    for (const [channel, row] of document.channels) {
      if (row.member && !now.has(channel)) this.#place(document, channel, { position, member: false })
    }
    for (const channel of now) this.#place(document, channel, { position, member: true })
  }

  #place (document: MemoryDocument, channel: string, row: ChannelRow): void {
    const order = this.channels.get(channel) ?? new Order<MemoryDocument>()
    this.channels.set(channel, order)
    const before = document.channels.get(channel)
    if (before !== undefined) order.remove(before.position)
    order.add(row.position, document)
    document.channels.set(channel, row)
  }
}
