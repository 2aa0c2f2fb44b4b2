import { isDeepStrictEqual } from 'node:util'
import type { User } from '../access.ts'
import type { Grant } from './grants.ts'
import type { PageFrame } from './frames.ts'

/** Somebody with open streams: what they may see is asked once for all of them. */
export interface Reader {
  readonly user: User | null
  readonly key: unknown
  streams: number
  /** The newest answer; null where the next question must be a new one. */
  grant: Grant | null
}

/** All streams of a reader with the same collections: they share what is encoded for them. */
export interface Scope {
  readonly key: string
  readonly reader: Reader
  /** null = all. */
  readonly collections: ReadonlySet<string> | null
  streams: number
  /** Pages made under one grant, by the id of the place they start from. */
  readonly frames: Map<string, PageFrame | Promise<PageFrame>>
  grant: Grant | null
}

/** What open streams have in common: one reader per user, one scope per set of collections, one count per user. */
export class Scopes {
  /** Without rules of access everybody is the same reader. */
  readonly #alike: boolean
  readonly #readers = new Map<unknown, Reader>()
  readonly #scopes = new Map<Reader, Map<string, Scope>>()
  readonly #perUser = new Map<string, number>()

  constructor (alike: boolean) {
    this.#alike = alike
  }

  /** Open streams of a user; 0 for nobody, since without authentication everybody is the same nobody. */
  streamsOf (userId: string | null): number {
    return userId === null ? 0 : this.#perUser.get(userId) ?? 0
  }

  /** @param collections sorted; null = all */
  take (collections: readonly string[] | null, user: User | null): Scope {
    if (user !== null) this.#perUser.set(user.id, this.streamsOf(user.id) + 1)
    const reader = this.#readerOf(user)
    reader.streams++
    const scopes = this.#scopes.get(reader) ?? new Map<string, Scope>()
    this.#scopes.set(reader, scopes)
    // No name holds a comma, and none is empty.
    const key = collections === null ? '' : collections.join(',')
    const scope = scopes.get(key) ?? { key, reader, collections: collections && new Set(collections), streams: 0, frames: new Map(), grant: null }
    scopes.set(key, scope)
    scope.streams++
    return scope
  }

  release ({ key, reader }: Scope, user: User | null): void {
    const scopes = this.#scopes.get(reader)!
    if (--scopes.get(key)!.streams === 0) scopes.delete(key)
    if (--reader.streams === 0) {
      this.#scopes.delete(reader)
      this.#readers.delete(reader.key)
    }
    if (user === null) return
    const left = this.streamsOf(user.id) - 1
    if (left > 0) this.#perUser.set(user.id, left)
    else this.#perUser.delete(user.id)
  }

  #readerOf (user: User | null): Reader {
    const key = this.#alike ? null : keyOf(user)
    const reader = this.#readers.get(key) ?? { user: this.#alike ? null : user, key, streams: 0, grant: null }
    this.#readers.set(key, reader)
    return reader
  }
}

/** By it the same user is known: the text of one that is all data, else the object itself, since a rule may look at anything. */
function keyOf (user: User | null): unknown {
  if (user === null) return null
  try {
    const text = JSON.stringify(user)
    return isDeepStrictEqual(JSON.parse(text), user) ? text : user
  } catch {
    return user
  }
}
