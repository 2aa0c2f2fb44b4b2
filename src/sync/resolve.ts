/** Asks the application's own conflict rule, and takes from it only what a client could have sent. */
import type { Conflict, ResolveConflict } from '../collections.ts'
import { inTime, late } from './in-time.ts'
import { isObject, type JsonObject } from './merge.ts'
import type { PushDeps } from './message.ts'

export type Answer =
  | { readonly document: JsonObject | null }
  /** One sentence for the client; what the rule threw is told to the operator alone. */
  | { readonly failed: string }

/** Never throws: what the rule does wrong concerns one change (promise 7). */
export async function resolve (resolver: ResolveConflict, conflict: Conflict, deps: PushDeps): Promise<Answer> {
  const { clock, limits, conflicts: { onError } } = deps
  const { collection, documentId } = conflict
  try {
    const answer = await inTime<object | null>(() => resolver(conflict), limits.resolveMs, clock)
    if (answer === late) throw new Error(`resolveConflict did not answer within ${limits.resolveMs} ms`)
    const problem = problemOf(answer, { documentId, depth: limits.depth })
    if (problem !== null) return refused(problem)
    const text = JSON.stringify(answer)
    const bytes = Buffer.byteLength(text)
    if (bytes > limits.documentBytes) return refused(`a document of ${bytes} bytes; ${limits.documentBytes} are allowed`)
    return { document: JSON.parse(text) as JsonObject | null }
  } catch (error) {
    onError(error, { collection, documentId })
    return { failed: 'It threw or did not answer in time.' }
  }

  function refused (problem: string): Answer {
    onError(new TypeError(`resolveConflict returned ${problem}`), { collection, documentId })
    return { failed: `It returned ${problem}.` }
  }
}

/** What is wrong with it as a document, null when nothing is. */
function problemOf (answer: unknown, { documentId, depth }: { documentId: string, depth: number }): string | null {
  if (answer === null) return null
  if (!isObject(answer)) return `${Array.isArray(answer) ? 'an array' : typeof answer}, neither a document nor null`
  if (Object.hasOwn(answer, '_id') && answer['_id'] !== undefined && answer['_id'] !== documentId) return 'a document with another _id'
  return jsonProblem(answer, depth)
}

/** Members that are undefined are left out, as JSON does; everything else must come back from JSON as it was. */
function jsonProblem (value: unknown, depth: number): string | null {
  if (value === null || typeof value === 'boolean') return null
  if (typeof value === 'number') return Number.isFinite(value) ? null : `the number ${value}, which JSON has not`
  if (typeof value === 'string') return isWhole(value) ? null : 'a string with half a surrogate pair'
  if (typeof value !== 'object') return `a ${typeof value}, which JSON has not`
  // Also ends the walk through an object that holds itself.
  if (depth === 0) return 'a document that is nested too deep'
  if (Array.isArray(value)) return firstProblem(Array.from(value), depth - 1)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return 'an object of a class, which JSON has not'
  const names = Object.keys(value).filter(name => (value as JsonObject)[name] !== undefined)
  if (names.includes('__proto__')) return 'a member called __proto__'
  return names.every(isWhole) ? firstProblem(names.map(name => (value as JsonObject)[name]), depth - 1) : 'a name with half a surrogate pair'
}

function firstProblem (values: readonly unknown[], depth: number): string | null {
  for (const value of values) {
    const problem = jsonProblem(value, depth)
    if (problem !== null) return problem
  }
  return null
}

function isWhole (text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}
