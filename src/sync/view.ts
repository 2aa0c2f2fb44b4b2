/**
 * What one reader may see of the log: the same for a pull and a live batch, and asked anew for each (DESIGN 7). The
 * pages are cut by the store; a view says which channels to read, which rows to show, and by which digest a
 * checkpoint shows that the reader's rights are still those it was made under.
 */
import { createHmac } from 'node:crypto'
import type { AccessRules, User } from '../access.ts'
import type { ChangeStore, Row } from '../changelog/changelog.ts'
import type { Access } from './access.ts'

export interface View {
  /** Readers whose views have the same key see the same, and share what is encoded for them. */
  readonly key: string
  /** What their checkpoints carry; undefined where documents alone decide. */
  readonly scope: string | undefined
  /** undefined: whatever there is. */
  readonly channels: readonly string[] | undefined
  /** What is shown of a page's rows, in their order: what the reader must drop as removals, what was never seen not at all. */
  shown (rows: readonly Row[]): readonly Row[] | Promise<readonly Row[]>
}

/** Of a server without rules: everybody sees everything. */
export const everything: View = { key: '', scope: undefined, channels: undefined, shown: rows => rows }

export interface ViewDeps {
  readonly store: ChangeStore
  readonly access: Access
  readonly rules: AccessRules
}

export class Views {
  readonly #deps: ViewDeps
  readonly #open: boolean

  constructor (deps: ViewDeps) {
    this.#deps = deps
    const { authorize, channelsOf, accessVersion } = deps.rules
    this.#open = authorize === null && channelsOf === null && accessVersion === null
  }

  /** A reader's view as of now. */
  of (user: User | null): View | Promise<View> {
    return this.#open ? everything : this.#of(user)
  }

  async #of (user: User | null): Promise<View> {
    const { rules: { channelsOf, accessVersion } } = this.#deps
    const channels = channelsOf === null ? undefined : user === null ? [] : [...new Set(await channelsOf(user))].sort()
    const version = channels ?? (accessVersion === null || user === null ? undefined : String(await accessVersion(user)))
    const scope = version === undefined ? undefined : await this.#digest([user?.id, version])
    return {
      key: await this.#digest([user, version]),
      scope,
      channels,
      shown: rows => this.#shown(user, rows)
    }
  }

  async #digest (value: unknown): Promise<string> {
    return createHmac('sha256', await this.#deps.store.secret()).update(JSON.stringify(value)).digest('base64url').slice(0, 16)
  }

  async #shown (user: User | null, rows: readonly Row[]): Promise<readonly Row[]> {
    const { access } = this.#deps
    const shown: Row[] = []
    for (const row of rows) {
      const { document } = row.entry
      if (!row.member || document === null || await access.may(user, 'read', row.entry, document)) shown.push(row)
    }
    return shown
  }
}
