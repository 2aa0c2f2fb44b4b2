import { sha256 } from '../changelog/entry.ts'

/** A character takes at most so many bytes of UTF-8. */
const BYTES = 3
const LENGTH_BYTES = 4

/** Where the parts of most are joined. */
const desk = Buffer.allocUnsafeSlow(4096)

/**
 * SHA-256 over parts, each with its length, so that no two lists of parts share a digest. In one call over
 * joined bytes: for a small push a hash object costs more than the hashing.
 */
export function digestOf (parts: ReadonlyArray<string | Uint8Array>): Buffer {
  let size = 0
  for (const part of parts) size += LENGTH_BYTES + part.length * (typeof part === 'string' ? BYTES : 1)
  const joined = size <= desk.length ? desk : Buffer.allocUnsafe(size)
  let place = 0
  for (const part of parts) {
    const start = place + LENGTH_BYTES
    if (typeof part !== 'string') joined.set(part, start)
    const length = typeof part === 'string' && part !== '' ? joined.write(part, start) : part.length
    joined.writeUInt32BE(length, place)
    place = start + length
  }
  return sha256(joined.subarray(0, place))
}
