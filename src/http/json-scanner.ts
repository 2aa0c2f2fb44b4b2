/**
 * The exact reading of a message: a JSON grammar without recursion that knows, for each finding, whether
 * it breaks the message or condemns one change (WIRE, amendments). It builds no values; `JSON.parse` does,
 * from a text that this scanner has found harmless.
 */
import { SyncError } from '../errors.ts'
import type { ErrorCode, ErrorItem } from '../errors.ts'
import { JsonTokens, Unexpected } from './json-tokens.ts'

export interface GateLimits {
  /** Containers inside each other, the document (outside of documents: the message) being the first. */
  readonly depth: number
  /** Bytes of one document as it was sent; above it the change is condemned, unparsed. Default: no limit. */
  readonly documentBytes?: number
  /** Changes in one push; more are `too_large` as soon as a body over 1 MiB shows them. Default: no limit. */
  readonly changes?: number
}

/** Why one change of a push is refused before anything looks at it. */
export interface CondemnedChange {
  readonly error: ErrorItem
  /** The change's raw text, for the journal; hostile as it came, so never served as JSON. */
  readonly raw: string
}

/** Where the scanned text lies in the body. */
export interface Place {
  /** The text is a list of elements of `/changes` and this the index of the first; absent: a whole message. */
  readonly firstChange?: number
  /** Byte offset in the body of a byte offset in the text. Default: the same. */
  readonly byte?: (offset: number) => number
}

/**
 * Characters that a change may hold beside its documents, and a large message beside its changes. Attack:
 * 64 MiB of "[],[],…" outside of every document become gigabytes of arrays when parsed.
 */
export const ENVELOPE_LENGTH = 1 << 20

const VALUE = 0
const VALUE_OR_END = 1
const NAME = 2
const NAME_OR_END = 3
const AFTER_VALUE = 4
const DONE = 5

/** How deep the containers of a push lie: its `changes`, and one change. */
const CHANGES = 2
const CHANGE = 3

/** An open container, but for those in a condemned document: what pointers and duplicate names need. */
interface Frame { isObject: boolean, name: string, index: number, readonly names: Set<string> }

const why: { readonly [code in ErrorCode]?: string } = {
  too_deep: 'Nested too deep',
  forbidden_name: 'A member called __proto__',
  duplicate_name: 'The same member twice in one object',
  lone_surrogate: 'A string with half a surrogate pair',
  number_out_of_range: 'A number that is no finite double or an integer beyond 2^53 − 1',
  document_too_large: 'A document over the limit'
}

export class JsonScanner {
  readonly condemned = new Map<number, CondemnedChange>()
  /** Start and end, in turn, of every condemned document in the text. */
  readonly holes: number[] = []

  readonly #tokens: JsonTokens
  readonly #limits: GateLimits
  readonly #place: Place
  /** Kinds of the open containers, a bit each: millions of levels must cost neither stack nor memory. */
  #kinds = new Uint8Array(16)
  #depth = 0
  readonly #frames: Frame[] = []
  #expect = VALUE
  #changeStart = 0
  /** Length of the documents of the open change. */
  #documentsLength = 0
  /** -1 outside of documents. */
  #documentStart = -1
  /** The open document is condemned: of the rest of it only the grammar counts. */
  #skipping = false
  /** The first finding in the open change. */
  #error: ErrorItem | undefined
  #known = { pos: 0, byte: 0 }

  constructor (text: string, limits: GateLimits, place: Place = {}) {
    this.#tokens = new JsonTokens(text)
    this.#limits = limits
    this.#place = place
    if (place.firstChange === undefined) return
    this.#push(true)
    this.#top().name = 'changes'
    this.#push(false)
    this.#top().index = place.firstChange
  }

