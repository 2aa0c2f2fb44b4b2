/** What a change is, apart from when and how it arrived: its canonical form, hash and identity. */
import { createHash, hash as digest } from 'node:crypto'

/** JSON with sorted names, after RFC 8785: equal values have equal text, whatever client wrote them. */
export function canonical (value: unknown): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const object = value as Record<string, unknown>
  const names = Object.keys(object)
  if (!isSorted(names)) names.sort()
  let text = '{'
  for (const name of names) text += `${text === '{' ? '' : ','}${JSON.stringify(name)}:${canonical(object[name])}`
  return text + '}'
}

function isSorted (names: readonly string[]): boolean {
  for (let i = 1; i < names.length; i++) if (names[i - 1]! > names[i]!) return false
  return true
}

/** SHA-256 of a document's canonical text; of a delete, that of null. */
export function contentHash (document: unknown): Buffer {
  return sha256(canonical(document ?? null))
}

function sha256 (text: string): Buffer {
  return digest('sha256', text, 'buffer')
}

/**
 * By it a repeated change of a document is known, whenever and under whatever message id it comes. A `_rev` is
 * part of the document and so of the hash; without one the client's timestamp tells two equal edits apart.
 */
export function identityOf (contentHash: Uint8Array, timestamp: number, rev: string | null): Buffer {
  if (rev !== null) return Buffer.from(contentHash)
  const identity = Buffer.alloc(contentHash.length + 8)
  identity.set(contentHash)
  identity.writeBigUInt64BE(BigInt(timestamp), contentHash.length)
  return identity
}

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
