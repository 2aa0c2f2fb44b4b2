/** Keys that tokens are checked with, and which algorithms fit each: a token never chooses. */
import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export type VerificationKey =
  | { readonly kind: 'secret', readonly secret: string, readonly algorithms: readonly string[] }
  | { readonly kind: 'public', readonly pem: string, readonly algorithms: readonly string[] }
  | { readonly kind: 'jwks', readonly url: URL, readonly algorithms: readonly string[] }

const SECRET_BYTES = 32
/** Fewer different characters than this are no random secret, however long. */
const DIFFERENT = 8
/** Characters of one's own, beside what documentation shows. */
const OWN = 16

/** What documentation shows, long enough to pass otherwise. */
const examples = [
  'a-string-secret-at-least-256-bits-long', 'a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long', 'your-256-bit-secret', 'your-384-bit-secret', 'your-512-bit-secret',
  'averylongandrandomsecret', 'supersecret', 'your-secret-key', 'my-secret-key', 'changeme', 'change-me', 'change_me', 'secret-key', 'jwt-secret', 'jwt_secret', 'password', 'keyboard cat'
]

/** @throws TypeError never holding the secret */
export function secretOf (secret: unknown): VerificationKey & { readonly kind: 'secret' } {
  if (typeof secret !== 'string') throw new TypeError('jwt.secret must be a text')
  if (/-----BEGIN|"kty"\s*:/.test(secret)) throw new TypeError('jwt.secret looks like a key: everybody may know a public key, and could sign tokens with it; use jwt.publicKey')
  const bytes = Buffer.byteLength(secret)
  if (bytes < SECRET_BYTES) throw new TypeError(`jwt.secret has ${bytes} bytes; it needs at least ${SECRET_BYTES} that nobody can guess, for example those of: openssl rand -base64 32`)
  if (isTrivial(secret)) throw new TypeError('jwt.secret can be guessed (a known example, a repetition, or few different characters); take the output of: openssl rand -base64 32')
  // RFC 7518, section 3.2: no shorter than what the hash yields.
  const algorithms = ([['HS256', 32], ['HS384', 48], ['HS512', 64]] as const).filter(([, least]) => bytes >= least).map(([name]) => name)
  return { kind: 'secret', secret, algorithms }
}

function isTrivial (secret: string): boolean {
  const text = secret.toLowerCase().trim()
  if (new Set(text).size < DIFFERENT) return true
  const rest = examples.reduce((left, example) => left.replaceAll(example, ''), text)
  if (rest.length < text.length && rest.length < OWN) return true
  const half = Math.floor(text.length / 2)
  if (Array.from({ length: half }, (_, index) => index + 1).some(shift => text.startsWith(text.slice(shift)))) return true
  // 0123456789abcdef…
  const steps = Array.from({ length: text.length - 1 }, (_, index) => Math.abs(text.charCodeAt(index + 1) - text.charCodeAt(index)))
  return steps.filter(step => step <= 1).length > half
}

/** @throws TypeError */
export function publicKeyOf (pem: unknown): VerificationKey & { readonly kind: 'public' } {
  if (typeof pem !== 'string' || !pem.includes('-----BEGIN')) throw new TypeError('jwt.publicKey must be a PEM: a text that begins with -----BEGIN PUBLIC KEY-----')
  if (pem.includes('PRIVATE KEY-----')) throw new TypeError('jwt.publicKey is a private key: give the server the public one alone, and put this one where only the issuer has it')
  const key = parsed(pem)
  return { kind: 'public', pem: key.export({ type: 'spki', format: 'pem' }).toString(), algorithms: algorithmsOf(key) }
}

function parsed (pem: string): KeyObject {
  try {
    return createPublicKey(pem)
  } catch {
    throw new TypeError('jwt.publicKey cannot be read as a PEM')
  }
}

const curves: ReadonlyMap<string | undefined, string> = new Map([['prime256v1', 'ES256'], ['secp384r1', 'ES384'], ['secp521r1', 'ES512']])
const RSA_BITS = 2048

/** @throws TypeError for a key that is too weak, or of another kind */
export function algorithmsOf ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] {
  if (asymmetricKeyType === 'rsa' && asymmetricKeyDetails?.modulusLength! >= RSA_BITS) return ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
  const curve = asymmetricKeyType === 'ec' ? curves.get(asymmetricKeyDetails?.namedCurve) : undefined
  if (curve !== undefined) return [curve]
  if (asymmetricKeyType === 'ed25519') return ['EdDSA']
  throw new TypeError('a key for JWTs is RSA with 2048 bits or more, EC on P-256, P-384 or P-521, or Ed25519')
}
