/** The built-in check of JSON Web Tokens (RFC 8725, WIRE 7): its options, and `authenticate` made of them. */
import type { Authenticate } from '../access.ts'
import { publicKeyOf, secretOf } from './keys.ts'
import type { VerificationKey } from './keys.ts'
import type { ClaimRules } from './claims.ts'

/** How tokens are checked: exactly one of `secret`, `publicKey` and `jwksUrl`. */
export interface JwtOptions {
  /** For HS256, and where it is long enough HS384 and HS512: at least 32 bytes that nobody can guess. */
  secret?: string
  /** A PEM: RSA (2048 bits or more), EC (P-256, P-384, P-521) or Ed25519. */
  publicKey?: string
  /** Where an identity provider keeps its public keys; they may rotate. https, or http on this machine. */
  jwksUrl?: string
  /** What `iss` must be, exactly; one of several. Default: not asked. */
  issuer?: string | readonly string[]
  /** What `aud` must name, exactly; one of several. Default: not asked, and warned about. */
  audience?: string | readonly string[]
  /** Fewer algorithms than the key allows. */
  algorithms?: readonly string[]
  /** How far clocks may differ, in seconds, at most 60. Default 5. */
  clockTolerance?: number
  /** What `typ` must be, `at+jwt` for example. Default: not asked. */
  type?: string
}

export interface JwtRules extends ClaimRules {
  readonly key: VerificationKey
  readonly algorithms: readonly string[]
  readonly type: string | null
}

const known: ReadonlySet<string> = new Set<keyof JwtOptions>(['secret', 'publicKey', 'jwksUrl', 'issuer', 'audience', 'algorithms', 'clockTolerance', 'type'])

/** @throws TypeError naming what is wrong, never a secret */
export function resolveJwt (options: JwtOptions): JwtRules {
  for (const name of Object.keys(options)) if (!known.has(name)) throw new TypeError(`jwt.${name} is no option; there are ${[...known].join(', ')}`)
  const key = keyOf(options)
  const { clockTolerance = 5, type = null } = options
  if (!(clockTolerance >= 0 && clockTolerance <= 60)) throw new TypeError('jwt.clockTolerance is a number of seconds from 0 to 60')
  if (type !== null && (typeof type !== 'string' || type === '')) throw new TypeError('jwt.type must be a text')
  return Object.freeze({
    key,
    algorithms: algorithmsOf(key, options.algorithms),
    issuers: textsOf('issuer', options.issuer),
    audiences: textsOf('audience', options.audience),
    toleranceMs: clockTolerance * 1000,
    type
  })
}

function keyOf ({ secret, publicKey, jwksUrl }: JwtOptions): VerificationKey {
  if ([secret, publicKey, jwksUrl].filter(value => value !== undefined).length !== 1) throw new TypeError('jwt needs exactly one of secret, publicKey and jwksUrl')
  if (secret !== undefined) return secretOf(secret)
  if (publicKey !== undefined) return publicKeyOf(publicKey)
  return { kind: 'jwks', url: jwksUrlOf(jwksUrl!), algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] }
}

function algorithmsOf ({ algorithms: fit }: VerificationKey, wanted: readonly string[] = fit): readonly string[] {
  if (!Array.isArray(wanted) || wanted.length === 0) throw new TypeError('jwt.algorithms must be a list of at least one')
  const wrong = (wanted as readonly unknown[]).find(name => !fit.includes(name as string))
  if (wrong !== undefined) throw new TypeError(`jwt.algorithms: ${JSON.stringify(wrong)} does not fit this key; ${fit.join(', ')} do`)
  return Object.freeze([...wanted])
}

function textsOf (name: string, value: string | readonly string[] | undefined): readonly string[] | null {
  if (value === undefined) return null
  const texts = typeof value === 'string' ? [value] : value
  if (!Array.isArray(texts) || texts.length === 0 || texts.some(text => typeof text !== 'string' || text === '')) throw new TypeError(`jwt.${name} must be a text, or a list of some`)
  return Object.freeze([...texts])
}

function jwksUrlOf (text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  const near = url !== null && (/^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname))
  if (url === null || url.username !== '' || url.password !== '' || !(url.protocol === 'https:' || (url.protocol === 'http:' && near))) {
    throw new TypeError('jwt.jwksUrl must be an https: URL without a password (http: only on this machine): whoever can change what it answers makes users')
  }
  return url
}

/**
 * Made of the options; loads what it needs at the first token.
 * @param onError what the operator should know of: a JWKS that cannot be fetched
 */
export function jwtAuthenticate (rules: JwtRules, onError: (error: unknown) => void): Authenticate {
  let loading: Promise<(token: string) => object | Promise<object>> | undefined
  let verify: ((token: string) => object | Promise<object>) | undefined
  const load = async (): Promise<(token: string) => object | Promise<object>> => {
    const { openVerifier } = await import('./verifier.ts')
    verify = await openVerifier(rules, onError)
    return verify
  }
  return (token) => {
    if (token === '') return null
    if (verify !== undefined) return verify(token)
    loading ??= load()
    return loading.then(ready => ready(token))
  }
}

/**
 * The built-in `authenticate` where the options ask for one.
 * @throws TypeError when both are given
 */
export function authenticateOf ({ authenticate, jwt }: { authenticate?: Authenticate, jwt?: JwtOptions }, log: (fields: object, message: string) => void): { authenticate?: Authenticate, jwt: JwtRules | null } {
  if (jwt === undefined) return { ...authenticate !== undefined && { authenticate }, jwt: null }
  if (authenticate !== undefined) throw new TypeError('authenticate and jwt exclude each other: one of them says who asks')
  const rules = resolveJwt(jwt)
  return { authenticate: jwtAuthenticate(rules, err => log({ err }, 'the keys that tokens are checked with cannot be fetched')), jwt: rules }
}
