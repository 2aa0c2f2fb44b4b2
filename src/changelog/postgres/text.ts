/**
 * PostgreSQL's text holds every character but U+0000, and no half of a surrogate pair. Names, reasons and what was
 * refused may have them: they are kept behind an escape character, which itself is kept that way too.
 */

const ESCAPE = '\u001b'
// eslint-disable-next-line no-control-regex
const HARD = /[\0\x1b]|\p{Surrogate}/u
// eslint-disable-next-line no-control-regex
const EACH_HARD = /[\0\x1b]|\p{Surrogate}/gu
// eslint-disable-next-line no-control-regex
const ESCAPED = /\x1b([0-9a-f]{4})/g

export function toText (text: string): string
export function toText (text: string | null): string | null
export function toText (text: string | null): string | null {
  if (text === null || !HARD.test(text)) return text
  return text.replace(EACH_HARD, hard => `${ESCAPE}${hard.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export function fromText (text: string): string
export function fromText (text: string | null): string | null
export function fromText (text: string | null): string | null {
  if (text === null || !text.includes(ESCAPE)) return text
  return text.replace(ESCAPED, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}
