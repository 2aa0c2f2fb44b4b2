/** Tokens right and wrong, made by hand: what checks them must not be what makes them. */
import { constants, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

export const SECRET = 'Yq3tJ8vLw0ZpXc5RbN7mKd2fHs9gTe4U'

export type Claims = Readonly<Record<string, unknown>>

export function inSeconds (seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds
}

export function encode (text: string | Uint8Array): string {
  return Buffer.from(text).toString('base64url')
}

/** Good ones, which a test makes worse. */
export function claims (members: Claims = {}): Claims {
  return { sub: 'alice', exp: inSeconds(300), iat: inSeconds(0), ...members }
}

/** @param header as text too: it may be no JSON */
export function hmacToken (payload: Claims | string, { secret = SECRET as string | Uint8Array, header = { alg: 'HS256', typ: 'JWT' } as Claims | string, hash = 'sha256' } = {}): string {
  const text = (part: Claims | string): string => typeof part === 'string' ? part : JSON.stringify(part)
  const input = `${encode(text(header))}.${encode(text(payload))}`
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
}

export function keyToken (payload: Claims, alg: string, { key, header = {} }: { key: KeyObject, header?: Claims }): string {
  const input = `${encode(JSON.stringify({ alg, ...header }))}.${encode(JSON.stringify(payload))}`
  const hash = alg === 'EdDSA' ? null : `sha${alg.slice(2)}`
  const pss = alg.startsWith('PS') ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : {}
  return `${input}.${sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363', ...pss }).toString('base64url')}`
}

export interface Pair { readonly publicKey: KeyObject, readonly privateKey: KeyObject, readonly pem: string }

function pair (keys: { publicKey: KeyObject, privateKey: KeyObject }): Pair {
  return { ...keys, pem: keys.publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

export function rsaPair (modulusLength = 2048): Pair {
  return pair(generateKeyPairSync('rsa', { modulusLength }))
}

export function ecPair (namedCurve: string): Pair {
  return pair(generateKeyPairSync('ec', { namedCurve }))
}

export function edPair (): Pair {
  return pair(generateKeyPairSync('ed25519'))
}
