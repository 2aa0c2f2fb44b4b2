/** Decides every change of a push against the heads as they stand, and lays out what is to be committed. */
import type { HeadAnswer, HeadKey, NewEntry, NewJournalRow, Operation } from '../changelog/changelog.ts'
import { catalogue, type ErrorItem } from '../errors.ts'
import { Admission, type Wish } from './admission.ts'
import type { Caller } from './caller.ts'
import { decideAfterOwn, decideAtOnce, effectiveTime, type Beaten, type Clash, type Judge, type Situation, type Taken } from './decide.ts'
import { gatherEvidence } from './evidence.ts'
import type { Incoming, Prepared } from './incoming.ts'
import type { Made } from './made.ts'
import type { PushDeps } from './message.ts'
import type { Outcome } from './outcome.ts'
import { changeText } from './page.ts'
import { settle, type Merged, type Settled } from './settle.ts'
import { standingOf, type Altered, type Left, type Standing } from './standing.ts'
import { Turns } from './turns.ts'

export interface PlanContext {
  readonly deps: PushDeps
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

export async function makePlan (prepared: readonly Prepared[], context: PlanContext): Promise<Plan> {
  const { store, clock } = context.deps
  const turns = new Turns(clock)
  const changes: Incoming[] = []
  for (const one of prepared) if ('change' in one) changes.push(one.change)
  const answers = changes.length === 0 ? [] : await store.heads(changes.map(change => keyOf(change, context)))
  // It concerns only what was edited and is not there. Read after the heads, it is never too low for them.
  const planner = new Planner(context, changes.some(({ base = 0 }, i) => base > 0 && answers[i]!.head === null) ? await store.horizon() : 0)
  let next = 0
  for (const one of prepared) {
    if ('refused' in one) planner.refuse(one.refused)
    else {
      const asked = planner.decide(one.change, answers[next++]!)
      if (asked !== undefined) await asked
    }
    const others = turns.end()
    if (others !== undefined) await others
  }
  return planner.finish()
}

class Planner {
  readonly #context: PlanContext
  readonly #horizon: number
  readonly #admission: Admission
  readonly #entries: NewEntry[] = []
  readonly #journal: NewJournalRow[] = []
  readonly #outcomes: Outcome[] = []
  /** Losers to an entry of this push, which lose only if it is written. */
  readonly #beaten: NewJournalRow[] = []
  /** By document. */
  readonly #left = new Map<string, Left>()

  constructor (context: PlanContext, horizon: number) {
    this.#context = context
    this.#horizon = horizon
    this.#admission = new Admission(context.deps, context.caller, context.collection)
  }

  #refuseChange (change: Incoming, error: ErrorItem): void {
    const { index, documentId } = change
    this.refuse({ index, documentId, error, raw: rawOf(change) })
  }

  refuse ({ index, documentId, error, raw }: { index: number, documentId: string, error: ErrorItem, raw: string }): void {
    this.#outcomes[index] = { status: 'rejected', error }
    if (error.code === 'write_forbidden') this.#tellDenied(documentId, error.code)
    this.#note(documentId, { status: 'rejected', code: error.code, raw })
  }

