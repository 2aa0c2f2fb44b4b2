import type { Scope } from './stream.ts'

/** What open streams have in common: one scope per set of collections, one count per user. */
export class Scopes {
  readonly #scopes = new Map<string, Scope>()
  readonly #perUser = new Map<string, number>()

  /** Open streams of a user; 0 for nobody, since without authentication everybody is the same nobody. */
  streamsOf (userId: string | null): number {
    return userId === null ? 0 : this.#perUser.get(userId) ?? 0
  }

  /** @param collections sorted; null = all */
  take (collections: readonly string[] | null, userId: string | null): Scope {
    if (userId !== null) this.#perUser.set(userId, this.streamsOf(userId) + 1)
    // No name holds a comma, and none is empty.
    const key = collections === null ? '' : collections.join(',')
    const scope = this.#scopes.get(key) ?? newScope(key, collections)
    this.#scopes.set(key, scope)
    scope.streams++
    return scope
  }

  release (scope: Scope, userId: string | null): void {
    if (--scope.streams === 0) this.#scopes.delete(scope.key)
    if (userId === null) return
    const left = this.streamsOf(userId) - 1
    if (left > 0) this.#perUser.set(userId, left)
    else this.#perUser.delete(userId)
  }
}

function newScope (key: string, collections: readonly string[] | null): Scope {
  return { key, collections: collections && new Set(collections), streams: 0, frames: new Map(), generation: 0 }
}
