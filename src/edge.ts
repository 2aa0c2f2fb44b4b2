/** What stands between the network and the server: whose word counts, how much one may ask, from where, and TLS. */
import { isIP } from 'node:net'

/**
 * Whose `X-Forwarded-For` counts: nobody's, everybody's, that of so many proxies in front, or that of the proxies with
 * these addresses (`192.0.2.1`, `10.0.0.0/8`, `loopback`, `linklocal`, `uniquelocal`).
 */
export type TrustProxy = boolean | number | readonly string[]

/** What one user, or one address, may do in a minute. */
export const defaultRateLimit = {
  /** A user who hammers: requests of each user. */
  requestsPerMinute: 3000,
  /** A machine that hammers, with or without a token: requests of each address. Many users may share one. */
  requestsPerMinutePerAddress: 12_000,
  /** Guessing tokens: as so many requests of its address counts one that failed to authenticate. */
  failureCost: 50,
  /** A user who writes without end: changed documents of each user. A change that wrote nothing, a repeated one say, counts a sixteenth, 4 KiB of body as much as a change. */
  changesPerMinute: 30_000
} as const

export type RateLimit = Readonly<Record<keyof typeof defaultRateLimit, number>>

export interface CorsOptions {
  /** Origins whose pages may ask, as browsers send them (`https://app.example`), or `'*'` for all. */
  readonly origins: readonly string[] | '*'
  /** Whether they may send cookies; never with `'*'`. Default false: a token needs none. */
  readonly credentials?: boolean
  /** How long browsers remember the permission, in seconds. Default 7,200. */
  readonly maxAge?: number
}

/** PEM, as `node:tls` takes it. */
export interface TlsOptions {
  readonly key: string | Buffer
  /** The server's certificate and those between it and the root. */
  readonly cert: string | Buffer
  /** Of an encrypted key. */
  readonly passphrase?: string
}

export interface EdgeOptions {
  /** What one user and one address may do in a minute, see below; `false`: as much as they like. Single figures may be given. */
  rateLimit?: Partial<RateLimit> | false
  /** Whose `X-Forwarded-For` is believed: nobody's (`false`, the default), that of proxies by address (`['loopback', '10.0.0.0/8']`) or by number; see [Transport](#transport). */
  trustProxy?: TrustProxy
  /** Which pages of other origins may use this server: `{ origins, credentials?, maxAge? }`. Default none; see [Transport](#transport). */
  cors?: CorsOptions
  /** Makes `listen` speak TLS, with HTTP/2 and HTTP/1.1: `{ key, cert, passphrase? }`; see [Transport](#transport). */
  tls?: TlsOptions
}

/** The options with their defaults; null for what is not asked for. */
export interface Edge {
  readonly rateLimit: RateLimit | null
  readonly trustProxy: TrustProxy
  readonly cors: Required<CorsOptions> | null
  readonly tls: TlsOptions | null
}

/** Networks by the names that Express and Fastify have for them. */
const namedNetworks: ReadonlyMap<string, readonly string[]> = new Map([
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['linklocal', ['169.254.0.0/16', 'fe80::/10']],
  ['uniquelocal', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']]
])

/** @throws TypeError naming the option that is wrong */
export function resolveEdge ({ rateLimit, trustProxy = false, cors, tls }: EdgeOptions): Edge {
  return Object.freeze({
    rateLimit: rateLimit === false ? null : rateLimitFrom(rateLimit),
    trustProxy: trustFrom(trustProxy),
    cors: cors === undefined ? null : corsFrom(cors),
    tls: tls === undefined ? null : tlsFrom(tls)
  })
}

function rateLimitFrom (given: Partial<RateLimit> = {}): RateLimit {
  if (typeof given !== 'object' || given === null) throw new TypeError('rateLimit must be an object of figures, or false')
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultRateLimit, name)) throw new TypeError(`rateLimit.${name} is no option; there are ${Object.keys(defaultRateLimit).join(', ')}`)
    if (typeof value !== 'number' || !(value >= 0) || (name !== 'failureCost' && value < 1)) throw new TypeError(`rateLimit.${name} must be a number from ${name === 'failureCost' ? 0 : 1} on, not ${String(value)}`)
  }
  return Object.freeze({ ...defaultRateLimit, ...given })
}

function trustFrom (given: TrustProxy): TrustProxy {
  if (typeof given === 'boolean') return given
  if (typeof given === 'number') {
    if (!Number.isSafeInteger(given) || given < 0) throw new TypeError(`trustProxy: the number of proxies in front is a whole number, not ${given}`)
    return given
  }
  if (!Array.isArray(given)) throw new TypeError('trustProxy must be false, true, a number of proxies, or a list of their addresses and networks')
  return Object.freeze(given.flatMap((network: unknown) => {
    const named = namedNetworks.get(String(network))
    if (named !== undefined) return named
    if (!isNetwork(String(network))) throw new TypeError(`trustProxy: "${String(network)}" is neither an address, a network like 10.0.0.0/8, nor one of ${[...namedNetworks.keys()].join(', ')}`)
    return [String(network)]
  }))
}

function isNetwork (text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const version = isIP(address)
  return version !== 0 && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= (version === 4 ? 32 : 128)))
}

function corsFrom ({ origins, credentials = false, maxAge = 7200, ...more }: CorsOptions): Required<CorsOptions> {
  assertNone(more, 'cors', 'origins, credentials, maxAge')
  if (!Number.isSafeInteger(maxAge) || maxAge < 0) throw new TypeError('cors.maxAge is a whole number of seconds')
  if (origins !== '*' && !Array.isArray(origins)) throw new TypeError('cors.origins must be a list of origins, or "*" for all')
  const all = origins === '*' || origins.includes('*')
  if (all && credentials) throw new TypeError('cors: pages of every origin must not send cookies; name the origins, or leave credentials out')
  if (all) return Object.freeze({ origins: '*', credentials, maxAge })
  for (const origin of origins) assertOrigin(origin)
  return Object.freeze({ origins: Object.freeze([...origins]), credentials, maxAge })
}

/** Schemes of wrapped apps (`capacitor://localhost`) too. What browsers never send, a path or a default port, would never match. */
function assertOrigin (origin: string): void {
  const shape = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@,*]+$/.test(origin)
  if (shape && (!/^https?:/.test(origin) || (URL.canParse(origin) && new URL(origin).origin === origin))) return
  throw new TypeError(`cors.origins: "${origin}" is no origin as browsers send it; write scheme and host in small letters, and the port where it is not the usual one: https://app.example`)
}

function tlsFrom (tls: TlsOptions): TlsOptions {
  const { key, cert, passphrase, ...more } = tls
  assertNone(more, 'tls', 'key, cert, passphrase')
  if (!isPem(key) || !isPem(cert)) throw new TypeError('tls needs key and cert, the text of two PEM files')
  return Object.freeze({ key, cert, ...passphrase !== undefined && { passphrase } })
}

function assertNone (more: object, name: string, known: string): void {
  const [unknown] = Object.keys(more)
  if (unknown !== undefined) throw new TypeError(`${name}.${unknown} is no option; there are ${known}`)
}

function isPem (text: unknown): boolean {
  return (typeof text === 'string' || Buffer.isBuffer(text)) && text.includes('-----BEGIN')
}
