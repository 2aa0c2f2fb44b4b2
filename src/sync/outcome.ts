/**
 * What became of a push, in the short form that is kept with its record and told again when it is repeated:
 * one tuple per change in message order, or nothing at all when every change was simply applied. A stored
 * outcome outlives this version of the program: tags and places may be added, never changed.
 */
import type { ErrorItem } from '../errors.ts'

export type Outcome =
  /** `offset`: which entry of the push it became; null when nothing had to be written. */
  | { readonly status: 'applied', readonly offset: number | null }
  /** `offset`: the entry with what came of it, from which the document is read back. */
  | { readonly status: 'merged', readonly offset: number }
  /** Known from an earlier push by its sequence, or from an earlier change of this one by its offset; `merged`: that entry holds what came of it. */
  | { readonly status: 'duplicate', readonly sequence: number, readonly merged?: boolean }
  | { readonly status: 'duplicate', readonly offset: number }
  | { readonly status: 'conflict', readonly sequence: number, readonly error?: ErrorItem }
  | { readonly status: 'rejected', readonly error: ErrorItem }
  | { readonly status: 'skipped' }

type Tuple =
  | ['a', number | null]
  | ['d', number, 1?]
  | ['m', number]
  | ['o', number]
  | ['c', number, ErrorItem?]
  | ['r', ErrorItem]
  | ['s']

export function encodeOutcomes (outcomes: readonly Outcome[]): string {
  if (outcomes.every((outcome, index) => outcome.status === 'applied' && outcome.offset === index)) return ''
  return JSON.stringify(outcomes.map(toTuple))
}

/** @param count how many changes the push has */
export function decodeOutcomes (text: string, count: number): Outcome[] {
  if (text === '') return Array.from({ length: count }, (_, offset) => ({ status: 'applied', offset }))
  return (JSON.parse(text) as Tuple[]).map(fromTuple)
}

function toTuple (outcome: Outcome): Tuple {
  switch (outcome.status) {
    case 'applied': return ['a', outcome.offset]
    case 'merged': return ['m', outcome.offset]
    case 'duplicate':
      if ('offset' in outcome) return ['o', outcome.offset]
      return outcome.merged === true ? ['d', outcome.sequence, 1] : ['d', outcome.sequence]
    case 'conflict': return outcome.error === undefined ? ['c', outcome.sequence] : ['c', outcome.sequence, outcome.error]
    case 'rejected': return ['r', outcome.error]
    case 'skipped': return ['s']
  }
}

function fromTuple (tuple: Tuple): Outcome {
  switch (tuple[0]) {
    case 'a': return { status: 'applied', offset: tuple[1] }
    case 'm': return { status: 'merged', offset: tuple[1] }
    case 'd': return tuple[2] === 1 ? { status: 'duplicate', sequence: tuple[1], merged: true } : { status: 'duplicate', sequence: tuple[1] }
    case 'o': return { status: 'duplicate', offset: tuple[1] }
    case 'c': return tuple[2] === undefined ? { status: 'conflict', sequence: tuple[1] } : { status: 'conflict', sequence: tuple[1], error: tuple[2] }
    case 'r': return { status: 'rejected', error: tuple[1] }
    case 's': return { status: 'skipped' }
  }
}
