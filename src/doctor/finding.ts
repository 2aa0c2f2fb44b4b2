/** What a check found. Plain data: how it is shown is the program's business. */
import type { Remedy } from './mends.ts'

/**
 * `ok`: as it should be. `note`: works, and could be better. `problem`: users lose something by it.
 * `skipped`: not looked at, and why.
 */
export type Level = 'ok' | 'note' | 'problem' | 'skipped'

export interface Finding {
  /** What was checked, a word or two. */
  readonly check: string
  readonly level: Level
  /** One line: what is so. */
  readonly text: string
  /** Further lines: what follows from it, and what to do where no line of configuration does it. */
  readonly advice?: readonly string[]
  /** Of a line of configuration that mends it. */
  readonly remedy?: Remedy
}

export type About = Pick<Finding, 'advice' | 'remedy'>

export function ok (check: string, text: string): Finding {
  return { check, level: 'ok', text }
}

export function note (check: string, text: string, about: About = {}): Finding {
  return { check, level: 'note', text, ...about }
}

export function problem (check: string, text: string, about: About = {}): Finding {
  return { check, level: 'problem', text, ...about }
}

export function skipped (check: string, text: string): Finding {
  return { check, level: 'skipped', text }
}
