/**
 * Which of a page's rows one reader is shown, asked of the application's rules (DESIGN 7, promise 6).
 *
 * A head that the reader may not see is told as a removal if it may ever have been shown the document: if any kept
 * earlier version was one that it may see. Of any other it does not learn that there is one. A removal says no more of
 * what is hidden than its place in the order: its time is that of the newest version that the reader may see, its
 * tombstone has no revision. An `update` may be the first that a reader gets of a document, and says that there was
 * an earlier version of what it may see now, as the document's own `_rev` would; it is not worth a look at all
 * versions of all rows to say less.
 */
import type { AccessRules, User } from '../access.ts'
import type { ChangeStore, Row, Shown, StoredEntry } from '../changelog/changelog.ts'
import type { Access } from './access.ts'

export interface JudgeDeps {
  readonly store: ChangeStore
  readonly access: Access
  readonly rules: AccessRules
}

/** What of some rows is shown. */
export interface Judged {
  readonly rows: readonly Row[]
  /** How many of the rows were looked at: fewer than there are when that was work enough for one page. */
  readonly looked: number
  /** Whether it was. */
  readonly enough: boolean
}

/** Heads that are asked about at the same time, where the rule is asynchronous. */
const HEADS = 32
/** Documents whose versions are walked at the same time, and versions read at once of each: they may be long. */
const WALKS = 4
const VERSIONS = 8
/** Questions of one page, and ms: a reader of little goes on with the next page (promise 4). */
const QUESTIONS = 10_000
const PAGE_MS = 1000
/** For one document's versions a rule may take longer, but not for ever. */
const DOCUMENT_MS = 60_000
/** Questions and characters after which others get their turn (promise 7). */
const TURN_QUESTIONS = 64
const TURN_CHARACTERS = 256 * 1024

export class Judge {
  readonly #deps: JudgeDeps
  readonly #user: User | null
  readonly #channels: ReadonlySet<string> | null
  readonly #begun: number
  #questions = 0
  #sinceTurn = { questions: 0, characters: 0 }

  /** For one page or batch. @param channels that the user reads; undefined: documents are not filed */
  constructor (deps: JudgeDeps, user: User | null, channels: readonly string[] | undefined) {
    this.#deps = deps
    this.#user = user
    this.#channels = channels === undefined ? null : new Set(channels)
    this.#begun = deps.access.clock.now()
  }

