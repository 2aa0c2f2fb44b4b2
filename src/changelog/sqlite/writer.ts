/**
 * Commits pushes: a group of them decides first, in order and each seeing those before it, and then writes
 * all its rows at once. Nothing is written by a push that is refused, so the pushes of a group are apart
 * from each other without a savepoint each, which would copy every page that it touches.
 */
import type { Committed, DocumentKey, EntryFacts, NewEntry, Push } from '../changelog.ts'
import { appendedSequence, identityOf, isIdentityOf } from '../entry.ts'
import { ChannelWriter } from './channels.ts'
import type { Database, Statement } from './driver.ts'
import { MultiInsert } from './insert.ts'
import { JournalWriter } from './journal.ts'
import { Names } from './names.ts'
import type { Resolved } from './options.ts'
import { decodeFacts, encodeEntry, FACTS, factsOf, LOG_COLUMNS, type FactsRow } from './rows.ts'

/** A push that waits; with `append` also the id and sequence that its one entry must take. */
export interface Job {
  readonly push: Push
  readonly id?: string | null
  readonly sequence?: number
}

interface PendingHead {
  readonly facts: EntryFacts
  readonly collection: number
}

interface PushRow {
  readonly fingerprint: Uint8Array
  readonly first: number
  readonly outcome: string
}

/** What the pushes of one transaction are about to write; later ones see it before it is written. */
class Group {
  readonly first: number
  next: number
  readonly heads = new Map<string, PendingHead>()
  readonly pushes = new Map<string, PushRow & { readonly push: Push }>()
  readonly entries: unknown[] = []
  readonly identities: unknown[] = []
  readonly channels: Array<{ entry: NewEntry, collection: number, sequence: number }> = []

  constructor (first: number) {
    this.first = this.next = first
  }
}

const DELETE = 2

/** A failure ends the whole transaction anyway: told so, SQLite keeps no copy of each page before a statement changes it. */
const INSERT = 'INSERT OR ROLLBACK INTO'

/** Old push records dropped per push: more than one, so that a backlog shrinks, few, so that no commit is slow. */
const PRUNED_PER_PUSH = 3

export class Writer {
  readonly #database: Database
  readonly #options: Resolved
  readonly #names: Names
  readonly #channels: ChannelWriter
  readonly #journal: JournalWriter
  readonly #log: MultiInsert
  readonly #heads: Statement
  readonly #identities: MultiInsert
  readonly #pushes: MultiInsert
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #rollback: Statement
  readonly #newest: Statement
  readonly #push: Statement
  /** Whether records of layout 1 may be there, which have no message id. */
  readonly #anyUnnamed: boolean
  readonly #head: Statement
  readonly #facts: Statement
  readonly #prune: Statement
  readonly #oldest: Statement
  /** When the oldest push record was made: until it is too old nothing need be looked for. */
  #oldestTime: number | undefined

