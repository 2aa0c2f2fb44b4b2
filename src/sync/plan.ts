/** Decides every change of a push against the heads as they stand, and lays out what is to be committed. */
import type { ChangeStore, HeadAnswer, NewEntry, NewJournalRow } from '../changelog/changelog.ts'
import { catalogue, type ErrorItem } from '../errors.ts'
import type { Caller } from './caller.ts'
import { decideAtOnce, decideConcurrent, type Decision, type Situation, type Taken, type Version } from './decide.ts'
import { gatherEvidence } from './evidence.ts'
import type { Incoming, Prepared } from './incoming.ts'
import type { Outcome } from './outcome.ts'
import { changeText } from './page.ts'

export interface PlanContext {
  readonly store: ChangeStore
  readonly caller: Caller
  readonly collection: string
  readonly atomic: boolean
  /** How far the client has read this collection. */
  readonly seen: number
  readonly now: number
}

export interface Plan {
  readonly entries: readonly NewEntry[]
  readonly journal: readonly NewJournalRow[]
  /** In message order. */
  readonly outcomes: readonly Outcome[]
}

/** A document as the push has left it so far. */
interface Standing {
  readonly head: Version | null
  /** What this push did to it already; the log does not know these identities yet. */
  readonly own: ReadonlyArray<{ readonly identity: Uint8Array, readonly offset: number }>
  /** The log's head, which the first entry on the document must still meet at the commit. */
  readonly expected: number
}

export async function makePlan (prepared: readonly Prepared[], context: PlanContext): Promise<Plan> {
  const planner = new Planner(context, await context.store.horizon())
  const changes = prepared.flatMap(one => 'change' in one ? [one.change] : [])
  const answers = changes.length === 0 ? [] : await context.store.heads(changes.map(change => planner.keyOf(change)))
  let next = 0
  for (const one of prepared) {
    if ('refused' in one) planner.refuse(one.refused)
    else await planner.decide(one.change, answers[next++]!)
  }
  return planner.finish()
}

class Planner {
  readonly #context: PlanContext
  readonly #horizon: number
  readonly #entries: NewEntry[] = []
  readonly #journal: NewJournalRow[] = []
  readonly #outcomes: Outcome[] = []
  /** Versions in the log that lost to a change of this push. */
  readonly #beaten: NewJournalRow[] = []
  readonly #standing = new Map<string, Standing>()

  constructor (context: PlanContext, horizon: number) {
    this.#context = context
    this.#horizon = horizon
  }

  keyOf ({ documentId, identity }: Incoming): { collection: string, documentId: string, identity: Uint8Array } {
    return { collection: this.#context.collection, documentId, identity }
  }

  refuse ({ index, documentId, error, raw }: { index: number, documentId: string, error: ErrorItem, raw: string }): void {
    this.#outcomes[index] = { status: 'rejected', error }
    this.#note(documentId, { status: 'rejected', code: error.code, raw })
  }

  async decide (change: Incoming, answer: HeadAnswer): Promise<void> {
    if (answer.duplicateOf > 0) {
      this.#outcomes[change.index] = { status: 'duplicate', sequence: answer.duplicateOf }
      return
    }
    const standing = this.#standing.get(change.documentId) ?? { head: answer.head, own: [], expected: answer.head?.sequence ?? 0 }
    const twin = standing.own.find(({ identity }) => Buffer.compare(identity, change.identity) === 0)
    if (twin !== undefined) {
      this.#outcomes[change.index] = { status: 'duplicate', offset: twin.offset }
      return
    }
    const decision = await this.#decision(change, standing)
    if (decision.status === 'conflict') this.#lose(change, decision)
    else if (decision.operation === null) this.#outcomes[change.index] = { status: 'applied', offset: null }
    else await this.#take(change, standing, decision)
  }

  finish (): Plan {
    const failed = this.#outcomes.some(({ status }) => status === 'conflict' || status === 'rejected')
    if (!this.#context.atomic || !failed) {
      return { entries: this.#entries, journal: [...this.#journal, ...this.#beaten], outcomes: this.#outcomes }
    }
    const outcomes = this.#outcomes.map((outcome): Outcome => wouldWrite(outcome) ? { status: 'skipped' } : outcome)
    return { entries: [], journal: this.#journal, outcomes }
  }

  async #decision (change: Incoming, { head, own }: Standing): Promise<Decision> {
    const { store, caller, seen, now } = this.#context
    const situation: Situation = { head, headIsOwn: own.length > 0, seen, horizon: this.#horizon, now }
    const decision = decideAtOnce(change, situation)
    if (decision !== undefined || head === null) return decision!
    return decideConcurrent(change, { ...situation, head }, await gatherEvidence(store, this.keyOf(change), change, caller))
  }

  #lose (change: Incoming, { sequence, stale }: { sequence: number, stale: boolean }): void {
    const error: ErrorItem = { code: 'stale_base', pointer: `/changes/${change.index}/base`, detail: catalogue.stale_base.message }
    this.#outcomes[change.index] = stale ? { status: 'conflict', sequence, error } : { status: 'conflict', sequence }
    this.#note(change.documentId, { status: 'conflict', code: stale ? 'stale_base' : 'last-write-wins', raw: rawOf(change) })
  }

  async #take (change: Incoming, standing: Standing, { operation, effectiveTime, beatsHead }: Taken): Promise<void> {
    const { documentId, text: document, timestamp, rev, hash, identity } = change
    const offset = this.#entries.length
    const { collection } = this.#context
    this.#entries.push({
      collection, documentId, operation, document, timestamp, effectiveTime, rev, hash, identity, exact: true, expected: standing.expected
    })
    this.#outcomes[change.index] = { status: 'applied', offset }
    const head = { sequence: 0, operation, effectiveTime, hash, rev }
    this.#standing.set(documentId, { head, own: [...standing.own, { identity, offset }], expected: standing.expected })
    if (beatsHead) await this.#noteBeaten(documentId, standing.expected)
  }

  /** The version that stood loses too: it stays in the history for its retention, and in the journal for people to see. */
  async #noteBeaten (documentId: string, sequence: number): Promise<void> {
    const [entry] = await this.#context.store.entries([sequence])
    if (entry === null || entry === undefined) return
    const raw = changeText({ entry, position: sequence, member: true })
    this.#beaten.push({ collection: this.#context.collection, documentId, status: 'conflict', code: 'last-write-wins', raw })
  }

  #note (documentId: string, row: Pick<NewJournalRow, 'status' | 'code' | 'raw'>): void {
    this.#journal.push({ collection: this.#context.collection, documentId, ...row })
  }
}

function wouldWrite (outcome: Outcome): boolean {
  return outcome.status === 'applied' || (outcome.status === 'duplicate' && 'offset' in outcome)
}

function rawOf ({ operation, documentId, text, timestamp }: Incoming): string {
  return `{"operation":"${operation}","documentId":${JSON.stringify(documentId)},"document":${text ?? 'null'},"timestamp":${timestamp}}`
}
