import { hash } from 'node:crypto'

/**
 * SHA-256 over parts, each with its length, so that no two lists of parts share a digest. In one call over
 * joined bytes: for a small push a hash object costs more than the hashing.
 */
export function digestOf (parts: Iterable<string | Uint8Array>): Buffer {
  const list = [...parts]
  const lengths = list.map(part => typeof part === 'string' ? Buffer.byteLength(part) : part.length)
  const joined = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + 4 + length, 0))
  let place = 0
  for (const [index, part] of list.entries()) {
    place = joined.writeUInt32BE(lengths[index]!, place)
    if (typeof part === 'string') joined.write(part, place)
    else joined.set(part, place)
    place += lengths[index]!
  }
  return hash('sha256', joined, 'buffer')
}
