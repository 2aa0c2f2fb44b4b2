/** What the server keeps beside an application's log while it runs: bounded, whatever clients do. */
import { contentOf, effectiveAfter, entryId, hasContent } from './entry.ts'
import { digestKey, MemoryState } from './memory-state.ts'
import { Budget } from './plain-budget.ts'
import { broken, type PlainRow } from './plain-row.ts'
import type { HeadAnswer, HeadKey, NewEntry, Push, StoredEntry } from './changelog.ts'

/** Characters of superseded versions; the log itself may keep more. */
const HISTORY = 32_000_000
/** Characters of push records and of the journal each: who floods them pushes out the oldest. */
const RECORDS = 16_000_000
/** What a record costs beside its text, about. */
const OVERHEAD = 500
/** The epoch of entries whose id does not say one. */
const FOREIGN_EPOCH = 'plain'
const OWN_ID = /^([a-z0-9]{1,32})-(\d+)$/

export class PlainState extends MemoryState {
  readonly #superseded = new Budget<StoredEntry>(HISTORY)
  readonly #records = new Budget<string>(RECORDS)
  readonly #notes = new Budget<number>(RECORDS)
  /** Entries that were read back without their time. */
  readonly #untimed = new WeakSet<StoredEntry>()
  #lastNote = 0

  override put (sequence: number, entry: NewEntry, push: Push, id?: string): void {
    const before = this.document(entry)?.head ?? null
    super.put(sequence, entry, push, id)
    if (before === null) return
    // The last body of a tombstone stays: by it a reader's right to learn of the deletion is judged.
    if (before.operation === 'delete') this.#supersede(this.log.get(before.previous))
    if (entry.operation !== 'delete' || before.operation === 'delete') this.#supersede(before)
  }

  override record (push: Push, first: number): void {
    super.record(push, first)
    const gone = this.#records.add(digestKey(push.key), push.outcome.length + OVERHEAD)
    for (const key of gone) this.pushes.delete(key)
    for (const { id, raw } of this.journal.after(this.#lastNote)) {
      this.#lastNote = id
      for (const old of this.#notes.add(id, raw.length + OVERHEAD)) this.journal.remove(old)
    }
  }

  override clear (): void {
    super.clear()
    this.#superseded.clear()
  }

  /** A change without a time of its own is known only while it is the head: what equals that changes nothing. */
  override headOf (key: HeadKey): HeadAnswer {
    const answer = super.headOf(key)
    const head = this.document(key)?.head
    if (answer.duplicateOf > 0 || !head || key.identity === undefined || !this.#untimed.has(head)) return answer
    return hasContent(key.identity, head.hash) ? { ...answer, duplicateOf: head.sequence } : answer
  }

  /**
   * Takes an entry of the log back, with what follows from it. Its time is clamped anew, so that a clock that ran
   * ahead locks nobody out after a restart either.
   */
  takeBack ({ entry, timed }: PlainRow, now: number): void {
    const { id, sequence, collection, documentId, operation, document, timestamp } = entry
    this.#epochOf(id, sequence)
    const head = this.document(entry)?.head ?? null
    const content = contentIn(entry)
    const effectiveTime = effectiveAfter(head, timestamp, now)
    const taken: NewEntry = { collection, documentId, operation, document, timestamp, effectiveTime, ...content, exact: true, expected: 0 }
    const own = id === '' || id === entryId(this.epochs, sequence)
    this.put(sequence, taken, bySomebody(now), own ? undefined : id)
    if (!timed) this.#untimed.add(this.document(entry)!.head!)
  }

  /** The ids of entries say which epoch they were written in, so epochs outlive a restart as they do. */
  #epochOf (id: string, sequence: number): void {
    const [, epoch, number] = OWN_ID.exec(id) ?? []
    const named = epoch !== undefined && Number(number) === sequence ? epoch : undefined
    if (this.epochs.length === 0) this.beginEpoch({ id: named ?? FOREIGN_EPOCH, first: 1, started: 0 })
    else if (named !== undefined && !this.epochs.some(({ id }) => id === named)) this.beginEpoch({ id: named, first: sequence, started: 0 })
  }

  /** What replaced it says from where on nobody knows any more who could see it. */
  #noteGone (old: StoredEntry): void {
    const next = this.document(old)?.entries.find(({ sequence }) => sequence > old.sequence)
    if (next !== undefined) this.historyHorizon = Math.max(this.historyHorizon, next.sequence)
  }

  #supersede (entry: StoredEntry | undefined): void {
    if (entry === undefined) return
    const gone = this.#superseded.add(entry, (entry.document?.length ?? 0) + OVERHEAD)
    for (const old of gone) this.#noteGone(old)
    this.drop(gone.filter(old => this.log.get(old.sequence) === old))
  }
}

function contentIn (entry: PlainRow['entry']): ReturnType<typeof contentOf> {
  try {
    return contentOf(entry)
  } catch (cause) {
    throw broken(`returned entry ${entry.sequence} with a document that is no JSON`, cause)
  }
}

/** Who wrote an entry is not in such a log. */
function bySomebody (now: number): Push {
  const none = new Uint8Array(0)
  return { key: none, fingerprint: none, outcome: '', entries: [], journal: [], messageId: '', userId: null, clientId: null, address: null, serverTimestamp: now }
}
