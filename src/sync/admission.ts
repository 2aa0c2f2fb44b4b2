/**
 * Whether a version may be written: `authorize` is asked once per version that exists, the stored one and the new one,
 * then the collection's own rule about its documents (DESIGN 5). A denial is the same whichever version it was about,
 * and comes before anything else is said of a change, so that it tells nothing of what is stored.
 */
import type { AppDocument } from '../access.ts'
import { catalogue, type ErrorItem } from '../errors.ts'
import type { Problem } from '../validation.ts'
import type { Caller } from './caller.ts'
import { channelsFor } from './filing.ts'
import { inTime, late } from './in-time.ts'
import type { PushDeps } from './message.ts'

/** What a change wants to make of a document. */
export interface Wish {
  /** Place of the change in its message. */
  readonly index: number
  readonly documentId: string
  /** Whether the sender takes the document for new. */
  readonly inserts: boolean
  /** The new version as JSON; null deletes. */
  readonly text: string | null
}

export class Admission {
  /** Whether any rule of access binds this caller. */
  readonly bound: boolean
  /** Whether a collection's documents are looked at before they are written. */
  readonly looks: boolean
  readonly #deps: PushDeps
  readonly #caller: Caller
  readonly #collection: string

  constructor (deps: PushDeps, caller: Caller, collection: string) {
    this.#deps = deps
    this.#caller = caller
    this.#collection = collection
    this.bound = caller.operator !== true && deps.sight.limited
    this.looks = deps.channels !== null || deps.conflicts.validatorOf(collection) !== null
  }

  /** Why the caller may not; null when nothing forbids it. @param stored the version that stands, as JSON; null where none does */
  async denial (wish: Wish, stored: string | null): Promise<ErrorItem | null> {
    if (!this.bound || await this.#allowed(wish, stored)) return null
    return { code: 'write_forbidden', pointer: `/changes/${wish.index}`, detail: catalogue.write_forbidden.message }
  }

  /** What is wrong with the new version; null when nothing is. */
  async problem ({ index, documentId, text }: Wish, stored: string | null): Promise<ErrorItem | null> {
    if (!this.looks || text === null) return null
    const pointer = `/changes/${index}/document`
    try {
      this.channels(text)
      const [problem] = problemsOf(await this.#validate(text, stored))
      return problem === undefined ? null : { code: 'validation_failed', pointer: `${pointer}${problem.pointer ?? ''}`, detail: problem.detail }
    } catch (error) {
      this.#deps.conflicts.onError(error, { collection: this.#collection, documentId })
      return { code: 'validation_failed', pointer, detail: 'A rule of the application failed on this document.' }
    }
  }

  /** Under which channels a version is filed. @throws TypeError when the application's rule names none that can be kept */
  channels (text: string | null): readonly string[] {
    const { channels } = this.#deps
    return channels === null ? [] : channelsFor(channels, this.#collection, text)
  }

  async #allowed ({ documentId, inserts, text }: Wish, stored: string | null): Promise<boolean> {
    const { user } = this.#caller
    const { access, sight } = this.#deps
    const key = { collection: this.#collection, documentId }
    if (user === null) return false
    if (stored !== null) {
      if (!await access.may(user, 'write', key, stored)) return false
      // What somebody does not see is not theirs to insert anew; what they do not share, where channels alone rule, nor to write at all.
      if (access.looks ? inserts && !await sight.sees(this.#caller, key, stored) : !await sight.shares(this.#caller, key, stored)) return false
    }
    return text === null || await access.may(user, 'write', key, text)
  }

  async #validate (text: string, stored: string | null): Promise<unknown> {
    const { clock, limits, conflicts: { validatorOf } } = this.#deps
    const validate = validatorOf(this.#collection)
    if (validate === null) return undefined
    const found = await inTime(() => validate(JSON.parse(text) as AppDocument, stored === null ? null : JSON.parse(stored) as AppDocument), limits.resolveMs, clock)
    if (found === late) throw new Error(`validate did not answer within ${limits.resolveMs} ms`)
    return found
  }
}

/** The application answers with one or several, as text or with a pointer; nothing is no problem. */
function problemsOf (found: unknown): Problem[] {
  if (found === undefined || found === null) return []
  return (Array.isArray(found) ? found : [found]).map((problem: unknown) => {
    if (typeof problem === 'string') return { detail: problem }
    const { detail, pointer = '' } = problem as Problem
    if (typeof detail !== 'string' || typeof pointer !== 'string') throw new TypeError('validate must return nothing, texts, or { pointer, detail }')
    return { detail, pointer }
  })
}
