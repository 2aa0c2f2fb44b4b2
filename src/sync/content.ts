import { sha256 } from '../changelog/entry.ts'

/** A character takes at most so many bytes of UTF-8. */
const BYTES = 3
const LENGTH_BYTES = 4

/**
 * SHA-256 over parts, each with its length, so that no two lists of parts share a digest. In one call over
 * joined bytes: for a small push a hash object costs more than the hashing.
 */
export function digestOf (parts: Iterable<string | Uint8Array>): Buffer {
  const list = [...parts]
  const joined = Buffer.allocUnsafe(list.reduce((sum, part) => sum + LENGTH_BYTES + part.length * (typeof part === 'string' ? BYTES : 1), 0))
  let place = 0
  for (const part of list) {
    const start = place + LENGTH_BYTES
    if (typeof part !== 'string') joined.set(part, start)
    const length = typeof part === 'string' ? joined.write(part, start) : part.length
    joined.writeUInt32BE(length, place)
    place = start + length
  }
  return sha256(joined.subarray(0, place))
}
