/** The tokens of JSON, exactly as `JSON.parse` takes them, with what the gate must know about them beside. */

/** The text is no JSON at this position; the scanner adds where in the message that is. */
export class Unexpected extends Error {
  readonly at: number

  constructor (at: number) {
    super(`unexpected at ${at}`)
    this.at = at
  }
}

export class JsonTokens {
  readonly text: string
  /** Of the next token. */
  pos = 0
  /** Whether the last string has escapes. */
  escaped = false
  /** Whether the last string has half a surrogate pair. */
  lone = false

  constructor (text: string) {
    this.text = text
  }

  skipSpace (): void {
    for (;;) {
      const c = this.text.charCodeAt(this.pos)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
      this.pos++
    }
  }

  /** From the opening quote to behind the closing one. */
  string (): void {
    const text = this.text
    let i = this.pos + 1
    this.lone = this.escaped = false
    for (;;) {
      const c = text.charCodeAt(i)
      if (c === 0x22) break
      if (c === 0x5c) i = this.#escape(i)
      else if (c >= 0x20) i++
      else throw new Unexpected(i) // a control character, or NaN: the end of the text
    }
    this.pos = i + 1
  }

  /** To behind a number; says whether the server would keep its value (see the gate's rules). */
  number (): boolean {
    const text = this.text
    const start = this.pos
    const first = text.charCodeAt(start) === 0x2d ? start + 1 : start
    let end = text.charCodeAt(first) === 0x30 ? first + 1 : this.#digits(first)
    let integer = true
    let exponent = false
    if (text.charCodeAt(end) === 0x2e) {
      integer = false
      end = this.#digits(end + 1)
    }
    if ((text.charCodeAt(end) | 0x20) === 0x65) {
      integer = false
      exponent = true
      const sign = text.charCodeAt(end + 1)
      end = this.#digits(sign === 0x2b || sign === 0x2d ? end + 2 : end + 1)
    }
    this.pos = end
    if (integer) return end - first < 16 || Number.isSafeInteger(Number(text.slice(start, end)))
    return (!exponent && end - first < 300) || Number.isFinite(Number(text.slice(start, end)))
  }

  /** To behind `true`, `false` or `null`. */
  literal (word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.text.charCodeAt(this.pos + i) !== word.charCodeAt(i)) throw new Unexpected(this.pos + i)
    }
    this.pos += word.length
  }

  /** Behind the escape at `i`. The text was valid UTF-8, so only an escape can make half a surrogate pair. */
  #escape (i: number): number {
    this.escaped = true
    const c = this.text.charAt(i + 1)
    if (c !== 'u') {
      if (c === '' || !'"\\/bfnrt'.includes(c)) throw new Unexpected(i + 1)
      return i + 2
    }
    const unit = this.#unit(i)
    if (unit < 0xd800 || unit > 0xdfff) return i + 6
    if (unit < 0xdc00 && this.text.startsWith('\\u', i + 6)) {
      const next = this.#unit(i + 6)
      if (next >= 0xdc00 && next <= 0xdfff) return i + 12
    }
    this.lone = true
    return i + 6
  }

  #unit (i: number): number {
    let unit = 0
    for (let k = i + 2; k < i + 6; k++) {
      const c = this.text.charCodeAt(k)
      const low = c | 0x20
      if (c >= 0x30 && c <= 0x39) unit = unit * 16 + c - 0x30
      else if (low >= 0x61 && low <= 0x66) unit = unit * 16 + low - 0x57
      else throw new Unexpected(k)
    }
    return unit
  }

  /** Behind one or more digits. */
  #digits (from: number): number {
    let i = from
    for (;;) {
      const c = this.text.charCodeAt(i)
      if (!(c >= 0x30 && c <= 0x39)) break
      i++
    }
    if (i === from) throw new Unexpected(i)
    return i
  }
}
