/**
 * What every JSON body passes before anything looks at it: I-JSON (RFC 7493), no name that is a trap, no
 * depth that breaks a reader. A finding in the envelope refuses the message, one inside a document only
 * that change (WIRE, amendments).
 *
 * Numbers: an integer literal (no fraction, no exponent) beyond ±(2^53 − 1) would be altered and is refused,
 * as is what overflows to infinity. A literal with a fraction or exponent is a double by nature: it is
 * rounded (`1e-400` to 0) and taken.
 */
import { isUtf8 } from 'node:buffer'
import { setImmediate as turn } from 'node:timers/promises'
import { SyncError } from '../errors.ts'
import { countQuotes, countUnescaped } from './json-quotes.ts'
import { ENVELOPE_LENGTH, JsonScanner } from './json-scanner.ts'
import type { CondemnedChange, GateLimits } from './json-scanner.ts'

export type { CondemnedChange, GateLimits } from './json-scanner.ts'

export interface Message {
  /** As `JSON.parse` gives it, but for condemned documents: those are null. */
  readonly value: unknown
  /** By index in `changes`. */
  readonly condemned: ReadonlyMap<number, CondemnedChange>
}

/** Bytes read in one turn of the event loop, about 10 ms. Attack: one 64 MiB body stops everybody else. */
const SLICE_BYTES = 1 << 20

const BACKSLASH = 0x5c
const QUOTE = 0x22
const none: ReadonlyMap<number, CondemnedChange> = new Map()

/**
 * The message in a request body; a promise when the body is over `slice` bytes, which then must not be
 * altered until it settles. Throws (or rejects with) SyncError `invalid_json` naming pointer and byte, or
 * `too_large` when a large message holds more than 1 MiB beside its documents or too many changes.
 */
export function parseMessage (body: Buffer, limits: GateLimits, slice = SLICE_BYTES): Message | Promise<Message> {
  if (!isUtf8(body)) throw refused(`The body is not UTF-8 from byte ${validBytes(body)} on.`)
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) throw refused('The body begins with a byte order mark, at byte 0.')
  // In a small body no document can be over its limit, so none need be measured.
  if (body.length <= Math.min(slice, limits.documentBytes ?? slice)) return parseSmall(body, limits)
  return parseLarge(body, limits, slice)
}

function parseSmall (body: Buffer, limits: GateLimits): Message {
  const text = body.toString()
  const value = parseHarmless(body, text, limits.depth)
  if (value !== undefined) return { value, condemned: none }
  const scanner = new JsonScanner(text, limits)
  scanner.run()
  return { value: parse(withoutHoles(text, scanner.holes)), condemned: scanner.condemned }
}

/** Part by part, with turns of the event loop between. */
async function parseLarge (body: Buffer, limits: GateLimits, slice: number): Promise<Message> {
  const splitter = new Splitter(body, limits, slice)
  while (!splitter.run(splitter.pos + slice)) await turn()
  const { start, end, parts } = splitter
  if (end < 0) return await parseUnsplit(body, limits, slice)
  const envelope = Buffer.concat([body.subarray(0, start), body.subarray(end)])
  if (envelope.length > ENVELOPE_LENGTH) throw tooLarge('envelopeLength', ENVELOPE_LENGTH)
  let value: unknown
  try {
    ({ value } = parseSmall(envelope, limits))
  } catch {
    // Brackets that do not match make a wrong cut: only a scan of the whole knows the place.
    return await parseUnsplit(body, limits, slice)
  }

  const changes: unknown[] = []
  const condemned = new Map<number, CondemnedChange>()
  for (const part of parts) {
    await turn()
    const text = body.toString('utf8', part.from, part.to)
    if (parts.length === 1 && /^[ \t\r\n]*$/.test(text)) break
    const values = part.oversize ? undefined : parseHarmless(body.subarray(part.from, part.to), `[${text}]`, limits.depth - 1) as unknown[] | undefined
    if (values?.length === part.count) {
      for (const change of values) changes.push(change)
      continue
    }
    const scanner = new JsonScanner(text, limits, { firstChange: changes.length, byte: (n) => n + part.from })
    while (!scanner.run(scanner.pos + slice)) await turn()
    for (const [index, change] of scanner.condemned) condemned.set(index, change)
    for (const change of parse(`[${withoutHoles(text, scanner.holes)}]`) as unknown[]) changes.push(change)
  }
  return { value: Object.assign(value as object, { changes }), condemned }
}

/** No push, or no JSON; if the latter, the scanner says where. */
async function parseUnsplit (body: Buffer, limits: GateLimits, slice: number): Promise<Message> {
  const text = body.toString()
  const scanner = new JsonScanner(text, limits)
  while (!scanner.run(scanner.pos + slice)) await turn()
  if (body.length > ENVELOPE_LENGTH) throw tooLarge('envelopeLength', ENVELOPE_LENGTH)
  return { value: parse(withoutHoles(text, scanner.holes)), condemned: scanner.condemned }
}

/**
 * The value of a text in which the scanner would find nothing; undefined when it might. It takes a quarter of
 * the scanner's time: a text holds as many strings as its value, names counted, unless a duplicate name
 * dropped some, and a number that was altered or overflowed is at least 2^53 now.
 */
function parseHarmless (bytes: Buffer, text: string, depth: number): unknown {
  const quotes = text.includes('\\') ? countUnescaped(bytes) : countQuotes(bytes)
  if (quotes < 0) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return countStrings([value], depth + 1) * 2 === quotes && !polluted() ? value : undefined
  } catch {
    return undefined
  }
}

