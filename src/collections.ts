/** What may be set for single collections, and of it for the whole server too how conflicts are settled. */
import { CollectionName } from '../schema/common.ts'
import type { AppDocument, User } from './access.ts'
import { validatorFrom, type Validate } from './validation.ts'

/** In words: the README, "Conflicts". */
export const conflictStrategies = ['last-write-wins', 'server-wins', 'client-wins', 'merge'] as const
export type ConflictStrategy = typeof conflictStrategies[number]

export interface Conflict {
  readonly collection: string
  readonly documentId: string
  /** The version that the change edited; null when it is not known, not kept any more, or a deletion. */
  readonly base: AppDocument | null
  /** The version that stands; null when it is deleted. */
  readonly stored: AppDocument | null
  /** What the change makes of the document; null when it deletes it. */
  readonly incoming: AppDocument | null
  /** Whose change it is; null without authentication. */
  readonly user: User | null
}

/** The document as it shall be, null to delete it. May be called again for the same conflict. */
export type ResolveConflict = (conflict: Conflict) => object | null | Promise<object | null>

export type Strategy = ConflictStrategy | ResolveConflict

/** Options of one collection; what is not given is as for the server. */
export interface CollectionOptions {
  conflictStrategy?: ConflictStrategy
  /** The application's own rule, instead of a strategy. */
  resolveConflict?: ResolveConflict
  /** What its documents must be: a JSON Schema (TypeBox's too), or `(document, previous) => problems`, sync or async. */
  validate?: Validate | object
}

export interface Collections {
  readonly strategyOf: (collection: string) => Strategy
  /** null where its documents may be anything. */
  readonly validatorOf: (collection: string) => Validate | null
}

const namePattern = new RegExp(CollectionName.pattern!)
const known: ReadonlySet<string> = new Set<keyof CollectionOptions>(['conflictStrategy', 'resolveConflict', 'validate'])

/** @throws TypeError naming the option that is wrong */
export function resolveCollections (server: Omit<CollectionOptions, 'validate'> & { readonly collections?: Readonly<Record<string, CollectionOptions>> }): Collections {
  const otherwise = strategyFrom(server, '') ?? 'last-write-wins'
  const strategies = new Map<string, Strategy>()
  const validators = new Map<string, Validate>()
  for (const [collection, options] of Object.entries(server.collections ?? {})) {
    if (!namePattern.test(collection)) throw new TypeError(`collections: "${collection}" cannot be the name of a collection`)
    const name = `collections.${collection}.`
    if (typeof options !== 'object' || options === null) throw new TypeError(`${name.slice(0, -1)} must be an object of options`)
    for (const option of Object.keys(options)) if (!known.has(option)) throw new TypeError(`${name}${option} is no option; there are ${[...known].join(', ')}`)
    const strategy = strategyFrom(options, name)
    if (strategy !== undefined) strategies.set(collection, strategy)
    if (options.validate !== undefined) validators.set(collection, validatorFrom(options.validate, `${name}validate`))
  }
  return { strategyOf: collection => strategies.get(collection) ?? otherwise, validatorOf: collection => validators.get(collection) ?? null }
}

/** @throws TypeError naming what cannot be a collection */
export function publicFrom (names: readonly string[] = []): ReadonlySet<string> {
  if (!Array.isArray(names)) throw new TypeError('publicCollections must be a list of names')
  for (const name of names as unknown[]) {
    if (typeof name !== 'string' || !namePattern.test(name)) throw new TypeError(`publicCollections: ${JSON.stringify(name)} cannot be the name of a collection`)
  }
  return new Set(names)
}

function strategyFrom ({ conflictStrategy, resolveConflict }: CollectionOptions, name: string): Strategy | undefined {
  if (conflictStrategy !== undefined && !conflictStrategies.includes(conflictStrategy)) {
    throw new TypeError(`${name}conflictStrategy must be one of ${conflictStrategies.join(', ')}, not ${String(conflictStrategy)}`)
  }
  if (resolveConflict === undefined) return conflictStrategy
  if (typeof resolveConflict !== 'function') throw new TypeError(`${name}resolveConflict must be a function`)
  if (conflictStrategy !== undefined) throw new TypeError(`${name}resolveConflict and ${name}conflictStrategy exclude each other: give one of them`)
  return resolveConflict
}
