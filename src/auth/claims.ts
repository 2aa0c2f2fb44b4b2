/** What a token may say of itself, whoever signed it. */
import { JsonScanner } from '../http/json-scanner.ts'
import { RefusedToken } from './refused.ts'

export interface ClaimRules {
  /** null: not asked. */
  readonly issuers: readonly string[] | null
  readonly audiences: readonly string[] | null
  readonly toleranceMs: number
}

export type JsonObject = Readonly<Record<string, unknown>>

export interface DecodedToken {
  readonly header: JsonObject
  readonly claims: JsonObject
}

/** Of claims inside each other. */
const DEPTH = 16

/** @throws RefusedToken for what is not exactly one way to write this token: base64url without spare bits, I-JSON, UTF-8 */
export function decodeToken (token: string): DecodedToken {
  const parts = token.split('.')
  if (parts.length !== 3) throw new RefusedToken('it does not have three parts')
  const [header, claims, signature] = parts.map(strictBytes)
  if (signature!.length === 0) throw new RefusedToken('it has no signature')
  return { header: strictObject(header!), claims: strictObject(claims!) }
}

function strictBytes (part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) throw new RefusedToken('a part of it is not strict base64url')
  return bytes
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function strictObject (bytes: Buffer): JsonObject {
  let value: unknown
  try {
    const text = utf8.decode(bytes)
    const scanner = new JsonScanner(text, { depth: DEPTH })
    scanner.run()
    // What it would condemn only a part for condemns a token whole.
    if (scanner.condemned.size === 0) value = JSON.parse(text)
  } catch {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RefusedToken('a part of it is not a JSON object without duplicate names')
  return value as JsonObject
}

const SUBJECT = /^[^\p{Cc}\p{Cs}]{1,255}$/u

/** @throws RefusedToken */
export function checkClaims (claims: JsonObject, { issuers, audiences, toleranceMs }: ClaimRules, now: number): void {
  const { exp, nbf, iss, aud, sub } = claims
  if (!isTime(exp)) throw new RefusedToken('it has no exp, or one that is no time')
  if (now >= exp * 1000 + toleranceMs) throw new RefusedToken('it has expired')
  if (nbf !== undefined && !isTime(nbf)) throw new RefusedToken('its nbf is no time')
  if (nbf !== undefined && now < nbf * 1000 - toleranceMs) throw new RefusedToken('it is not valid yet')
  if (issuers !== null && !issuers.includes(iss as string)) throw new RefusedToken('its iss is another')
  if (audiences !== null && !isMeant(aud, audiences)) throw new RefusedToken('its aud is another')
  if (typeof sub !== 'string' || !SUBJECT.test(sub)) throw new RefusedToken('its sub is not 1 to 255 characters without control characters')
}

function isTime (value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isMeant (aud: unknown, audiences: readonly string[]): boolean {
  if (typeof aud === 'string') return audiences.includes(aud)
  return Array.isArray(aud) && aud.every(name => typeof name === 'string') && aud.some(name => audiences.includes(name as string))
}