  constructor (database: Database, options: Resolved) {
    this.#database = database
    this.#options = options
    this.#names = new Names(database)
    this.#channels = new ChannelWriter(database)
    this.#journal = new JournalWriter(database, options.journalBytes)
    this.#log = new MultiInsert(database, { head: `${INSERT} log (${LOG_COLUMNS})`, width: 18 })
    // Read from the entries just written, which costs less than to bind every head once more.
    this.#heads = database.prepare(`INSERT INTO heads (collection, document_id, sequence, deleted)
      SELECT collection, document_id, sequence, operation = ${DELETE} FROM log WHERE sequence >= ? ORDER BY sequence
      ON CONFLICT DO UPDATE SET sequence = excluded.sequence, deleted = excluded.deleted`)
    // The first sequence of an identity is the one that a repeat is told.
    this.#identities = new MultiInsert(database, {
      head: `${INSERT} identities (collection, document_id, identity, sequence, server_timestamp)`,
      width: 5,
      tail: 'ON CONFLICT DO NOTHING'
    })
    this.#pushes = new MultiInsert(database, { head: `${INSERT} pushes (message_id, key, fingerprint, first, outcome, server_timestamp)`, width: 6 })
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    this.#rollback = database.prepare('ROLLBACK')
    this.#newest = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").pluck()
    this.#push = database.prepare('SELECT fingerprint, first, outcome FROM pushes WHERE message_id = ? AND key = ?')
    this.#anyUnnamed = database.prepare("SELECT 1 FROM pushes WHERE message_id = ''").get() !== undefined
    this.#head = database.prepare('SELECT sequence FROM heads WHERE collection = ? AND document_id = ?').pluck()
    this.#facts = database.prepare(`SELECT ${FACTS} FROM log l WHERE l.sequence = ?`).raw()
    this.#oldest = database.prepare('SELECT server_timestamp FROM pushes ORDER BY id LIMIT 1').pluck()
    // Among the oldest only: one that a clock once dated into the future waits for a compaction.
    this.#prune = database.prepare('DELETE FROM pushes WHERE id IN (SELECT id FROM pushes ORDER BY id LIMIT 0 + ?) AND server_timestamp < ?')
  }

  /** All of the group in one transaction; when it throws, nothing is written, or after a failed COMMIT it is unknown. */
  commit (jobs: readonly Job[]): Committed[] {
    return this.transaction(() => {
      const group = new Group(Number(this.#newest.get() ?? 0) + 1)
      const results = jobs.map(job => this.#decide(group, job))
      this.#write(group)
      return results
    })
  }

  /** Runs work that takes part in the order of commits. */
  transaction<T> (work: () => T): T {
    this.#begin.run()
    try {
      const result = work()
      this.#commit.run()
      return result
    } catch (error) {
      if (this.#database.inTransaction) this.#rollback.run()
      this.#names.forget()
      throw error
    }
  }

  /** After documents were filed otherwise than by a commit. */
  lookForChannels (): void {
    this.#channels.look()
  }

  #decide (group: Group, job: Job): Committed {
    const { push } = job
    const name = keyName(push.key)
    const seen = group.pushes.get(name) ?? this.#recorded(push)
    if (seen !== undefined) {
      if (Buffer.compare(seen.fingerprint, push.fingerprint) !== 0) return { status: 'reused' }
      return { status: 'seen', first: seen.first, outcome: seen.outcome }
    }
    const current = new Map<string, number>()
    const names = push.entries.map(headName)
    const moved = this.#compare(group, push, { names, current })
    if (moved !== null) return { status: 'moved', heads: moved }
    const first = push.entries.length === 0 ? 0 : appendedSequence(job.sequence, group.next - 1)
    this.#place(group, job, { first, names, current })
    const { fingerprint, outcome } = push
    group.pushes.set(name, { fingerprint, first, outcome, push })
    return { status: 'committed', first }
  }

  /** One after the other: for `message_id IN (?, '')` SQLite builds a table each time, which takes longer than both. */
  #recorded ({ messageId, key }: Push): PushRow | undefined {
    const row = this.#push.get(messageId, key) ?? (this.#anyUnnamed ? this.#push.get('', key) : undefined)
    return row as PushRow | undefined
  }

  /** Heads that are not the expected ones, null when all are; fills `current` with the sequence of each document's head. */
  #compare (group: Group, { entries }: Push, { names, current }: { names: readonly string[], current: Map<string, number> }): EntryFacts[] | null {
    const moved: EntryFacts[] = []
    let any = false
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!
      const name = names[i]!
      if (current.has(name)) continue
      const pending = group.heads.get(name)
      const collection = this.#names.number(entry.collection)
      const stored = pending === undefined && collection !== undefined ? this.#head.get(collection, entry.documentId) : undefined
      const sequence = pending?.facts.sequence ?? (stored as number | undefined) ?? 0
      current.set(name, sequence)
      if (sequence === entry.expected) continue
      any = true
      // A head that was purged meanwhile has no facts: whoever asks again learns that there is none.
      if (sequence !== 0) moved.push(pending?.facts ?? decodeFacts(this.#facts.get(sequence) as FactsRow, entry.collection))
    }
    return any ? moved : null
  }

  #place (group: Group, { push, id = null }: Job, { first, names, current }: { first: number, names: readonly string[], current: Map<string, number> }): void {
    let sequence = first
    for (const entry of push.entries) {
      const name = names[sequence - first]!
      const collection = this.#names.ensure(entry.collection)
      const facts = factsOf(push, entry, { sequence, previous: current.get(name)! })
      encodeEntry(group.entries, collection, facts, { id, document: entry.document })
      this.#identify(group, { collection, facts, entry, pending: group.heads.get(name)?.facts })
      group.heads.set(name, { facts, collection })
      if (this.#channels.concerns(entry)) group.channels.push({ entry, collection, sequence })
      current.set(name, sequence++)
    }
    if (push.entries.length > 0) group.next = sequence
  }

  /**
   * Records by what repeated changes are known. Of a head that is just what was sent, its facts tell: it is recorded
   * only once another entry replaces it.
   */
  #identify (group: Group, { collection, facts, entry, pending }: { collection: number, facts: EntryFacts, entry: NewEntry, pending: EntryFacts | undefined }): void {
    const { documentId, sequence, previous, serverTimestamp } = facts
    if (previous > 0) {
      const replaced = pending ?? this.#replaced(entry, previous)
      if (replaced.exact) group.identities.push(collection, documentId, identityOf(replaced.hash, replaced.timestamp, replaced.rev), previous, replaced.serverTimestamp)
    }
    if (!facts.exact || !isIdentityOf(entry.identity, facts)) group.identities.push(collection, documentId, entry.identity, sequence, serverTimestamp)
  }

  #replaced ({ replaces, collection }: NewEntry, sequence: number): EntryFacts {
    return replaces?.sequence === sequence ? replaces : decodeFacts(this.#facts.get(sequence) as FactsRow, collection)
  }

  #write (group: Group): void {
    if (group.entries.length > 0) {
      this.#log.run(group.entries)
      this.#heads.run(group.first)
      if (group.identities.length > 0) this.#identities.run(group.identities)
      for (const { entry, collection, sequence } of group.channels) this.#channels.write(entry, collection, sequence)
    }
    if (group.pushes.size === 0) return
    const pushes: unknown[] = []
    let now = 0
    for (const { push: { messageId, key, serverTimestamp }, fingerprint, first, outcome } of group.pushes.values()) {
      pushes.push(messageId, key, fingerprint, first, outcome, serverTimestamp)
      now = serverTimestamp
    }
    this.#pushes.run(pushes)
    this.#pruneRecords(group.pushes.size * PRUNED_PER_PUSH, now - this.#options.pushRetention)
    for (const { push } of group.pushes.values()) if (push.journal.length > 0) this.#journal.write(push)
  }

  #pruneRecords (limit: number, before: number): void {
    this.#oldestTime ??= this.#oldest.get() as number
    if (this.#oldestTime >= before) return
    this.#prune.run(limit, before)
    this.#oldestTime = undefined
  }
}

function keyName ({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
}

function headName ({ collection, documentId }: DocumentKey): string {
  return `${collection}\0${documentId}`
}