  #tellDenied (documentId: string, code: string): void {
    const { deps: { audit }, caller: { user, clientId, address }, collection } = this.#context
    audit.refused({ type: 'denied', userId: user?.id ?? null, clientId, address, collection, documentId, code })
  }

  /** A promise only where something must be asked. */
  decide (change: Incoming, answer: HeadAnswer): Promise<void> | undefined {
    const standing = standingOf(answer, this.#left.get(change.documentId))
    return this.#takeAtOnce(change, answer, standing) ? undefined : this.#decide(change, answer, standing)
  }

  /** Most changes meet no rule and contradict nobody: nothing is asked about them, so they need no promises. */
  #takeAtOnce (change: Incoming, { duplicateOf }: HeadAnswer, standing: Standing): boolean {
    if (this.#admission.bound || this.#admission.looks || duplicateOf > 0 || standing.own.length > 0) return false
    const decision = decideAtOnce(change, this.#situation(standing))
    if (decision?.status !== 'applied' || decision.operation === null) return false
    this.#putSent(change, standing, decision)
    return true
  }

  async #decide (change: Incoming, { head, duplicateOf }: HeadAnswer, standing: Standing): Promise<void> {
    // Before a repeat is known as one: or whoever guesses a document they may not see would be told that they are right.
    const denied = this.#admission.bound ? await this.#admission.denial(wishOf(change), await this.#stored(standing)) : null
    if (denied !== null) return this.#refuseChange(change, denied)
    if (await this.#isHidden(standing)) return await this.#write({ ...change, base: standing.expected }, standing)
    if (duplicateOf > 0) {
      const merged = duplicateOf === head?.sequence && !head.exact
      this.#outcomes[change.index] = merged ? { status: 'duplicate', sequence: duplicateOf, merged } : { status: 'duplicate', sequence: duplicateOf }
      return
    }
    const twin = standing.own.find(({ identity }) => Buffer.compare(identity, change.identity) === 0)
    if (twin !== undefined) {
      this.#outcomes[change.index] = { status: 'duplicate', offset: twin.offset }
      return
    }
    await this.#write(change, standing)
  }

  /** A deleted document that its sender never saw: to them there is none, so nothing about it may decide what they are told. */
  async #isHidden ({ head, own, expected }: Standing): Promise<boolean> {
    if (!this.#admission.bound || head?.operation !== 'delete' || own.length > 0) return false
    const { deps: { store, sight }, caller } = this.#context
    const [tombstone] = await store.entries([expected])
    return tombstone != null && await sight.hides(caller, tombstone)
  }

  async #write (change: Incoming, standing: Standing): Promise<void> {
    const problem = this.#admission.looks ? await this.#admission.problem(wishOf(change), await this.#stored(standing)) : null
    if (problem !== null) return this.#refuseChange(change, problem)
    const decision = await this.#decision(change, standing)
    if (decision.status === 'conflict') this.#lose(change, standing, decision)
    else if (decision.status === 'rejected') this.#refuseChange(change, decision.error)
    else if (decision.status === 'merged') await this.#merge(change, standing, decision)
    else if (decision.operation === null) this.#outcomes[change.index] = { status: 'applied', offset: null }
    else await this.#take(change, standing, decision)
  }

  finish (): Plan {
    const failed = this.#context.atomic && this.#outcomes.some(({ status }) => status === 'conflict' || status === 'rejected')
    if (!failed) {
      return { entries: this.#entries, journal: [...this.#journal, ...this.#beaten], outcomes: this.#outcomes }
    }
    const outcomes = this.#outcomes.map((outcome): Outcome => wouldWrite(outcome) ? { status: 'skipped' } : outcome)
    return { entries: [], journal: this.#journal, outcomes }
  }

  async #decision (change: Incoming, standing: Standing): Promise<Settled> {
    const { deps: { store }, caller, now } = this.#context
    const { head, altered } = standing
    if (head !== null && altered !== null) return await this.#settle({ change, head, base: altered.sent, since: [], now }, standing)
    const decision = decideAtOnce(change, this.#situation(standing))
    if (decision !== undefined || head === null) return decision!
    const { base, since, ownSinceBase } = await gatherEvidence(store, { key: keyOf(change, this.#context), head: head.sequence }, change, caller)
    const visible = await this.#seesAll(change, [base?.document ?? null, this.#admission.bound ? await this.#stored(standing) : null])
    const clash = { change, head, now, ...visible ? { base, since } : { base: null, since: [] } }
    return ownSinceBase ? decideAfterOwn(clash) : await this.#settle(clash, standing)
  }

  #situation ({ head, own }: Standing): Situation {
    const { seen, now } = this.#context
    return { head, headIsOwn: own.length > 0, seen, horizon: this.#horizon, now }
  }

  /** Of versions that their sender does not see nothing is made: what came of it would tell whether a guess was right. */
  async #seesAll (change: Incoming, versions: ReadonlyArray<string | null>): Promise<boolean> {
    if (!this.#admission.bound) return true
    const { deps: { sight }, caller } = this.#context
    for (const text of versions) if (text !== null && !await sight.sees(caller, keyOf(change, this.#context), text)) return false
    return true
  }

  #settle (clash: Clash, { altered, expected }: Standing): Promise<Settled> {
    const { deps, collection, caller } = this.#context
    const stored = async (): Promise<string | null> => altered === null ? (await deps.store.entries([expected]))[0]?.document ?? null : altered.stored
    return settle(clash, { ...deps, strategy: deps.conflicts.strategyOf(collection), collection, caller, stored })
  }

  #lose (change: Incoming, { altered }: Standing, { sequence, by }: Beaten): void {
    const error: ErrorItem = { code: 'stale_base', pointer: `/changes/${change.index}/base`, detail: catalogue.stale_base.message }
    // What stands came of an earlier change of this push, and has no sequence yet.
    if (altered !== null) this.#outcomes[change.index] = { status: 'merged', offset: altered.offset }
    else this.#outcomes[change.index] = by === 'stale_base' ? { status: 'conflict', sequence, error } : { status: 'conflict', sequence }
    this.#note(change.documentId, { status: 'conflict', code: by, raw: rawOf(change) })
  }

  #putSent (change: Incoming, standing: Standing, { operation, effectiveTime }: Taken): void {
    this.#outcomes[change.index] = { status: 'applied', offset: this.#entries.length }
    this.#put(change, standing, { operation, effectiveTime, made: change, altered: null })
  }

  async #take (change: Incoming, standing: Standing, taken: Taken): Promise<void> {
    const { beatsBy } = taken
    this.#putSent(change, standing, taken)
    if (beatsBy !== undefined) await this.#noteBeaten(standing, change, beatsBy)
  }

  async #merge (change: Incoming, standing: Standing, { operation, effectiveTime: time, made, by, loses }: Merged): Promise<void> {
    const error = await this.#refusalOfMade(change, standing, made.text)
    if (error !== null) return this.#refuseChange(change, error)
    const offset = this.#entries.length
    this.#outcomes[change.index] = { status: 'merged', offset }
    const sent = { document: change.text, effectiveTime: effectiveTime(change, this.#context.now, null) }
    this.#put(change, standing, { operation, effectiveTime: time, made, altered: { sent, stored: made.text, offset } })
    const { collection } = this.#context
    if (loses.incoming) this.#beaten.push({ collection, documentId: change.documentId, status: 'conflict', code: by, raw: rawOf(change) })
    if (loses.stored) await this.#noteBeaten(standing, change, by)
  }

  /** What was made of a change is held to the same rules as what is sent; that the stored version may go was asked before. */
  async #refusalOfMade (change: Incoming, standing: Standing, text: string | null): Promise<ErrorItem | null> {
    const wish = { ...wishOf(change), text }
    const denied = this.#admission.bound ? await this.#admission.denial(wish, null) : null
    if (denied !== null || !this.#admission.looks) return denied
    return await this.#admission.problem(wish, await this.#stored(standing))
  }

  /** The version that stands, as JSON; null where none does. */
  async #stored ({ head, text, expected }: Standing): Promise<string | null> {
    if (text !== undefined) return text
    if (head === null || head.operation === 'delete') return null
    return (await this.#context.deps.store.entries([expected]))[0]?.document ?? null
  }

  /** The identity is the change's, whatever came of it: by it a repeat is known. */
  #put ({ documentId, timestamp, identity }: Incoming, before: Standing, { operation, effectiveTime, made, altered }: Put): void {
    const { collection } = this.#context
    const { expected, logged } = before
    const { text: document, hash, rev } = made
    const offset = this.#entries.length
    const entry: NewEntry = { collection, documentId, operation, document, timestamp, effectiveTime, rev, hash, identity, exact: altered === null, expected, replaces: logged }
    this.#entries.push(this.#context.deps.channels === null ? entry : { ...entry, channels: this.#admission.channels(document) })
    this.#left.set(documentId, { entry, offset, altered, before })
  }

  /** The version that stood loses too: it stays in the history for its retention, and in the journal for people to see. */
  async #noteBeaten ({ own, expected }: Standing, { documentId }: Incoming, by: Judge): Promise<void> {
    if (own.length > 0) return
    const [entry] = await this.#context.deps.store.entries([expected])
    if (entry === null || entry === undefined) return
    const raw = changeText({ entry, position: expected, member: true })
    this.#beaten.push({ collection: this.#context.collection, documentId, status: 'conflict', code: by, raw })
  }

  #note (documentId: string, row: Pick<NewJournalRow, 'status' | 'code' | 'raw'>): void {
    this.#journal.push({ collection: this.#context.collection, documentId, ...row })
  }
}

interface Put {
  readonly operation: Operation
  readonly effectiveTime: number
  readonly made: Made
  readonly altered: Altered | null
}

function keyOf ({ documentId, identity }: Incoming, { collection }: PlanContext): HeadKey {
  return { collection, documentId, identity }
}

function wishOf ({ index, documentId, operation, text }: Incoming): Wish {
  return { index, documentId, inserts: operation === 'insert', text }
}

function wouldWrite (outcome: Outcome): boolean {
  return outcome.status === 'applied' || outcome.status === 'merged' || (outcome.status === 'duplicate' && 'offset' in outcome)
}

function rawOf ({ operation, documentId, text, timestamp }: Incoming): string {
  return `{"operation":"${operation}","documentId":${JSON.stringify(documentId)},"document":${text ?? 'null'},"timestamp":${timestamp}}`
}
