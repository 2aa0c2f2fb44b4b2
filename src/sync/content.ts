import { createHash } from 'node:crypto'

/** SHA-256 over parts, each with its length, so that no two lists of parts share a digest. */
export function digestOf (parts: Iterable<string | Uint8Array>): Buffer {
  const sum = createHash('sha256')
  const length = Buffer.alloc(4)
  for (const part of parts) {
    length.writeUInt32BE(typeof part === 'string' ? Buffer.byteLength(part) : part.length)
    sum.update(length).update(part)
  }
  return sum.digest()
}
