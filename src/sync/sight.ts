/**
 * Whether somebody may see a version that they meet outside a page: in a conflict, in a history, in what a merge made
 * (promise 6). The same rules as for pages; whoever may not see a version does not learn that it exists.
 */
import type { AccessRules } from '../access.ts'
import type { ChangeStore, DocumentKey, EntryFacts } from '../changelog/changelog.ts'
import type { Access } from './access.ts'
import type { Caller } from './caller.ts'
import type { Views } from './view.ts'

export interface SightDeps {
  readonly store: ChangeStore
  readonly rules: AccessRules
  readonly access: Access
  readonly views: Views
}

export class Sight {
  /** Whether any rule hides anything from anybody. */
  readonly limited: boolean
  readonly #deps: SightDeps

  constructor (deps: SightDeps) {
    this.#deps = deps
    this.limited = deps.rules.authorize !== null || deps.rules.channelsOf !== null
  }

  /** @param text the version, as JSON */
  async sees (caller: Caller, key: DocumentKey, text: string): Promise<boolean> {
    return await this.#reads(caller, key, text, null)
  }

  /** The same by another channel than the one of what is public: where channels alone rule, who reads so may write. */
  async shares (caller: Caller, key: DocumentKey, text: string): Promise<boolean> {
    return await this.#reads(caller, key, text, this.#deps.rules.publicChannel)
  }

  async #reads ({ user, operator }: Caller, key: DocumentKey, text: string, except: string | null): Promise<boolean> {
    if (!this.limited || operator === true) return true
    const { views, rules: { channels }, access } = this.#deps
    if (user === null) return false
    if (channels !== null) {
      const read = new Set((await views.of(user)).channels)
      if (!access.filedUnder(key, text).some(channel => channel !== except && read.has(channel))) return false
    }
    return await access.may(user, 'read', key, text)
  }

  /** Whether a deletion is one of a document that somebody never saw, as far as what it deleted is kept. */
  async hides (caller: Caller, tombstone: Pick<EntryFacts, 'collection' | 'documentId' | 'sequence'>): Promise<boolean> {
    if (!this.limited || caller.operator === true) return false
    const deleted = await this.#deleted(tombstone)
    return deleted !== null && !await this.sees(caller, tombstone, deleted)
  }

  /** Of a deletion the version that it deleted is asked about; one of which nothing is kept is nobody's to see. */
  async seesHead (caller: Caller, head: Pick<EntryFacts, 'collection' | 'documentId' | 'sequence'> & { readonly document: string | null }): Promise<boolean> {
    if (!this.limited || caller.operator === true) return true
    if (head.document !== null) return await this.sees(caller, head, head.document)
    const deleted = await this.#deleted(head)
    return deleted !== null && await this.sees(caller, head, deleted)
  }

  /** The newest version before a deletion; null where none is kept. */
  async #deleted (tombstone: Pick<EntryFacts, 'collection' | 'documentId' | 'sequence'>): Promise<string | null> {
    for (let before = tombstone.sequence; ;) {
      const [entry] = await this.#deps.store.history(tombstone, { before, limit: 1 })
      if (entry === undefined || entry.document !== null) return entry?.document ?? null
      before = entry.sequence
    }
  }
}
