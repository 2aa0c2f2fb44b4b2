/**
 * Asks the application's rules (DESIGN 7). Only `true` allows: what a rule throws, what it answers too late and any
 * other answer deny, and the operator is told (promise 6). A denial never says whether there is anything to see.
 */
import type { AccessRules, Operation, User } from '../access.ts'
import type { DocumentKey } from '../changelog/changelog.ts'
import type { Limits } from '../config.ts'
import type { Clock } from './clock.ts'
import { SyncError } from '../errors.ts'
import { channelsFor } from './filing.ts'
import { inTime, late } from './in-time.ts'

export interface AccessDeps {
  readonly rules: AccessRules
  readonly clock: Clock
  readonly limits: Pick<Limits, 'authorizeMs'>
  /** What a rule did wrong: for the operator, never for a client. */
  readonly onError: (error: unknown, about: { readonly rule: string, readonly collection?: string, readonly documentId?: string }) => void
}

export class Access {
  /** Whether a rule looks into documents: where none does they are passed on as text. */
  readonly looks: boolean
  readonly clock: Clock
  readonly #deps: AccessDeps

  constructor (deps: AccessDeps) {
    this.#deps = deps
    this.clock = deps.clock
    this.looks = deps.rules.authorize !== null
  }

  /** @param text the version that is asked about, as JSON; each question gets a copy of its own, so a rule can alter nothing */
  may (user: User | null, operation: Operation, key: DocumentKey, text: string): boolean | Promise<boolean> {
    const { rules: { authorize } } = this.#deps
    if (authorize === null) return true
    // A rule is about users: nobody is none.
    if (user === null) return false
    try {
      const answer = authorize(user, key.collection, operation, JSON.parse(text))
      return isThenable(answer) ? this.#wait(answer, key) : answer === true
    } catch (error) {
      return this.#failed(error, key)
    }
  }

  /**
   * What another rule answers about a user. Unlike a denial, no answer shows nothing and removes nothing: whoever
   * asked comes again.
   * @param check throws what is wrong with an answer
   * @throws SyncError access_unavailable
   */
  async ask<T> (rule: 'channelsOf' | 'accessVersion', run: () => unknown, check: (answer: unknown) => T): Promise<T> {
    const { clock, limits: { authorizeMs }, onError } = this.#deps
    try {
      const asked = run()
      const answer = isThenable(asked) ? await inTime<unknown>(() => asked, authorizeMs, clock) : asked
      if (answer === late) throw new Error(`${rule} did not answer within ${authorizeMs} ms`)
      return check(answer)
    } catch (error) {
      onError(error, { rule })
      throw new SyncError('access_unavailable')
    }
  }

  /** Where `authorize` was asked about one version of a document after the other. @throws SyncError access_unavailable */
  giveUp ({ collection, documentId }: DocumentKey, ms: number): never {
    this.#deps.onError(new Error(`authorize did not answer about the versions of one document within ${ms} ms`), { rule: 'authorize', collection, documentId })
    throw new SyncError('access_unavailable')
  }

  /** Under which channels a version is filed: nowhere, if the rule cannot say. @param text as JSON */
  filedUnder ({ collection, documentId }: DocumentKey, text: string): readonly string[] {
    const { rules: { channels }, onError } = this.#deps
    if (channels === null) return []
    try {
      return channelsFor(channels, collection, text)
    } catch (error) {
      onError(error, { rule: 'channels', collection, documentId })
      return []
    }
  }

  async #wait (answer: Promise<boolean>, key: DocumentKey): Promise<boolean> {
    const { clock, limits: { authorizeMs } } = this.#deps
    try {
      const found = await inTime(() => answer, authorizeMs, clock)
      if (found === late) throw new Error(`authorize did not answer within ${authorizeMs} ms`)
      return found === true
    } catch (error) {
      return this.#failed(error, key)
    }
  }

  #failed (error: unknown, { collection, documentId }: DocumentKey): false {
    this.#deps.onError(error, { rule: 'authorize', collection, documentId })
    return false
  }
}

function isThenable (value: unknown): value is Promise<boolean> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
