/** The memory adapter as the source and the target of a move. */
import { digestKey, MemoryState } from './memory-state.ts'
import type { JournalRow } from './changelog.ts'
import type { ChannelRecord, IdentityRecord, LogFacts, MovedPart, MovedRecord, MoveSource, PushRecord } from './moving.ts'

function * recordsOf (state: MemoryState): Generator<MovedRecord> {
  for (const entry of state.log.after(0)) yield { kind: 'entry', entry, givenId: state.givenIds.has(entry.id) ? entry.id : null }
  for (const { of: { collection, documentId, identities }, digest, serverTimestamp } of state.identities.after(0)) {
    yield { kind: 'identity', identity: { collection, documentId, identity: bytesOf(digest), sequence: identities.get(digest)!, serverTimestamp } }
  }
  for (const head of state.heads.after(0)) {
    const { collection, documentId, channels } = state.document(head)!
    for (const [channel, place] of channels) yield { kind: 'channel', channel: { collection, documentId, channel, ...place } }
  }
  for (const [key, { messageId, fingerprint, first, outcome, serverTimestamp }] of state.pushes) {
    yield { kind: 'push', push: { messageId, key: bytesOf(key), fingerprint: bytesOf(fingerprint), first, outcome, serverTimestamp } }
  }
  for (const row of state.journal.after(0)) yield { kind: 'journal', row }
}

/** Walks from the beginning each time: what is in memory is small. */
export function partOf (state: MemoryState, from: string | null, size: number): MovedPart {
  const start = Number(from ?? 0)
  if (!Number.isSafeInteger(start) || start < 0) throw new TypeError(`${from} is no place in a log that moves`)
  const records: MovedRecord[] = []
  let at = 0
  for (const record of recordsOf(state)) {
    if (at++ < start) continue
    records.push(record)
    if (records.length >= size) break
  }
  return { records, next: records.length === 0 ? null : String(start + records.length) }
}

export function factsOf (state: MemoryState, secret: Uint8Array): LogFacts {
  const { head, horizon, historyHorizon, epochs, filing, journalIds } = state
  return { head, horizon, historyHorizon, epochs: [...epochs], secret: Uint8Array.from(secret), filedBy: filing.name ?? '', filing: filing.id, journalHead: journalIds }
}

/** What has come of a log that moves into memory. Its order is known when all has come. */
export class Arrivals {
  readonly source: MoveSource
  progress: string | null = null
  readonly #entries = new Map<number, Extract<MovedRecord, { kind: 'entry' }>>()
  readonly #identities = new Map<string, IdentityRecord>()
  readonly #channels = new Map<string, ChannelRecord>()
  readonly #pushes = new Map<string, PushRecord>()
  readonly #journal = new Map<number, JournalRow>()

  constructor (source: MoveSource) {
    this.source = source
  }

  take (records: readonly MovedRecord[], progress: string): void {
    for (const record of records) this.#put(record)
    this.progress = progress
  }

  /** The log as it was at the source. */
  whole (facts: LogFacts): MemoryState {
    const state = new MemoryState()
    for (const epoch of facts.epochs) state.beginEpoch({ ...epoch })
    for (const { entry, givenId } of sorted(this.#entries, ({ entry }) => entry.sequence)) state.adopt(Object.freeze({ ...entry }), givenId)
    // Compaction forgets them from the oldest on.
    for (const identity of sorted(this.#identities, ({ serverTimestamp }) => serverTimestamp)) state.identify(identity)
    for (const channel of sorted(this.#channels, ({ position }) => position)) state.adoptChannel(channel)
    for (const [key, { fingerprint, ...push }] of this.#pushes) state.pushes.set(key, { ...push, fingerprint: digestKey(fingerprint) })
    for (const row of sorted(this.#journal, ({ id }) => id)) state.journal.add(row.id, Object.freeze({ ...row }))
    const { head, horizon, historyHorizon, journalHead } = facts
    Object.assign(state, { head, horizon, historyHorizon, journalIds: journalHead })
    Object.assign(state.filing, { name: facts.filedBy === '' ? null : facts.filedBy, id: facts.filing })
    return state
  }

  #put (record: MovedRecord): void {
    if (record.kind === 'entry') this.#entries.set(record.entry.sequence, record)
    else if (record.kind === 'journal') this.#journal.set(record.row.id, record.row)
    else if (record.kind === 'push') this.#pushes.set(digestKey(record.push.key), record.push)
    else if (record.kind === 'channel') this.#channels.set(JSON.stringify([record.channel.collection, record.channel.documentId, record.channel.channel]), record.channel)
    else this.#identities.set(JSON.stringify([record.identity.collection, record.identity.documentId, digestKey(record.identity.identity)]), record.identity)
  }
}

function sorted<T> (values: ReadonlyMap<unknown, T>, place: (value: T) => number): T[] {
  return [...values.values()].sort((a, b) => place(a) - place(b))
}

function bytesOf (key: string): Uint8Array {
  return Buffer.from(key, 'latin1')
}
