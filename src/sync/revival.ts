/**
 * Old versions and lost changes, pushed again as new changes: by the way every push goes, so that all rules hold.
 * Whoever reverts or replays has seen what stands and decided against it. So the change has the head for its base
 * and wins; without a base the last write would win, which is why it lost the first time.
 */
import type { ChangeStore, DocumentKey, EntryFacts } from '../changelog/changelog.ts'
import type { PushResponse, Result } from '../../schema/push-response.ts'
import { contentHash } from '../changelog/entry.ts'
import { SyncError } from '../errors.ts'
import type { Audit } from './audit.ts'
import type { Caller } from './caller.ts'
import type { Clock } from './clock.ts'
import type { PushMessage } from './message.ts'
import type { Pushes } from './push.ts'

type Fields = Readonly<Record<string, unknown>>

export interface RevivalDeps {
  readonly store: ChangeStore
  readonly clock: Clock
  readonly pushes: Pick<Pushes, 'push'>
  readonly audit: Pick<Audit, 'note'>
  /** Of a message: never the same twice. */
  readonly newId: () => string
  /** What every message passes before anything looks at it. @throws SyncError */
  readonly gate: (body: Buffer) => Gated | Promise<Gated>
}

interface Gated {
  readonly value: unknown
  readonly condemned: PushMessage['condemned']
}

/** A replay that ended so has done what it could: its row is done with. */
const DONE: readonly string[] = ['applied', 'merged', 'duplicate']

export class Revivals {
  readonly #deps: RevivalDeps

  constructor (deps: RevivalDeps) {
    this.#deps = deps
  }

  /**
   * Makes an old version the newest again: a deleted document comes back, a tombstone deletes.
   * @throws SyncError not_found when that version is not kept
   */
  async revert (key: DocumentKey, sequence: number, caller: Caller): Promise<Result> {
    const [entry] = await this.#deps.store.entries([sequence])
    if (entry?.collection !== key.collection || entry.documentId !== key.documentId) {
      throw new SyncError('not_found', { detail: `The history of this document holds no version ${sequence}: it never did, or no longer.` })
    }
    const { operation, documentId, document } = entry
    const deletes = operation === 'delete'
    const change = await this.#read(`{"operation":"${deletes ? 'delete' : 'update'}","documentId":${JSON.stringify(documentId)},"document":${document ?? 'null'}}`)
    const { result } = await this.#push(key.collection, change, { caller, anew: true })
    this.#deps.audit.note({ type: 'reverted', ...key, code: result.status })
    return result
  }

  /**
   * Pushes a change of the journal again; once it stands, or is known to have stood, its row goes.
   * @returns `rejected` also where the text is no change at all. @throws SyncError not_found without such a row
   */
  async replay (id: number, caller: Caller): Promise<Result> {
    const { store } = this.#deps
    const [row] = await store.journal({ before: id + 1, limit: 1 })
    if (row?.id !== id) throw new SyncError('not_found', { detail: `The journal holds no row ${id}: it never did, or no longer.` })
    let change: Fields
    try {
      change = await this.#read(row.raw)
    } catch (error) {
      if (error instanceof SyncError) return refusedBy(error)
      throw error
    }
    const first = await this.#push(row.collection, change, { caller, anew: false })
    // A version that stood before it lost, and one that was merged, is known. It can only come back as a new change.
    const known = row.status === 'conflict' && first.result.status === 'duplicate' && !await this.#stands(row.collection, change)
    const { result, messageId } = known ? await this.#push(row.collection, change, { caller, anew: true }) : first
    if (DONE.includes(result.status)) await store.discardJournal([id])
    else await this.#discardNotesOf(messageId, { collection: row.collection, documentId: idOf(change) ?? '' })
    this.#deps.audit.note({ type: 'replayed', collection: row.collection, documentId: idOf(change), code: result.status })
    return result
  }

  /** One change from a text that may be anything. @throws SyncError */
  async #read (text: string): Promise<Fields> {
    const { value, condemned } = await this.#deps.gate(Buffer.from(`{"changes":[${text}]}`))
    const defect = condemned.get(0)?.error
    if (defect !== undefined) throw new SyncError(defect.code, { detail: defect.detail, errors: [defect] })
    const { changes, ...others } = value as { changes: readonly unknown[] }
    const [change] = changes
    // Brackets in the text could have made several changes of it, or other members of the message.
    if (changes.length === 1 && Object.keys(others).length === 0 && isObject(change)) return change
    throw new SyncError('invalid_change')
  }

  /** @param how.anew as a change that nobody has made before, so that it is no duplicate of the one it repeats */
  async #push (collection: string, old: Fields, { caller, anew }: { caller: Caller, anew: boolean }): Promise<{ result: Result, messageId: string }> {
    const { store, clock, pushes, newId } = this.#deps
    const { sequence, previousDocument, ...kept } = old
    const documentId = idOf(kept)
    const [answer] = documentId === null ? [] : await store.heads([{ collection, documentId }])
    const head = answer?.head ?? null
    const messageId = newId()
    const now = clock.now()
    const change = { ...kept, ...anew && renewed(kept, { head, now, id: messageId }), base: head?.sequence }
    const { body } = await pushes.push({ id: messageId, timestamp: now, collection, changes: [change], condemned: new Map() }, caller)
    return { result: (JSON.parse(body) as PushResponse).results[0]!, messageId }
  }

  /** Whether the document is as the change would have it. */
  async #stands (collection: string, change: Fields): Promise<boolean> {
    const [answer] = await this.#deps.store.heads([{ collection, documentId: idOf(change) ?? '' }])
    return answer?.head != null && Buffer.compare(answer.head.hash, contentHash(change['document'])) === 0
  }

  /** A replay that failed leaves one row, the one that says who sent the change. */
  async #discardNotesOf (messageId: string, key: DocumentKey): Promise<void> {
    const notes = await this.#deps.store.journal({ ...key, limit: 10 })
    await this.#deps.store.discardJournal(notes.filter(note => note.messageId === messageId).map(({ id }) => id))
  }
}

/** By its time or, where the client keeps revisions, by its revision a change is another one. */
function renewed ({ document }: Fields, { head, now, id }: { head: EntryFacts | null, now: number, id: string }): Fields {
  const timestamp = Math.max(now, (head?.effectiveTime ?? 0) + 1)
  if (!isObject(document) || typeof document['_rev'] !== 'string') return { timestamp }
  const generation = Math.max(...[document['_rev'], head?.rev].map(rev => Number.parseInt(rev ?? '', 10) || 0))
  return { timestamp, document: { ...document, _rev: `${generation + 1}-${id.replaceAll('-', '')}` } }
}

function idOf ({ documentId }: Fields): string | null {
  return typeof documentId === 'string' ? documentId : null
}

function isObject (value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refusedBy ({ code, message, facts }: SyncError): Result {
  const [item] = facts.errors ?? []
  return { index: 0, status: 'rejected', error: item === undefined ? { code, detail: message } : { ...item } }
}