  /** The same for who holds nothing yet, and so loses nothing: what is there to be seen, without removals. */
  async judgeLive (rows: readonly Row[]): Promise<Judged> {
    const shown: Row[] = []
    if (this.#user === null) return { rows: shown, looked: rows.length, enough: true }
    if (this.#deps.rules.authorize === null) return { rows, looked: rows.length, enough: true }
    for (let at = 0; at < rows.length; at += HEADS) {
      const group = rows.slice(at, at + HEADS)
      const seen = await this.#heads(group)
      shown.push(...group.filter((_, i) => seen[i]))
      await this.#pause()
      if (this.#isEnough) return { rows: shown, looked: at + group.length, enough: true }
    }
    return { rows: shown, looked: rows.length, enough: false }
  }

  /** Looks at rows in order, at least at one of them. */
  async judge (rows: readonly Row[]): Promise<Judged> {
    const shown: Row[] = []
    if (this.#user === null) return { rows: shown, looked: rows.length, enough: true }
    if (this.#deps.rules.authorize === null) return { rows: await this.#filed(rows), looked: rows.length, enough: true }
    for (let at = 0; at < rows.length; at += HEADS) {
      const group = rows.slice(at, at + HEADS)
      const seen = await this.#heads(group)
      const only = await this.#onlyVersions(group.filter((_, i) => !seen[i]))
      for (let i = 0; i < group.length; i += WALKS) {
        const part = group.slice(i, i + WALKS)
        const all = part.every((_, j) => seen[i + j])
        shown.push(...all ? part : (await Promise.all(part.map(async (row, j) => seen[i + j] ? row : only.has(row) ? null : await this.#gone(row)))).filter(row => row !== null))
        await this.#pause()
        if (this.#isEnough) return { rows: shown, looked: at + i + part.length, enough: true }
      }
    }
    return { rows: shown, looked: rows.length, enough: false }
  }

  get #isEnough (): boolean {
    return this.#questions >= QUESTIONS || this.#age >= PAGE_MS
  }

  get #age (): number {
    return this.#deps.access.clock.now() - this.#begun
  }

  get #isTurnOver (): boolean {
    const { questions, characters } = this.#sinceTurn
    return questions >= TURN_QUESTIONS || characters >= TURN_CHARACTERS
  }

  async #pause (): Promise<void> {
    if (!this.#isTurnOver) return
    this.#sinceTurn = { questions: 0, characters: 0 }
    await new Promise<void>(resolve => { setImmediate(resolve) })
  }

  /** Which heads the reader may see as they are. */
  #heads (rows: readonly Row[]): boolean[] | Promise<boolean[]> {
    const answers = rows.map(({ entry, member }) => member && entry.document !== null && this.#may(entry, entry.document))
    return answers.some(answer => typeof answer !== 'boolean') ? Promise.all(answers) : answers as boolean[]
  }

  /** Those of hidden rows before which there is no version to ask about, as of most. */
  async #onlyVersions (hidden: readonly Row[]): Promise<ReadonlySet<Row>> {
    if (hidden.length === 0) return none
    const answers = await this.#deps.store.heads(hidden.map(({ entry: { collection, documentId } }) => ({ collection, documentId })))
    return new Set(hidden.filter(({ entry }, i) => answers[i]!.head?.sequence === entry.sequence && answers[i]!.head?.previous === 0))
  }

  #may (entry: Shown, text: string): boolean | Promise<boolean> {
    this.#questions++
    this.#sinceTurn.questions++
    this.#sinceTurn.characters += text.length
    return this.#deps.access.may(this.#user, 'read', entry, text)
  }

  /** A head that is deleted or not to be seen: a deletion, a removal, or nothing. */
  async #gone (row: Row): Promise<Row | null> {
    const { entry, position } = row
    const found = await this.#lastSeen(row)
    if (found === null) return null
    return isDeletion(row) && found.newest ? { position, entry, member: true } : removal(position, found.version)
  }

  /** Where channels alone decide, their rows say who was shown what, beyond any history. */
  async #filed (rows: readonly Row[]): Promise<readonly Row[]> {
    if (rows.every(({ member }) => member)) return rows
    return await Promise.all(rows.map(async row => {
      const { entry, position } = row
      if (row.member) return row
      return isDeletion(row) ? { position, entry, member: true } : removal(position, await this.#before(position) ?? unknown(entry))
    }))
  }

  /** The version that another one replaced, while both are kept. */
  async #before (sequence: number): Promise<StoredEntry | null> {
    const { store } = this.#deps
    const [entry] = await store.entries([sequence])
    return entry == null || entry.previous === 0 ? null : (await store.entries([entry.previous]))[0] ?? null
  }

  /**
   * The newest kept version before a place that the reader may see, and whether no newer one lived there. The stores
   * follow a chain of versions, so a place in it is looked up, never searched for.
   */
  async #lastSeen ({ entry, position }: Row): Promise<{ version: StoredEntry, newest: boolean } | null> {
    const { store } = this.#deps
    if (position !== entry.sequence && (await store.entries([position]))[0] == null) return null
    let newest = true
    for (let before = position; ;) {
      const versions = await store.history(entry, { before, limit: VERSIONS })
      const live = versions.filter(({ document }) => document !== null)
      const found = await this.#firstSeen(live)
      if (found !== -1) return { version: live[found]!, newest: newest && found === 0 }
      newest &&= live.length === 0
      if (versions.length < VERSIONS) return null
      if (this.#age > DOCUMENT_MS) this.#deps.access.giveUp(entry, DOCUMENT_MS)
      before = versions.at(-1)!.sequence
      await this.#pause()
    }
  }

  /** @returns the index of the first version that may be seen, -1 when none may */
  async #firstSeen (versions: readonly StoredEntry[]): Promise<number> {
    const answers: Array<boolean | Promise<boolean>> = []
    for (const version of versions) {
      const answer = this.#isFiled(version) && this.#may(version, version.document!)
      answers.push(answer)
      if (answer === true) break
      if (this.#isTurnOver) await this.#pause()
    }
    return (await Promise.all(answers)).indexOf(true)
  }

  /** Whether a version lay in one of the reader's channels: rows tell that of the newest alone. */
  #isFiled (version: StoredEntry): boolean {
    const read = this.#channels
    return read === null || this.#deps.access.filedUnder(version, version.document!).some(channel => read.has(channel))
  }
}

const none: ReadonlySet<Row> = new Set()

/** What made it leave is that it was deleted. */
function isDeletion ({ entry, position }: Row): boolean {
  return entry.document === null && position === entry.sequence
}

function removal (position: number, entry: Shown): Row {
  return { position, entry, member: false }
}

/** Of a version that is not kept any more nothing is said. */
function unknown ({ collection, documentId }: Shown): Shown {
  return { sequence: 0, collection, documentId, operation: 'delete', document: null, timestamp: 0 }
}
