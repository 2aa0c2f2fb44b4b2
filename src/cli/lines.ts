/** A stream of bytes as lines. */

const NEWLINE = 0x0a
/** Attack, or a file that is none: one line that fills the memory. */
export const LINE_BYTES = 64 * 2 ** 20

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its end; null of one longer than `LINE_BYTES`. */
  readonly bytes: Buffer | null
  /** Of what follows it in the stream. */
  readonly end: number
  /** False of a last line without its end. */
  readonly ended: boolean
}

export async function * linesOf (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let parts: Buffer[] = []
  let size = 0
  let number = 0
  let offset = 0
  const take = (end: number, ended: boolean): Line => {
    const bytes = size > LINE_BYTES ? null : Buffer.concat(parts)
    parts = []
    size = 0
    return { number: ++number, bytes, end, ended }
  }
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let from = 0
    const keep = (to: number): void => {
      size += to - from
      if (size <= LINE_BYTES) parts.push(bytes.subarray(from, to))
      else parts = []
    }
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      keep(at)
      from = at + 1
      yield take(offset + from, true)
    }
    keep(bytes.length)
    offset += bytes.length
  }
  if (size > 0) yield take(offset, false)
}
