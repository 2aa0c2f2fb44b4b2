/**
 * Erasing what people have a right to have erased. A document is deleted like any other, by an ordinary push, so that
 * every replica drops it; then the log forgets at once what it held of it, which compaction would do in time.
 */
import type { AuditStore, Erased, ErasedUser, EraseOptions } from '../changelog/audit.ts'
import type { ChangeStore, DocumentKey } from '../changelog/changelog.ts'
import type { PushResponse } from '../../schema/push-response.ts'
import { SyncError } from '../errors.ts'
import type { Audit } from './audit.ts'
import type { Caller } from './caller.ts'
import type { Clock } from './clock.ts'
import type { Pushes } from './push.ts'

export interface ErasureDeps {
  readonly store: ChangeStore & AuditStore
  readonly clock: Clock
  readonly pushes: Pick<Pushes, 'push'>
  readonly audit: Pick<Audit, 'note'>
  /** Of a message: never the same twice. */
  readonly newId: () => string
  /** Something was erased: what is kept beside the store must go too. */
  readonly onErased: () => void
}

export class Erasures {
  readonly #deps: ErasureDeps

  constructor (deps: ErasureDeps) {
    this.#deps = deps
  }

  /** @throws SyncError busy when others write the document again and again */
  async document (key: DocumentKey, options: EraseOptions, caller: Caller): Promise<Erased> {
    const { audit } = this.#deps
    if (!await this.#delete(key, caller)) throw new SyncError('busy', { detail: 'Somebody wrote the document at the same moment: erase it again.' })
    const erased = await this.#erase([key], options)
    audit.note({ type: 'erased', ...key, code: 'document' })
    return erased
  }

  /** What others wrote stays; so does the name in entries that come meanwhile: their documents are erased by doing it again. */
  async user (userId: string, options: EraseOptions, caller: Caller): Promise<ErasedUser> {
    const { store, audit } = this.#deps
    const tally = { documents: 0, shared: 0, versions: 0, journal: await store.forgetJournal(userId) }
    for (let after: number | null = 0; after !== null;) {
      const { documents, next } = await store.writtenBy(userId, after)
      const gone: DocumentKey[] = []
      for (const key of documents) if (key.alone && await this.#delete(key, caller, userId)) gone.push(key)
      const { versions, journal } = await this.#erase(gone)
      for (const key of documents) await store.forgetWriter(key, userId)
      tally.documents += gone.length
      tally.shared += documents.length - gone.length
      tally.versions += versions
      tally.journal += journal
      after = next
    }
    const { walEmptied } = await this.#erase([], options)
    audit.note({ type: 'erased', code: 'user' })
    return { ...tally, walEmptied }
  }

  async #erase (keys: readonly DocumentKey[], options: EraseOptions = {}): Promise<Erased> {
    try {
      return await this.#deps.store.erase(keys, options)
    } finally {
      this.#deps.onErased()
    }
  }

  /** @param by does so only where that user wrote what stands. @returns whether it stands no longer */
  async #delete (key: DocumentKey, caller: Caller, by?: string): Promise<boolean> {
    const { store, clock, pushes, newId } = this.#deps
    const [answer] = await store.heads([key])
    const head = answer?.head ?? null
    if (head === null || head.operation === 'delete') return true
    if (by !== undefined && head.userId !== by) return false
    const timestamp = Math.max(clock.now(), head.effectiveTime + 1)
    const change = { operation: 'delete', documentId: key.documentId, timestamp, base: head.sequence }
    const { body } = await pushes.push({ id: newId(), timestamp, collection: key.collection, changes: [change], condemned: new Map() }, caller)
    return (JSON.parse(body) as PushResponse).results[0]?.status === 'applied'
  }
}
