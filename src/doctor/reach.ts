/** Whether anything listens at the address, what its certificate is worth, and which HTTP it offers. */
import { lookup } from 'node:dns/promises'
import { connect as connectPlain } from 'node:net'
import { connect as connectSecure } from 'node:tls'
import type { PeerCertificate } from 'node:tls'
import { explain, milliseconds, seconds } from './answer.ts'
import { note, ok, problem } from './finding.ts'
import type { Finding } from './finding.ts'
import { isLoopback } from './site.ts'
import type { Site } from './site.ts'

export interface Reached {
  readonly address: string | null
  readonly ms: number
  readonly error: NodeJS.ErrnoException | null
}

export async function reach (site: Site): Promise<Reached> {
  const start = performance.now()
  const host = site.url.hostname.replace(/^\[|\]$/g, '')
  try {
    await within(site, lookup(host))
    const address = await open(site, () => connectPlain({ host, port: portOf(site) }))
    return { address, ms: performance.now() - start, error: null }
  } catch (error) {
    return { address: null, ms: performance.now() - start, error: error as Error }
  }
}

export function reachable ({ address, ms, error }: Reached, { hostname }: URL): Finding {
  if (address !== null) return ok('reachable', `${address} in ${milliseconds(ms)}`)
  return problem('reachable', `${hostname}: ${explain(error)}`, { advice: ['Check the address and its port, DNS, and firewalls on the way.'] })
}

function portOf ({ url }: Site): number {
  return Number(url.port || (url.protocol === 'https:' ? 443 : 80))
}

/** A name that DNS is still looking for. */
async function within<T> ({ timeoutMs }: Site, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => { reject(new Error(`nothing answers within ${seconds(timeoutMs)}`)) }, timeoutMs) })
  return await Promise.race([work, late]).finally(() => { clearTimeout(timer) })
}

async function open (site: Site, connect: () => ReturnType<typeof connectPlain>): Promise<string> {
  const socket = connect()
  const connected = new Promise<string>((resolve, reject) => {
    socket.on('connect', () => { resolve(socket.remoteAddress ?? '') })
    socket.on('error', reject)
  })
  return await within(site, connected).finally(() => { socket.destroy() })
}

export interface Secured {
  readonly error: NodeJS.ErrnoException | null
  /** Why the certificate is not to be believed; null where it is. */
  readonly distrust: string | null
  /** ms since 1970; null where there is none. */
  readonly validTo: number | null
  readonly version: string
  /** What ALPN chose; null for nothing. */
  readonly alpn: string | null
}

/** Looks at a certificate that may be wrong; nothing is sent over this connection. */
export async function secure (site: Site): Promise<Secured> {
  const host = site.url.hostname.replace(/^\[|\]$/g, '')
  const name = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
  const socket = connectSecure({ host, port: portOf(site), ...name, ...site.ca !== undefined && { ca: site.ca }, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] })
  const shaken = new Promise<Secured>((resolve, reject) => {
    socket.on('secureConnect', () => {
      const { valid_to: validTo } = socket.getPeerCertificate() as Partial<PeerCertificate>
      // Its type says Error; Node gives the code of OpenSSL.
      const distrust = socket.authorized ? null : String((socket.authorizationError as unknown as { code?: string } | null)?.code ?? socket.authorizationError)
      resolve({ error: null, distrust, validTo: validTo === undefined ? null : Date.parse(validTo), version: socket.getProtocol() ?? '', alpn: socket.alpnProtocol || null })
    })
    socket.on('error', reject)
  })
  return await within(site, shaken).catch((error: Error) => ({ error, distrust: null, validTo: null, version: '', alpn: null })).finally(() => { socket.destroy() })
}

const DAY = 24 * 60 * 60 * 1000
/** Renewals run a month before the end, as a rule: with so few days left they do not. */
const SOON = 14 * DAY

const distrusts = new Map([
  ['CERT_HAS_EXPIRED', 'the certificate has expired: renew it'],
  ['CERT_NOT_YET_VALID', 'the certificate is not valid yet: check the clocks'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'the certificate is self-signed: browsers refuse it; --ca <file> makes doctor believe it'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'the certificate is of an authority that nobody knows; --ca <file> makes doctor believe it'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'the chain is incomplete: serve the certificate with those above it (fullchain.pem)'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'the chain is incomplete, or of an authority that nobody knows: serve fullchain.pem'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'the certificate is for other names than this one']
])

export function tls (url: URL, secured: Secured | null, now: number): Finding {
  if (secured === null) {
    return isLoopback(url)
      ? ok('TLS', 'none, and none needed within this machine')
      : note('TLS', 'none: whoever lies between reads tokens and documents', { advice: ['Serve https:, at the proxy or with --tls-cert and --tls-key.'] })
  }
  const { error, distrust, validTo, version } = secured
  if (error !== null) return problem('TLS', explain(error), { advice: ['Does it speak plain HTTP? Then the address begins with http://.'] })
  if (distrust !== null) return problem('TLS', distrusts.get(distrust) ?? `the certificate is not to be believed: ${distrust}`)
  if (validTo === null) return problem('TLS', 'there is no certificate')
  const days = Math.floor((validTo - now) / DAY)
  const text = `${version}, certificate valid for ${days === 1 ? 'one more day' : `${days} days`}`
  return validTo - now < SOON ? note('TLS', text, { advice: ['Look after its renewal.'] }) : ok('TLS', text)
}

/** @param isApache whether Apache is on the way */
export function httpVersion (url: URL, secured: Secured | null, isApache: boolean): Finding {
  if (secured?.alpn === 'h2') return ok('HTTP', 'HTTP/2: streams of all tabs share one connection')
  if (secured === null && isLoopback(url)) return ok('HTTP', 'HTTP/1.1, as browsers have it without TLS')
  return note('HTTP', 'HTTP/1.1 only: a browser opens six connections, and six tabs with a stream block every push', {
    ...secured === null
      ? { advice: ['Browsers speak HTTP/2 over TLS only: serve https:.'] }
      : isApache ? { advice: ['Apache\'s own HTTP/2 holds up requests behind streams: let nginx, HAProxy or Caddy speak it.'] } : { remedy: 'http2' as const }
  })
}
