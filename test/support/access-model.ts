/** Who may see what, as a model: documents move among owners and rooms, users among rooms and grants. */
import type { AccessOptions } from '../../src/access.ts'

export interface ModelDocument {
  readonly owner: string
  readonly rooms: readonly string[]
  readonly n: number
}

interface Version {
  readonly document: ModelDocument | null
  readonly timestamp: number
}

interface Rights {
  rooms: readonly string[]
  grants: readonly string[]
  version: number
}

export const USERS = ['ann', 'bob', 'cat'] as const
export const ROOMS = ['red', 'blue', 'green'] as const
export const IDS = ['a', 'b', 'c', 'd'] as const

export interface Regime {
  readonly title: string
  readonly options: (model: AccessModel) => AccessOptions
  readonly sees: (rights: Rights, user: string, document: ModelDocument) => boolean
}

export const regimes: readonly Regime[] = [
  {
    title: 'authorize',
    options: () => ({ authorize: (user, _, operation, document) => operation === 'write' || document['owner'] === user.id }),
    sees: (_, user, { owner }) => owner === user
  },
  {
    title: 'authorize that waits, and accessVersion',
    options: model => ({
      async authorize (user, _, operation, document) {
        await Promise.resolve()
        return operation === 'write' || model.rightsOf(user.id).grants.includes(document['owner'])
      },
      accessVersion: user => model.rightsOf(user.id).version
    }),
    sees: ({ grants }, _, { owner }) => grants.includes(owner)
  },
  {
    title: 'channels',
    options: model => ({ channels: (_, document) => document['rooms'], channelsOf: async user => model.rightsOf(user.id).rooms }),
    sees: ({ rooms }, _, document) => document.rooms.some(room => rooms.includes(room))
  },
  {
    title: 'channels and authorize',
    options: model => ({
      channels: (_, document) => document['rooms'],
      channelsOf: user => model.rightsOf(user.id).rooms,
      authorize: (user, _, operation, document) => operation === 'write' || document['n'] % 3 === 0 || document['owner'] === user.id
    }),
    sees: ({ rooms }, user, { rooms: filed, n, owner }) => filed.some(room => rooms.includes(room)) && (n % 3 === 0 || owner === user)
  }
]

export class AccessModel {
  readonly #regime: Regime
  readonly #versions = new Map<string, Version[]>()
  readonly #rights = new Map<string, Rights>()
  readonly #ever = new Map<string, Set<string>>()
  readonly #times = new Map<string, Set<number>>()

  constructor (regime: Regime) {
    this.#regime = regime
    for (const user of USERS) {
      this.#rights.set(user, { rooms: ['red'], grants: [user], version: 1 })
      this.#ever.set(user, new Set())
      this.#times.set(user, new Set([0]))
    }
  }

  rightsOf (user: string): Rights {
    return this.#rights.get(user)!
  }

  move (user: string, place: { readonly rooms: readonly string[], readonly grants: readonly string[] }): void {
    this.#rights.set(user, { ...place, version: this.rightsOf(user).version + 1 })
    for (const id of this.#versions.keys()) this.#note(id)
  }

  write (id: string, document: ModelDocument | null, timestamp: number): void {
    const versions = this.#versions.get(id) ?? []
    this.#versions.set(id, [...versions, { document, timestamp }])
    this.#note(id)
  }

  sees (user: string, document: ModelDocument): boolean {
    return this.#regime.sees(this.rightsOf(user), user, document)
  }

  /** What a user's replica holds when it is caught up. */
  visible (user: string): string[] {
    return [...this.#versions].flatMap(([id, versions]) => {
      const head = versions.at(-1)!.document
      return head !== null && this.sees(user, head) ? [JSON.stringify([id, head.n])] : []
    }).sort()
  }

  /** Whether there ever was a version of it that this user could see. */
  couldSee (user: string, id: string): boolean {
    return this.#ever.get(user)!.has(id)
  }

  /** Whether it is the time of something that this user could see. */
  mayKnow (user: string, timestamp: number): boolean {
    return this.#times.get(user)!.has(timestamp)
  }

  #note (id: string): void {
    for (const user of USERS) {
      let live = false
      for (const { document, timestamp } of this.#versions.get(id)!) {
        // A deletion of what could be seen may be known.
        live = document === null ? live : this.sees(user, document)
        if (!live) continue
        this.#ever.get(user)!.add(id)
        this.#times.get(user)!.add(timestamp)
      }
    }
  }
}
