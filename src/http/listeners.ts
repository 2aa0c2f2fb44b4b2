/** The servers that this server opened itself, and their end. */
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { Config } from '../config.ts'
import type { TlsOptions } from '../edge.ts'
import { SyncError } from '../errors.ts'
import { descriptorLimit, withinDescriptors } from './descriptors.ts'
import { isLoopbackHost } from './loopback.ts'
import { createPlainServer } from './node-server.ts'
import type { NodeServer } from './node-server.ts'

export interface Listening {
  readonly address: string
  readonly port: number
  /** Where a client on this machine reaches it. */
  readonly url: string
}

/** Connections that may wait to be taken: of a crowd that comes back at once, Node's 511 would make the rest try again in seconds. */
const BACKLOG = 4096

export class Listeners {
  readonly #config: Config
  readonly #listener: RequestListener
  readonly #open = new Set<NodeServer>()
  #tls: TlsOptions | null
  #closed: Promise<unknown> | undefined

  constructor (config: Config, listener: RequestListener) {
    this.#config = config
    this.#listener = listener
    this.#tls = config.tls
  }

  async listen (port: number, host: string): Promise<Listening> {
    const node = await this.#create()
    node.server.listen({ port, host, backlog: BACKLOG })
    await once(node.server, 'listening')
    if (this.#closed !== undefined) {
      node.server.close()
      throw new SyncError('draining')
    }
    this.#open.add(node)
    const { address, port: actual, family } = node.server.address() as AddressInfo
    const name = address === '::' || address === '0.0.0.0' ? 'localhost' : family === 'IPv6' ? `[${address}]` : address
    return { address, port: actual, url: `${this.#tls === null ? 'http' : 'https'}://${name}:${actual}` }
  }

  /** @throws TypeError for an address that other machines reach, where the server answers its own alone */
  assertReach (host: string): void {
    const { access, open } = this.#config
    if (access.authenticate !== null || open || host === '::1' || isLoopbackHost(host)) return
    throw new TypeError(`other machines may reach ${host || 'every address'}, and nothing asks who they are: set authenticate or jwt (--jwt-secret, --jwt-public-key, --jwks-url), or open (--open) if everybody may read and write everything, or listen on 127.0.0.1`)
  }

  /** HTTP/2 is loaded where it is spoken. */
  async #create (): Promise<NodeServer> {
    const config = { ...this.#config, limits: withinDescriptors(this.#config.limits, await descriptorLimit(), this.#config.logger) }
    if (this.#tls === null) return createPlainServer(config, this.#listener)
    const { createTlsServer } = await import('./tls-server.ts')
    return createTlsServer({ ...config, tls: this.#tls }, this.#listener)
  }

  /**
   * For connections that are opened from now on.
   * @throws what OpenSSL says of a key and a certificate that do not fit; the former ones stay
   */
  renewTls (tls: TlsOptions): void {
    if (this.#tls === null) throw new TypeError('this server was made without the option tls')
    createSecureContext({ ...tls })
    this.#tls = tls
    for (const { server } of this.#open) (server as typeof server & { setSecureContext: (tls: TlsOptions & { minVersion: string }) => void }).setSecureContext({ ...tls, minVersion: 'TLSv1.2' })
  }

  /** Takes no more connections, and ends those that nobody uses. Resolves when all are over; idempotent. */
  close (): Promise<unknown> {
    this.#closed ??= Promise.all([...this.#open].map(async ({ server, endUnused }) => {
      const closed = once(server, 'close')
      server.close()
      endUnused()
      await closed
    }))
    return this.#closed
  }

  /** Ends what is left. */
  cutOff (): void {
    for (const { cutOff } of this.#open) cutOff()
  }
}
