/**
 * Whether somebody may see a version that they meet outside a page: in a conflict, in a history, in what a merge made
 * (promise 6). The same rules as for pages; whoever may not see a version does not learn that it exists.
 */
import type { AccessRules, Channels } from '../access.ts'
import type { ChangeStore, DocumentKey, EntryFacts } from '../changelog/changelog.ts'
import type { Access } from './access.ts'
import type { Caller } from './caller.ts'
import { channelsFor } from './filing.ts'
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
  async sees ({ user, operator }: Caller, key: DocumentKey, text: string): Promise<boolean> {
    if (!this.limited || operator === true) return true
    const { views, rules: { channels }, access } = this.#deps
    if (user === null) return false
    if (channels !== null) {
      const read = new Set((await views.of(user)).channels)
      if (!this.#filed(channels, key, text).some(channel => read.has(channel))) return false
    }
    return await access.may(user, 'read', key, text)
  }

  /** Nowhere, if the application's rule cannot say. */
  #filed (channels: Channels, { collection }: DocumentKey, text: string): readonly string[] {
    try {
      return channelsFor(channels, collection, text)
    } catch {
      return []
    }
  }

  /** Of a deletion the version that it deleted is asked about; one of which nothing is kept is nobody's to see. */
  async seesHead (caller: Caller, head: Pick<EntryFacts, 'collection' | 'documentId' | 'sequence'> & { readonly document: string | null }): Promise<boolean> {
    if (!this.limited || caller.operator === true) return true
    if (head.document !== null) return await this.sees(caller, head, head.document)
    for (let before = head.sequence; ;) {
      const [entry] = await this.#deps.store.history(head, { before, limit: 1 })
      if (entry === undefined) return false
      if (entry.document !== null) return await this.sees(caller, head, entry.document)
      before = entry.sequence
    }
  }
}
