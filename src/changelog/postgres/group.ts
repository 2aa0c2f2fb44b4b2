/**
 * What becomes of the pushes of one transaction: each is decided in order and sees those before it, and what is
 * refused leaves nothing behind, so that they are apart from each other without a savepoint each.
 */
import type { Committed, DocumentKey, EntryFacts, NewEntry, Push } from '../changelog.ts'
import { appendedSequence, identityOf, isIdentityOf } from '../entry.ts'
import type { Held } from './lineage.ts'
import type { TogetherOptions } from '../together.ts'
import { factsOf, type Written } from './rows.ts'

/** A push that waits; with `append` also the id and sequence that its one entry must take. */
export interface Job {
  readonly push: Push
  readonly id?: string | null
  readonly sequence?: number
}

/** Pushes that wait share a transaction, and gather while the one before is under way. */
export const GROUP: TogetherOptions<Job> = {
  bounds: [
    { of: ({ push }) => push.entries.length, most: 1000 },
    { of: ({ push }) => push.entries.reduce((sum, { document }) => sum + (document?.length ?? 0), 0), most: 4 * 2 ** 20 }
  ],
  underWay: 1
}

/** A document as it stands in the transaction. */
export interface Place {
  sequence: number
  /** Of its head, where they were asked for. */
  facts: EntryFacts | null
  /** In what it is filed; null where nobody asked. */
  channels: Map<string, { position: number, member: boolean }>
}

export interface PushRecord {
  readonly fingerprint: Uint8Array
  readonly first: number
  readonly outcome: string
}

export interface IdentityRow extends DocumentKey {
  readonly identity: Uint8Array
  readonly sequence: number
  readonly serverTimestamp: number
}

/** What the transaction found, by `headName` and `keyName`. */
export interface Lookup {
  readonly places: Map<string, Place>
  readonly records: Map<string, PushRecord>
}

export class Group {
  readonly #lookup: Lookup
  #next: number
  /** A live document was written without channels into a log that is filed. */
  unfiled = false
  filed: boolean
  readonly entries: Written[] = []
  readonly heads = new Map<string, EntryFacts>()
  readonly identities: IdentityRow[] = []
  /** Documents whose channel rows are to be written. */
  readonly moved = new Map<string, DocumentKey>()
  readonly pushes: Array<{ readonly push: Push, readonly first: number }> = []

  constructor (held: Held, lookup: Lookup) {
    this.#lookup = lookup
    this.#next = held.head + 1
    this.filed = held.channels
  }

  get head (): number {
    return this.#next - 1
  }

  placeOf (name: string): Place {
    let place = this.#lookup.places.get(name)
    if (place === undefined) this.#lookup.places.set(name, place = { sequence: 0, facts: null, channels: new Map() })
    return place
  }

  decide (job: Job): Committed {
    const { push } = job
    const name = keyName(push.key)
    const seen = this.#lookup.records.get(name)
    if (seen !== undefined) {
      if (Buffer.compare(seen.fingerprint, push.fingerprint) !== 0) return { status: 'reused' }
      return { status: 'seen', first: seen.first, outcome: seen.outcome }
    }
    const names = push.entries.map(headName)
    const moved = this.#moved(push, names)
    if (moved !== null) return { status: 'moved', heads: moved }
    const first = push.entries.length === 0 ? 0 : appendedSequence(job.sequence, this.head)
    this.#put(job, first, names)
    this.#lookup.records.set(name, { fingerprint: push.fingerprint, first, outcome: push.outcome })
    this.pushes.push({ push, first })
    return { status: 'committed', first }
  }

  /** Heads that are not the expected ones, null when all are. */
  #moved ({ entries }: Push, names: readonly string[]): EntryFacts[] | null {
    const asked = new Set<string>()
    const moved: EntryFacts[] = []
    let any = false
    for (const [i, { expected }] of entries.entries()) {
      const name = names[i]!
      if (asked.has(name)) continue
      asked.add(name)
      const { sequence, facts } = this.placeOf(name)
      if (sequence === expected) continue
      any = true
      if (facts !== null) moved.push(facts)
    }
    return any ? moved : null
  }

  #put ({ push, id = null }: Job, first: number, names: readonly string[]): void {
    for (const [i, entry] of push.entries.entries()) {
      const name = names[i]!
      const place = this.placeOf(name)
      const facts = factsOf(push, entry, { sequence: first + i, previous: place.sequence })
      this.entries.push({ facts, document: entry.document, id })
      this.#identify(facts, entry, place.facts)
      this.#file(name, entry, place, facts.sequence)
      this.heads.set(name, facts)
      place.sequence = facts.sequence
      place.facts = facts
    }
    if (push.entries.length > 0) this.#next = first + push.entries.length
  }

  /**
   * Records by what repeated changes are known. Of a head that is just what was sent, its facts tell: it is recorded
   * only once another entry replaces it.
   */
  #identify (facts: EntryFacts, entry: NewEntry, before: EntryFacts | null): void {
    const { collection, documentId, sequence, previous, serverTimestamp } = facts
    if (previous > 0) {
      const replaced = entry.replaces?.sequence === previous ? entry.replaces : before
      if (replaced?.exact === true) {
        this.identities.push({ collection, documentId, identity: identityOf(replaced.hash, replaced.timestamp, replaced.rev), sequence: previous, serverTimestamp: replaced.serverTimestamp })
      }
    }
    if (!facts.exact || !isIdentityOf(entry.identity, facts)) this.identities.push({ collection, documentId, identity: entry.identity, sequence, serverTimestamp })
  }

  /** Most logs have no channels: then no entry pays for them. */
  #file (name: string, entry: NewEntry, { channels }: Place, position: number): void {
    if (entry.channels !== undefined && entry.channels.length > 0) this.filed = true
    if (!this.filed) return
    if (entry.channels === undefined && entry.document !== null) this.unfiled = true
    const now = new Set(entry.channels)
    for (const [channel, row] of channels) if (row.member && !now.has(channel)) channels.set(channel, { position, member: false })
    for (const channel of now) channels.set(channel, { position, member: true })
    this.moved.set(name, { collection: entry.collection, documentId: entry.documentId })
  }
}

export function keyName ({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
}

export function headName ({ collection, documentId }: DocumentKey): string {
  return `${collection.length}:${collection}${documentId}`
}