/** Strings and names in a container at most `depth` deep; NaN when a name, a number or the depth is suspicious. */
function countStrings (container: object, depth: number): number {
  if (depth === 0) return NaN
  let strings = 0
  if (Array.isArray(container)) {
    for (let i = 0; i < container.length; i++) strings += countIn(container[i], depth)
    return strings
  }
  // Quicker than Object.keys; `polluted` answers for inherited names.
  for (const name in container) {
    if (name === '__proto__') return NaN
    strings += 1 + countIn((container as Record<string, unknown>)[name], depth)
  }
  return strings
}

function countIn (value: unknown, depth: number): number {
  if (typeof value === 'string') return 1
  if (typeof value === 'object') return value === null ? 0 : countStrings(value, depth - 1)
  return typeof value !== 'number' || Math.abs(value) <= Number.MAX_SAFE_INTEGER ? 0 : NaN
}

/** Whether something in this process gave all objects a member, which would hide a duplicate from the count. */
function polluted (): boolean {
  let inherited = 0
  for (const name in Object.prototype) inherited += name.length + 1
  return inherited > 0
}

/** Condemned documents become null. */
function withoutHoles (text: string, holes: readonly number[]): string {
  let out = ''
  let from = 0
  for (let i = 0; i < holes.length; i += 2) {
    out += text.slice(from, holes[i]) + 'null'
    from = holes[i + 1]!
  }
  return out + text.slice(from)
}

/** Some changes of a large push: how many and where in the body, without the comma behind them. */
interface Part { readonly from: number, readonly to: number, readonly count: number, readonly oversize: boolean }

/**
 * Finds the changes of a push by their brackets and commas alone. That is exact for JSON, and of what is none
 * some part or the envelope will not parse either: each part must hold as many values as commas promised.
 */
class Splitter {
  pos = 0
  /** Of what is between the brackets of `changes`; -1 until found. */
  start = -1
  end = -1
  readonly parts: Part[] = []

  readonly #body: Buffer
  readonly #limits: GateLimits
  readonly #slice: number
  #depth = 0
  #inString = false
  /** The last string directly in the message: before a bracket there it is the name. */
  #nameStart = 0
  #nameEnd = 0
  #isObject = false
  #total = 0
  #part = { from: 0, count: 0, oversize: false }
  #changeStart = 0

  constructor (body: Buffer, limits: GateLimits, slice: number) {
    this.#body = body
    this.#limits = limits
    this.#slice = slice
  }

  /** True when `changes` or the body has ended. */
  run (until: number): boolean {
    const body = this.#body
    const stop = Math.min(until, body.length)
    let pos = this.pos
    let inString = this.#inString
    while (pos < stop) {
      const c = body[pos++]!
      if (inString) {
        if (c === BACKSLASH) pos++
        else if (c === QUOTE) {
          inString = false
          if (this.#depth === 1) this.#nameEnd = pos
        }
      } else if (c === QUOTE) {
        inString = true
        if (this.#depth === 1) this.#nameStart = pos - 1
      } else if (c >= 0x2c && this.#bracket(c, pos)) return true // none of those that matter lies below the comma
    }
    this.pos = pos
    this.#inString = inString
    return pos >= body.length
  }

  /** True when it closes `changes`. */
  #bracket (c: number, pos: number): boolean {
    if (c === 0x2c) {
      if (this.#depth === 2 && this.start >= 0) this.#endChange(pos - 1, false)
    } else if (c === 0x7b || c === 0x5b) this.#open(c === 0x7b, pos)
    else if ((c === 0x7d || c === 0x5d) && --this.#depth === 1 && this.start >= 0) {
      this.#endChange(pos - 1, true)
      this.end = pos - 1
      return true
    }
    return false
  }

  #open (isObject: boolean, pos: number): void {
    if (this.#depth++ === 0) this.#isObject = isObject
    if (this.#depth !== 2 || isObject || this.start >= 0 || !this.#isObject || !this.#isChanges()) return
    this.start = this.#part.from = this.#changeStart = pos
  }

  #isChanges (): boolean {
    const length = this.#nameEnd - this.#nameStart
    if (length < 9 || length > 44) return false // "changes", each letter plain or as \u0000
    try {
      return JSON.parse(this.#body.toString('utf8', this.#nameStart, this.#nameEnd)) === 'changes'
    } catch {
      return false
    }
  }

  #endChange (at: number, last: boolean): void {
    const part = this.#part
    part.count++
    const { documentBytes = Infinity, changes = Infinity } = this.#limits
    if (++this.#total > changes) throw tooLarge('changes', changes)
    if (at - this.#changeStart > Math.min(documentBytes, ENVELOPE_LENGTH)) part.oversize = true
    this.#changeStart = at + 1
    if (!last && at - part.from < this.#slice) return
    this.parts.push({ ...part, to: at })
    this.#part = { from: at + 1, count: 0, oversize: false }
  }
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw refused('The body is not JSON.')
  }
}

/** Length of the longest valid beginning; a search by halves, since a megabyte is checked in microseconds. */
function validBytes (body: Buffer): number {
  let valid = 0
  let invalid = body.length
  while (invalid - valid > 8) {
    const middle = (valid + invalid) >> 1
    // One of four neighbours lies between characters.
    const cut = [0, 1, 2, 3].find((k) => isUtf8(body.subarray(valid, middle - k)))
    if (cut === undefined) invalid = middle
    else valid = middle - cut
  }
  for (let n = invalid; n > valid; n--) if (isUtf8(body.subarray(valid, n))) return n
  return valid
}

function refused (detail: string): SyncError {
  return new SyncError('invalid_json', { detail, errors: [{ pointer: '', code: 'invalid_json', detail }] })
}

function tooLarge (name: string, max: number): SyncError {
  return new SyncError('too_large', { limit: { name, max } })
}
