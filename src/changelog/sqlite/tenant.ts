/** Where the log of a tenant lies: in a folder beside the log of no tenant. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { assertTenant } from '../networked.ts'
import type { Resolved, SqliteOptions } from './options.ts'

/** Of a file's name: systems take 255 bytes, and "-shm.replaced-…" follows. */
const LENGTH = 120
/** Windows takes these for devices, whatever their ending is. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)$/

/**
 * `<path>.tenants/<name>.db`. No two names share a file, on systems that do not tell cases apart either: whatever is not
 * a small letter, a digit, `-` or `_` is spelled as its bytes, and what is too long for a file's name ends in its hash.
 * @throws TypeError for what is no name of a tenant
 */
export function tenantPath (path: string, name: string): string {
  assertTenant(name)
  const spelled = name.replace(/[^a-z0-9_-]+/gu, text => [...Buffer.from(text)].map(byteOf).join(''))
  const safe = DEVICE.test(spelled) ? `${byteOf(spelled.charCodeAt(0))}${spelled.slice(1)}` : spelled
  const short = safe.length <= LENGTH ? safe : `${safe.slice(0, LENGTH - 65)}~${createHash('sha256').update(name).digest('hex')}`
  return join(`${path}.tenants`, `${short}.db`)
}

/** One of many takes a small part of the memory, and has no ballast: the disk is one for all. */
export function tenantOptions (options: Resolved): SqliteOptions {
  return { ...options, share: 1 / 16, ballastBytes: 0 }
}

function byteOf (byte: number): string {
  return `%${byte.toString(16).padStart(2, '0')}`
}
