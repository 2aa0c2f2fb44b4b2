/** Checks tokens: their form and claims here, their signature by a library, with the algorithms that fit the key. */
import { checkClaims, decodeToken } from './claims.ts'
import type { DecodedToken, JsonObject } from './claims.ts'
import type { JwtRules } from './jwt.ts'
import type { VerificationKey } from './keys.ts'
import { RefusedToken } from './refused.ts'

/** @throws RefusedToken, or rejects with it */
type CheckSignature = (token: string, decoded: DecodedToken) => void | Promise<void>

/**
 * @returns answers a token's claims, as a user
 * @throws RefusedToken; SyncError authentication_unavailable while its key cannot be fetched
 */
export async function openVerifier (rules: JwtRules, onError: (error: unknown) => void): Promise<(token: string) => JsonObject | Promise<JsonObject>> {
  const checkSignature = await signatureCheck(rules, onError)
  return (token) => {
    const decoded = decodeToken(token)
    checkHeader(decoded.header, rules)
    // Before the signature, which costs most: what they tell an attacker is nothing that the token did not.
    checkClaims(decoded.claims, rules, Date.now())
    const checked = checkSignature(token, decoded)
    return checked === undefined ? userOf(decoded) : checked.then(() => userOf(decoded))
  }
}

/** Who a token names is its `sub` alone: other claims may hold what users wrote themselves. */
function userOf ({ claims }: DecodedToken): JsonObject {
  const { sub } = claims
  return { ...claims, id: sub, userId: sub }
}

/** `jku`, `x5u`, `x5c` and `jwk` are never looked at: a token does not bring its own key. */
function checkHeader ({ alg, crit, typ, b64 }: JsonObject, { algorithms, type }: JwtRules): void {
  if (!algorithms.includes(alg as string)) throw new RefusedToken('its alg is none that the key is for')
  // Nothing critical is known here (RFC 7515, section 4.1.11); an empty list is as wrong.
  if (crit !== undefined || b64 !== undefined) throw new RefusedToken('its header has a critical extension')
  if (type !== null && (typeof typ !== 'string' || plainType(typ) !== plainType(type))) throw new RefusedToken('its typ is another')
}

/** As RFC 7515 compares media types. */
function plainType (type: string): string {
  return type.toLowerCase().replace(/^application\//, '')
}

async function signatureCheck (rules: JwtRules, onError: (error: unknown) => void): Promise<CheckSignature> {
  const { key, algorithms, toleranceMs } = rules
  if (key.kind === 'jwks') {
    const { Jwks } = await import('./jwks.ts')
    return await Jwks.open({ url: key.url, algorithms, toleranceMs, onError })
  }
  const verify = await libraryVerify(key, rules)
  return (token) => {
    try {
      verify(token)
    } catch {
      throw new RefusedToken('its signature is not that of the key')
    }
  }
}

/** Tokens that were found good, and how long that is believed, ms. */
const KNOWN_TOKENS = 10_000
const KNOWN_MS = 60_000

/** A Fastify of its own that only verifies: the application may have decorated its app with a `jwt` too. */
async function libraryVerify (key: Exclude<VerificationKey, { kind: 'jwks' }>, { algorithms, toleranceMs }: JwtRules): Promise<(token: string) => unknown> {
  const [{ default: Fastify }, { default: jwt }] = await Promise.all([import('fastify'), import('@fastify/jwt')])
  const app = Fastify()
  // A client sends the same token for minutes: an RS256 signature costs ten times what knowing it again does. What is
  // true for a time alone is looked at each time (`checkClaims`).
  const verify = { algorithms: [...algorithms] as never, clockTolerance: toleranceMs, requiredClaims: ['exp'], cache: KNOWN_TOKENS, cacheTTL: KNOWN_MS }
  await app.register(jwt, { secret: key.kind === 'secret' ? key.secret : { public: key.pem } as never, verify })
  await app.ready()
  return token => app.jwt.verify(token)
}
