/**
 * The keys of an identity provider, fetched when needed and again when they may have changed (RFC 7517). A known key
 * goes on to work while they cannot be fetched; nobody can make this server ask for them without end.
 */
import { compactVerify, createRemoteJWKSet, errors } from 'jose'
import type { CryptoKey, JWSHeaderParameters } from 'jose'
import { SyncError } from '../errors.ts'
import type { DecodedToken, JsonObject } from './claims.ts'
import { RefusedToken } from './refused.ts'

interface JwksOptions {
  readonly url: URL
  readonly algorithms: readonly string[]
  readonly toleranceMs: number
  readonly onError: (error: unknown) => void
}

/** Between two look-ups. Attack: tokens with made-up key ids, each of which would cost the provider a request. */
const COOL_DOWN_MS = 10_000
/** After a failed one: all wait for it. */
const FAILED_MS = 2_000
/** Then they are fetched again, beside the work: so a key that was withdrawn ends. */
const FRESH_MS = 600_000
/** A provider that is away for longer can have withdrawn any of them. */
const STALE_MS = 86_400_000

type Outcome = 'fetched' | 'failed' | 'too-soon'

export class Jwks {
  readonly #options: JwksOptions
  readonly #set: ReturnType<typeof createRemoteJWKSet>
  /** All of `performance.now()`: a clock that is set must not end or prolong them. */
  #fetchedAt = -Infinity
  #triedAt = -Infinity
  #failed = false
  #fetching: Promise<Outcome> | undefined
  /** When the keys were last fetched, ms since 1970: what was signed later may have a newer key. */
  #knownUntil = 0

  private constructor (options: JwksOptions) {
    this.#options = options
    // When to ask is decided here: by itself it would forget known keys while the provider is away.
    this.#set = createRemoteJWKSet(options.url, { cacheMaxAge: Infinity, cooldownDuration: Infinity })
  }

  static async open (options: JwksOptions): Promise<(token: string, decoded: DecodedToken) => Promise<void>> {
    const jwks = new Jwks(options)
    await jwks.#fetch()
    return async (token, decoded) => await jwks.#check(token, decoded)
  }

  async #check (token: string, { header, claims }: DecodedToken): Promise<void> {
    const key = await this.#key(header, claims)
    try {
      await compactVerify(token, key, { algorithms: [...this.#options.algorithms] })
    } catch {
      throw new RefusedToken('its signature is not that of the key')
    }
  }

  async #key (header: JsonObject, { iat }: JsonObject): Promise<CryptoKey> {
    const age = performance.now() - this.#fetchedAt
    if (age > STALE_MS) {
      if (await this.#fetch() !== 'fetched') throw unavailable()
    } else if (age > FRESH_MS) this.#fetch().catch(() => {})
    const known = await this.#find(header)
    if (known !== null) return known
    const outcome = await this.#fetch()
    const found = outcome === 'fetched' ? await this.#find(header) : null
    if (found !== null) return found
    // Whoever holds a token from before the last look-up needs another one; a newer token may have a newer key.
    const newer = typeof iat === 'number' && iat * 1000 + this.#options.toleranceMs >= this.#knownUntil
    if (outcome === 'failed' || (outcome === 'too-soon' && newer)) throw unavailable()
    throw new RefusedToken('its key is not known')
  }

  async #find (header: JsonObject): Promise<CryptoKey | null> {
    try {
      return await this.#set(header as unknown as JWSHeaderParameters)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return null
      if (error instanceof errors.JWKSMultipleMatchingKeys) throw new RefusedToken('it does not say which of several keys signed it')
      throw new RefusedToken('its key cannot be used')
    }
  }

  /** Never rejects; who asks meanwhile waits for the same. */
  #fetch (): Promise<Outcome> {
    if (this.#fetching !== undefined) return this.#fetching
    const since = performance.now() - this.#triedAt
    if (since < (this.#failed ? FAILED_MS : COOL_DOWN_MS)) return Promise.resolve(this.#failed ? 'failed' : 'too-soon')
    this.#triedAt = performance.now()
    const asked = Date.now()
    this.#fetching = this.#set.reload().then(
      () => {
        this.#failed = false
        this.#fetchedAt = performance.now()
        this.#knownUntil = asked
        return 'fetched' as const
      },
      (error: unknown) => {
        this.#failed = true
        this.#options.onError(error)
        return 'failed' as const
      }
    ).finally(() => { this.#fetching = undefined })
    return this.#fetching
  }
}

function unavailable (): SyncError {
  return new SyncError('authentication_unavailable')
}
