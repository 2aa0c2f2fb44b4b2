/** Who asks, in the measurements of access. */
import { createHmac } from 'node:crypto'

export const SECRET = 'a secret of the benchmark that is long enough'
/** May do everything. */
export const WRITER = 'writer'
/** Owns what does not say whose it is. */
export const READER = 'u7'

/** A token as the built-in check takes it. */
export function tokenOf (user: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, exp: Math.floor(Date.now() / 1000) + 24 * 3600 })}`
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`
}
