/**
 * Three-way merge by path: what only one side changed is kept, of a path that both changed a judge chooses the side.
 * Objects are merged member by member, everything else, arrays too, is one value. Absent is `undefined`, which no
 * JSON has. Members are own ones alone: a document may have one called "constructor".
 */
import { isDeepStrictEqual } from 'node:util'

/** Names from the document's root. */
export type Path = readonly string[]

export interface Sides<T = unknown> {
  readonly base: T
  readonly stored: T
  readonly incoming: T
}

/** Called once for each path that both sides changed, to different values. */
export type Choose = (path: Path, stored: unknown, incoming: unknown) => 'stored' | 'incoming'

export type JsonObject = Readonly<Record<string, unknown>>

export function mergeObjects ({ base, stored, incoming }: Sides<JsonObject>, choose: Choose, path: Path = []): JsonObject {
  const members: Array<[string, unknown]> = []
  for (const name of new Set([...Object.keys(stored), ...Object.keys(incoming)])) {
    const value = mergeValues({ base: member(base, name), stored: member(stored, name), incoming: member(incoming, name) }, [...path, name], choose)
    if (value !== undefined) members.push([name, value])
  }
  return Object.fromEntries(members)
}

function mergeValues ({ base, stored, incoming }: Sides, path: Path, choose: Choose): unknown {
  if (isObject(stored) && isObject(incoming)) return mergeObjects({ base: isObject(base) ? base : {}, stored, incoming }, choose, path)
  if (isDeepStrictEqual(stored, incoming) || isDeepStrictEqual(base, incoming)) return stored
  if (isDeepStrictEqual(base, stored)) return incoming
  return choose(path, stored, incoming) === 'stored' ? stored : incoming
}

/** The value at a path; undefined where there is none. */
export function valueAt (root: unknown, path: Path): unknown {
  let value = root
  for (const name of path) {
    if (!isObject(value)) return undefined
    value = member(value, name)
  }
  return value
}

function member (object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

export function isObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
