/** Settles a change that is concurrent with the version that stands, by the strategy of its collection. */
import { isDeepStrictEqual } from 'node:util'
import { clamp, contentHash } from '../changelog/entry.ts'
import type { Operation, StoredEntry } from '../changelog/changelog.ts'
import type { ResolveConflict, Strategy } from '../collections.ts'
import { catalogue, type ErrorItem } from '../errors.ts'
import type { Caller } from './caller.ts'
import { clientWins, effectiveTime, isVain, lastWriteWins, operationOver, overrule, serverWins, stands, unitedTime, type Base, type Clash, type Decision, type Judge } from './decide.ts'
import { makeDocument, saysTheSame, withoutRev, type Made, type Met } from './made.ts'
import { isObject, mergeObjects, valueAt, type JsonObject, type Path } from './merge.ts'
import type { PushDeps } from './message.ts'
import { resolve } from './resolve.ts'

/** What came of both: neither the change nor the version that stood. */
export interface Merged {
  readonly status: 'merged'
  readonly operation: Operation
  readonly effectiveTime: number
  readonly made: Made
  readonly by: Judge
  /** Something of these is not in what came of it, so that they go into the journal. */
  readonly loses: { readonly stored: boolean, readonly incoming: boolean }
}

export interface Rejected {
  readonly status: 'rejected'
  readonly error: ErrorItem
}

export type Settled = Decision | Merged | Rejected

export interface SettleDeps extends PushDeps {
  readonly strategy: Strategy
  readonly collection: string
  readonly caller: Caller
  /** JSON text of the version that stands. */
  readonly stored: () => Promise<string | null>
}

export async function settle (clash: Clash, deps: SettleDeps): Promise<Settled> {
  const { strategy } = deps
  const { change, head } = clash
  switch (strategy) {
    case 'last-write-wins': return lastWriteWins(clash)
    case 'server-wins': return serverWins(clash)
    case 'client-wins': return clientWins(clash)
  }
  // Who says the same does not contradict.
  if (isVain(change, head) || Buffer.compare(change.hash, head.hash) === 0) return lastWriteWins(clash)
  if (strategy !== 'merge') return await ask(strategy, clash, deps)
  return isMergeable(clash) ? merge(clash, await deps.stored(), deps) : lastWriteWins(clash)
}

/** An edit against an edit, with their common base. A document that was deleted and born again is another one. */
function isMergeable ({ change, head, base, since }: Clash): boolean {
  return change.text !== null && head.operation !== 'delete' && typeof base?.document === 'string' && since.every(entry => entry.document !== null)
}

function merge (clash: Clash, standing: string | null, deps: SettleDeps): Settled {
  const { change, now } = clash
  const base = parse(clash.base!.document)
  const met = { stored: parse(standing), incoming: parse(change.text) }
  if (base === null || met.stored === null || met.incoming === null) return lastWriteWins(clash)
  const loses = { stored: false, incoming: false }
  const times = new PathTimes(clash, met.stored)
  const time = effectiveTime(change, now, clash.base)
  const sides = { base: withoutRev(base), stored: withoutRev(met.stored), incoming: withoutRev(met.incoming) }
  const document = mergeObjects(sides, (path, stored, incoming) => {
    const later = time - times.at(path) || Buffer.compare(valueHash(incoming), valueHash(stored))
    loses[later > 0 ? 'stored' : 'incoming'] = true
    return later > 0 ? 'incoming' : 'stored'
  })
  const found = outcomeOf(document, { clash, met, by: 'merge', loses })
  return found.status === 'merged' ? withinLimit(found, clash, deps) : found
}

/** Two documents that fit may not fit together. */
function withinLimit (merged: Merged, { change: { index } }: Clash, { limits }: SettleDeps): Settled {
  const bytes = Buffer.byteLength(merged.made.text!)
  if (bytes <= limits.documentBytes) return merged
  const detail = `Merged with the version that stands the document takes ${bytes} bytes; ${limits.documentBytes} are allowed.`
  return { status: 'rejected', error: { code: 'document_too_large', pointer: `/changes/${index}/document`, detail } }
}

/** The application's own rule decides. */
async function ask (resolver: ResolveConflict, clash: Clash, deps: SettleDeps): Promise<Settled> {
  const { change, base } = clash
  const { collection, caller: { user } } = deps
  const standing = await deps.stored()
  // What the rule does to its documents is its own affair: it gets copies.
  const met = (): Met => ({ stored: parse(standing), incoming: parse(change.text) })
  const answer = await resolve(resolver, { collection, documentId: change.documentId, base: parse(base?.document ?? null), ...met(), user }, deps)
  if ('document' in answer) return outcomeOf(answer.document, { clash, met: met(), by: 'resolveConflict', loses: { stored: true, incoming: true } })
  const detail = `${catalogue.resolution_failed.message} ${answer.failed}`
  return { status: 'rejected', error: { code: 'resolution_failed', pointer: `/changes/${change.index}`, detail } }
}

/** What came of it may be one of the two that met. */
function outcomeOf (document: JsonObject | null, { clash, met, by, loses }: { clash: Clash, met: Met, by: Judge, loses: Merged['loses'] }): Settled {
  const asStored = saysTheSame(document, met.stored)
  const asIncoming = saysTheSame(document, met.incoming)
  if (asStored && asIncoming) return lastWriteWins(clash)
  if (asStored) return stands(clash.head, by)
  if (asIncoming) return overrule(clash, by)
  return {
    status: 'merged',
    operation: operationOver(clash.head, document === null),
    effectiveTime: unitedTime(clash),
    made: makeDocument(document, met),
    by,
    loses
  }
}

/**
 * When the value that stands at a path was written: of the edits since the base that changed it, the newest. Not the
 * time of the whole document, whose newest edit may have been of another path: of two edits of one path the same one
 * must win whether or not a third one of another path came between (promise 8).
 */
class PathTimes {
  readonly #clash: Clash
  readonly #stored: JsonObject
  /** Newest first, the base last. */
  #documents: ReadonlyArray<JsonObject | null> | undefined

  constructor (clash: Clash, stored: JsonObject) {
    this.#clash = clash
    this.#stored = stored
  }

  at (path: Path): number {
    const { head, base, since } = this.#clash
    // The base is a change of this very push: then nothing came between.
    if (since.length === 0) return head.effectiveTime
    const documents = this.#documents ??= [this.#stored, ...since.slice(1).map(({ document }) => parse(document)), parse(base!.document)]
    const values = documents.map(document => valueAt(document, path))
    return since.reduce((newest, entry, i) => isDeepStrictEqual(values[i], values[i + 1]) ? newest : Math.max(newest, editTime(entry, base!)), 0)
  }
}

/** The effective time of the change that an entry came from; an entry in which versions were united has a later one. */
function editTime ({ timestamp, serverTimestamp }: StoredEntry, base: Base): number {
  return Math.max(clamp(timestamp, serverTimestamp), base.effectiveTime + 1)
}

/** Decides between values of the same time; an absent one is none of them. */
function valueHash (value: unknown): Uint8Array {
  return contentHash(value === undefined ? [] : [value])
}

/** Null for what is no document: deleted, or kept by a log that holds other things. */
function parse (text: string | null): JsonObject | null {
  const value: unknown = text === null ? null : JSON.parse(text)
  return isObject(value) ? value : null
}
