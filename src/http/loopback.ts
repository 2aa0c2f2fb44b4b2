/**
 * The rule for a server without authentication: it answers its own machine only, and of the browsers on it only
 * pages of that machine. A page of elsewhere reaches loopback too, by a name that it rebinds to 127.0.0.1 or by
 * posting across origins.
 *
 * It holds for every path, /health as well: a load balancer on another machine would otherwise send clients to a
 * node that refuses them.
 */
import type { IncomingMessage } from 'node:http'
import { SyncError } from '../errors.ts'
import type { Cors } from './cors.ts'

export class Loopback {
  readonly #hosts: ReadonlySet<string>
  readonly #cors: Cors | null
  /** The newest Host that was found good: nearly all requests carry the same. */
  #known = 'localhost'

  /** @param hosts names, with or without a port, that are as good as loopback ones @param cors which pages of elsewhere may ask */
  constructor (hosts: readonly string[], cors: Cors | null) {
    this.#cors = cors
    this.#hosts = new Set(hosts.map(host => host.toLowerCase()))
  }

  /** @throws SyncError not_loopback */
  check (request: IncomingMessage, forwarded: boolean): void {
    const { headers, socket, method } = request
    if (forwarded) throw refused('The request came through a proxy.')
    if (!isLoopbackAddress(socket.remoteAddress)) throw refused('The request came from another machine.')
    const host = hostOf(request)
    if (host !== this.#known) this.#checkHost(host)
    if (headers.origin !== undefined && method !== 'GET' && method !== 'HEAD' && method !== 'OPTIONS') this.#checkOrigin(headers.origin)
  }

  #checkHost (host: string): void {
    if (!this.#isOurs(host)) throw refused('The Host header is no loopback name and none of the configured hosts.')
    this.#known = host
  }

  #checkOrigin (origin: string): void {
    if (this.#cors?.allows(origin) === true) return
    const start = origin.indexOf('://')
    if (start === -1 || !this.#isOurs(origin.slice(start + 3))) throw refused('The request comes from a web page of another host.')
  }

  #isOurs (host: string): boolean {
    const full = host.toLowerCase()
    const name = full.replace(/:\d*$/, '')
    return isLoopbackName(name) || this.#hosts.has(name) || this.#hosts.has(full)
  }
}

/** Whom the client wanted to reach; HTTP/2 has another name for it. */
export function hostOf ({ headers }: IncomingMessage): string {
  return headers.host ?? headers[':authority'] as string | undefined ?? ''
}

export function isLoopbackHost (host: string): boolean {
  return isLoopbackName(host.toLowerCase().replace(/:\d*$/, ''))
}

function isLoopbackName (name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
}

export function isLoopbackAddress (address: string | undefined): boolean {
  if (address === undefined) return false
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}

function refused (detail: string): SyncError {
  return new SyncError('not_loopback', { detail })
}
