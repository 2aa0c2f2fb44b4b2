/** A document that no client sent: merged by path, or made by the application's own rule. */
import { isDeepStrictEqual } from 'node:util'
import { contentHash } from '../changelog/entry.ts'
import type { JsonObject } from './merge.ts'

export interface Made {
  /** JSON text; null deletes the document. */
  readonly text: string | null
  readonly hash: Uint8Array
  readonly rev: string | null
}

/** The two versions that met; null where deleted. */
export interface Met {
  readonly stored: JsonObject | null
  readonly incoming: JsonObject | null
}

export function makeDocument (document: JsonObject | null, met: Met): Made {
  if (document === null) return { text: null, hash: contentHash(null), rev: null }
  const revised = withOwnRev(document, met)
  return { text: JSON.stringify(revised), hash: contentHash(revised), rev: revOf(revised) }
}

/** Whether two versions say the same, whatever they call themselves. */
export function saysTheSame (a: JsonObject | null, b: JsonObject | null): boolean {
  return a === null || b === null ? a === b : isDeepStrictEqual(withoutRev(a), withoutRev(b))
}

/**
 * Where clients keep revisions, a new content has a revision of its own: under that of either side an edit of that
 * side would pass for one of this document. Made of the content, so that every node makes the same.
 */
function withOwnRev (document: JsonObject, { stored, incoming }: Met): JsonObject {
  const taken = [revOf(stored), revOf(incoming)].filter(rev => rev !== null)
  const rev = revOf(document)
  if (taken.length === 0 || (rev !== null && !taken.includes(rev))) return document
  const generation = Math.max(...taken.map(rev => Number.parseInt(rev) || 0)) + 1
  const content = withoutRev(document)
  return { ...content, _rev: `${generation}-${contentHash(content).toString('hex').slice(0, 32)}` }
}

/** What is not a string is no revision. */
export function withoutRev (document: JsonObject): JsonObject {
  if (revOf(document) === null) return document
  const { _rev, ...rest } = document
  return rest
}

function revOf (document: JsonObject | null): string | null {
  const rev = document !== null && Object.hasOwn(document, '_rev') ? document['_rev'] : null
  return typeof rev === 'string' ? rev : null
}
