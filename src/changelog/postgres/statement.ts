/** Statements, prepared once per connection, and how their values come back. */
import { sha256 } from '../entry.ts'

export interface Statement {
  readonly name: string
  readonly text: string
}

/** Rows as arrays of what `PARSERS` make. */
export type Tuple = any[]

/** By what the text is, since an application's pool may carry the statements of several logs. */
export function statement (schema: string, text: string): Statement {
  const whole = inSchema(schema, text)
  return Object.freeze({ name: `pocket_${sha256(whole).toString('hex', 0, 10)}`, text: whole })
}

/** @param text in which the tables lie in `pocket` */
export function inSchema (schema: string, text: string): string {
  return text.replaceAll('pocket.', `${quoted(schema)}.`)
}

export function quoted (name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [16, text => text === 't'],
  [17, text => Buffer.from(text.slice(2), 'hex')],
  [20, Number],
  [21, Number],
  [23, Number]
])

const asText = (text: string): string => text

/** Types that need no settings of the application's, e.g. of bigint. */
export const types = { getTypeParser: (oid: number) => PARSERS.get(oid) ?? asText }
