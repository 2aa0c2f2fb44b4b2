/** A push: decide each change, commit all of them in one atomic step, answer with a result for each. */
import type { Committed } from '../changelog/changelog.ts'
import { SyncError } from '../errors.ts'
import { answerText } from './answer.ts'
import type { Caller } from './caller.ts'
import { digestOf } from './content.ts'
import { highest, positionOf, type Position } from './cursor.ts'
import { inTime } from './in-time.ts'
import { prepare, type Prepared } from './incoming.ts'
import { DocumentLocks } from './locks.ts'
import { decodeOutcomes, encodeOutcomes } from './outcome.ts'
import { makePlan, type Plan, type PlanContext } from './plan.ts'
import type { PushDeps, PushMessage } from './message.ts'
import { assertValid, isAhead } from './validity.ts'
import { waitForHead } from './wait.ts'

export interface PushAnswer {
  /** JSON text of the push-response. */
  readonly body: string
  /** The push was seen before, and this is its first answer. */
  readonly replayed: boolean
  /** Entries that it made. */
  readonly written: number
}

/** By these a push is known when it comes again. */
interface PushRecord {
  readonly key: Uint8Array
  readonly fingerprint: Uint8Array
}

/**
 * A push waits so long for others that name the same documents, ms: then they decide at the same time, and the commit
 * sees to it. Attack: a push of ten thousand changes that all are refused, each by a slow rule, and one of them names
 * somebody else's document.
 */
const PATIENCE_MS = 500

export class Pushes {
  readonly #deps: PushDeps
  readonly #locks = new DocumentLocks()
  #pending = 0

  constructor (deps: PushDeps) {
    this.#deps = deps
  }

  /** Changes received, not yet committed. */
  get pending (): number {
    return this.#pending
  }

  /** @throws SyncError too_large, resync_required, id_reused, busy, storage_unavailable */
  async push (message: PushMessage, caller: Caller): Promise<PushAnswer> {
    const { limits } = this.#deps
    const count = message.changes.length
    if (count > limits.changesPerPush) {
      throw new SyncError('too_large', { detail: `The push has ${count} changes; at most ${limits.changesPerPush} go into one.`, limit: { name: 'changesPerPush', max: limits.changesPerPush } })
    }
    this.#pending += count
    try {
      const position = positionOf(message.checkpoint, message.epoch)
      if (highest(position) > 0) await this.#assertReachable(position)
      return await this.#commitAndAnswer(message, caller)
    } finally {
      this.#pending -= count
    }
  }

  /** A client that has to resync is told so before anything is applied. */
  async #assertReachable (position: Position): Promise<void> {
    const { store, limits } = this.#deps
    if (isAhead(position, 0)) await waitForHead(this.#deps, position, limits.aheadMs)
    const [head, horizon, epochs] = await Promise.all([store.getCurrentSequence(), store.horizon(), store.epochs()])
    assertValid(position, { head, horizon, epochs })
  }

  async #commitAndAnswer (message: PushMessage, caller: Caller): Promise<PushAnswer> {
    const prepared = prepare(message, this.#deps)
    const record = recordOf(message, prepared, caller)
    const lock = this.#locks.acquire(keysOf(message, prepared), free => inTime(() => free, PATIENCE_MS, this.#deps.clock))
    const release = lock instanceof Promise ? await lock : lock
    try {
      const { committed, plan } = await this.#commit(message, { prepared, record, caller })
      if (committed.status === 'committed' && plan.entries.length > 0) this.#deps.bell.ring()
      const replayed = committed.status === 'seen'
      const outcomes = replayed ? decodeOutcomes(committed.outcome, message.changes.length) : plan.outcomes
      return { body: await answerText(this.#deps, message, { outcomes, first: committed.first, caller }), replayed, written: replayed ? 0 : plan.entries.length }
    } finally {
      release()
    }
  }

  /** Decides, commits with the heads it decided on, and decides again when another node moved one of them. */
  async #commit (message: PushMessage, { prepared, record, caller }: { prepared: Prepared[], record: PushRecord, caller: Caller }): Promise<{ committed: Extract<Committed, { first: number }>, plan: Plan }> {
    const { store, clock, limits } = this.#deps
    for (let attempt = 0; attempt < limits.commitAttempts; attempt++) {
      const now = clock.now()
      const plan = await makePlan(prepared, this.#context(message, caller, now))
      const committed = await store.commit({
        key: record.key,
        fingerprint: record.fingerprint,
        outcome: encodeOutcomes(plan.outcomes),
        entries: plan.entries,
        journal: plan.journal,
        messageId: message.id,
        userId: caller.user?.id ?? null,
        clientId: caller.clientId,
        address: caller.address,
        serverTimestamp: now
      })
      if (committed.status === 'reused') throw new SyncError('id_reused')
      if (committed.status !== 'moved') return { committed, plan }
    }
    throw new SyncError('busy')
  }

  #context ({ collection, atomic, checkpoint }: PushMessage, caller: Caller, now: number): PlanContext {
    const { sequences } = checkpoint ?? {}
    const seen = sequences === undefined ? checkpoint?.global ?? 0 : new Map(Object.entries(sequences)).get(collection) ?? 0
    return { deps: this.#deps, caller, collection, atomic: atomic ?? false, seen, now }
  }
}

function keysOf (message: PushMessage, prepared: readonly Prepared[]): string[] {
  const keys: string[] = []
  for (const one of prepared) if ('change' in one) keys.push(`${message.collection}\0${one.change.documentId}`)
  return keys
}

/**
 * The key is (user, client id, message id). Where neither user nor client is known strangers may choose the
 * same message id, so the content is part of the key.
 */
function recordOf (message: PushMessage, prepared: readonly Prepared[], { user, clientId }: Caller): PushRecord {
  const fingerprint = digestOf(fingerprintParts(message, prepared))
  const anonymous = user === null && clientId === null
  const key = digestOf([message.id, user === null ? '' : `u${user.id}`, clientId === null ? '' : `c${clientId}`, anonymous ? fingerprint : ''])
  return { key, fingerprint }
}

/** What a retry must repeat; its timestamp and checkpoint may be fresher. */
function fingerprintParts ({ collection, atomic }: PushMessage, prepared: readonly Prepared[]): Array<string | Uint8Array> {
  const parts: Array<string | Uint8Array> = [collection, atomic === true ? 'atomic' : '']
  for (const one of prepared) {
    if ('refused' in one) parts.push(one.refused.raw)
    else {
      const { operation, documentId, timestamp, base, baseRev, hash } = one.change
      parts.push(`${operation} ${timestamp} ${base ?? ''} ${baseRev ?? ''} ${documentId}`, hash)
    }
  }
  return parts
}