  /** Position of the scan in the text. */
  get pos (): number { return this.#tokens.pos }

  /**
   * Scans on to `until` or a little behind it, never cutting a token, and says whether the text is done.
   * Throws SyncError `invalid_json` or `too_large` for what breaks the message.
   */
  run (until = Infinity): boolean {
    try {
      const tokens = this.#tokens
      for (;;) {
        tokens.skipSpace()
        if (tokens.pos >= tokens.text.length) break
        if (tokens.pos >= until) return false
        this.#step(tokens.text.charCodeAt(tokens.pos))
      }
      const inside = this.#place.firstChange !== undefined && this.#depth === CHANGES && this.#expect === AFTER_VALUE
      if (this.#expect !== DONE && !inside) this.#unexpected()
      return true
    } catch (error) {
      if (error instanceof Unexpected) throw this.#syntax(error.at)
      throw error
    }
  }

  #step (c: number): void {
    switch (this.#expect) {
      case VALUE_OR_END: if (c === 0x5d) this.#close(); else this.#value(c); break
      case VALUE: this.#value(c); break
      case NAME_OR_END: if (c === 0x7d) this.#close(); else this.#member(c); break
      case NAME: this.#member(c); break
      case AFTER_VALUE: this.#after(c); break
      default: this.#unexpected()
    }
  }

  #value (c: number): void {
    if (this.#depth === CHANGES && this.#inChanges()) this.#beginChange()
    else if (this.#depth === CHANGE && this.#atDocument()) this.#documentStart = this.#tokens.pos
    switch (c) {
      case 0x7b: this.#open(true); return
      case 0x5b: this.#open(false); return
      case 0x22:
        this.#tokens.string()
        if (this.#tokens.lone) this.#find('lone_surrogate')
        break
      case 0x74: this.#tokens.literal('true'); break
      case 0x66: this.#tokens.literal('false'); break
      case 0x6e: this.#tokens.literal('null'); break
      default: if (!this.#tokens.number()) this.#find('number_out_of_range')
    }
    this.#valueEnd()
  }

  #open (isObject: boolean): void {
    const depth = this.#documentStart < 0 ? this.#depth : this.#depth - CHANGE
    if (depth >= this.#limits.depth) this.#find('too_deep')
    this.#push(isObject)
    this.#tokens.pos++
    this.#expect = isObject ? NAME_OR_END : VALUE_OR_END
  }

  #push (isObject: boolean): void {
    const depth = this.#depth++
    if (depth >> 3 === this.#kinds.length) {
      const kinds = new Uint8Array(this.#kinds.length * 2)
      kinds.set(this.#kinds)
      this.#kinds = kinds
    }
    const bit = 1 << (depth & 7)
    if (isObject) this.#kinds[depth >> 3]! |= bit
    else this.#kinds[depth >> 3]! &= ~bit
    if (this.#skipping) return
    const frame = this.#frames[depth]
    if (frame === undefined) this.#frames.push({ isObject, name: '', index: 0, names: new Set() })
    else {
      frame.isObject = isObject
      frame.index = 0
      if (frame.names.size > 0) frame.names.clear()
    }
  }

  #close (): void {
    if (this.#place.firstChange !== undefined && this.#depth === CHANGES) this.#unexpected()
    this.#depth--
    this.#tokens.pos++
    this.#valueEnd()
  }

  #valueEnd (): void {
    this.#expect = this.#depth === 0 ? DONE : AFTER_VALUE
    if (this.#depth === CHANGE && this.#documentStart >= 0) this.#endDocument()
    else if (this.#depth === CHANGES && this.#inChanges()) this.#endChange()
  }

  #after (c: number): void {
    const isObject = (this.#kinds[(this.#depth - 1) >> 3]! & (1 << ((this.#depth - 1) & 7))) !== 0
    if (c === 0x2c) {
      this.#tokens.pos++
      this.#expect = isObject ? NAME : VALUE
      if (!isObject && !this.#skipping) this.#top().index++
    } else if (c === (isObject ? 0x7d : 0x5d)) this.#close()
    else this.#unexpected()
  }

  #member (c: number): void {
    if (c !== 0x22) this.#unexpected()
    const tokens = this.#tokens
    const start = tokens.pos
    tokens.string()
    if (!this.#skipping) this.#name(start)
    tokens.skipSpace()
    if (tokens.text.charCodeAt(tokens.pos) !== 0x3a) this.#unexpected()
    tokens.pos++
    this.#expect = VALUE
  }

  #name (start: number): void {
    const { text, pos, escaped, lone } = this.#tokens
    // No pointer can spell such a name: the one of the object that has it is given.
    if (lone) { this.#find('lone_surrogate', this.#depth - 1); return }
    const name = escaped ? JSON.parse(text.slice(start, pos)) as string : text.slice(start + 1, pos - 1)
    const frame = this.#top()
    frame.name = name
    if (name === '__proto__') this.#find('forbidden_name')
    else if (frame.names.has(name)) this.#find('duplicate_name')
    else frame.names.add(name)
  }

  #beginChange (): void {
    this.#changeStart = this.#tokens.pos
    this.#documentsLength = 0
    this.#error = undefined
  }

  #endChange (): void {
    const { text, pos } = this.#tokens
    const envelope = pos - this.#changeStart - this.#documentsLength
    if (envelope > ENVELOPE_LENGTH) throw new SyncError('too_large', { limit: { name: 'envelopeLength', max: ENVELOPE_LENGTH }, detail: `The change at ${this.#pointer()} is too large beside its documents.` })
    if (this.#error === undefined) return
    this.condemned.set(this.#top().index, { error: this.#error, raw: text.slice(this.#changeStart, pos) })
  }

  #endDocument (): void {
    const { text, pos } = this.#tokens
    const max = this.#limits.documentBytes ?? Infinity
    const length = pos - this.#documentStart
    // A character is at most three bytes, so most documents need not be measured.
    if (length * 3 > max && Buffer.byteLength(text.slice(this.#documentStart, pos)) > max) this.#find('document_too_large')
    if (this.#skipping) this.holes.push(this.#documentStart, pos)
    this.#documentsLength += length
    this.#documentStart = -1
    this.#skipping = false
  }

  #inChanges (): boolean {
    const [message, changes] = this.#frames
    return message!.isObject && message!.name === 'changes' && !changes!.isObject
  }

  #atDocument (): boolean {
    const change = this.#frames[CHANGE - 1]!
    return change.isObject && (change.name === 'document' || change.name === 'previousDocument') && this.#inChanges()
  }

  #top (): Frame { return this.#frames[this.#depth - 1]! }

  /** Of the value that is being read, or of the container that lies that deep. */
  #pointer (depth = this.#skipping ? CHANGE : this.#depth): string {
    let pointer = ''
    for (const frame of this.#frames.slice(0, depth)) {
      pointer += '/' + (frame.isObject ? frame.name.replaceAll('~', '~0').replaceAll('/', '~1') : frame.index)
    }
    return pointer
  }

  #find (code: ErrorCode, depth?: number): void {
    if (this.#skipping) return
    const item = { pointer: this.#pointer(depth), code, detail: `${why[code]}, at byte ${this.#byte(this.#tokens.pos)}.` }
    if (this.#documentStart < 0) throw new SyncError('invalid_json', { detail: item.detail, errors: [item] })
    this.#skipping = true
    this.#error ??= item
  }

  #unexpected (): never { throw new Unexpected(this.#tokens.pos) }

  #syntax (at: number): SyncError {
    const pos = Math.min(at, this.#tokens.text.length)
    const found = pos === this.#tokens.text.length ? 'Unexpected end' : 'Unexpected character'
    const detail = `${found} at byte ${this.#byte(pos)}.`
    return new SyncError('invalid_json', { detail, errors: [{ pointer: this.#pointer(), code: 'invalid_json', detail }] })
  }

  /** Counted on from the last one: ten thousand findings must not each count the whole body again. */
  #byte (pos: number): number {
    const from = pos < this.#known.pos ? { pos: 0, byte: 0 } : this.#known
    this.#known = { pos, byte: from.byte + Buffer.byteLength(this.#tokens.text.slice(from.pos, pos)) }
    return this.#place.byte?.(this.#known.byte) ?? this.#known.byte
  }
}
