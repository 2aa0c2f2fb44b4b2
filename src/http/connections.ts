/** Sockets of a server of ours, counted in all and per address before a byte of them is read. */
import type { Server, Socket } from 'node:net'
import type { Config } from '../config.ts'
import { isLoopbackAddress } from './loopback.ts'
import { networkOf, plainAddress, trustsPeer } from './caller.ts'

/**
 * Attack: slow-loris by many sockets. Proxies that are trusted and this machine may open as many as they like: behind
 * them are all users.
 */
export class Connections {
  readonly #sockets = new Set<Socket>()
  readonly #perNetwork = new Map<string, number>()

  constructor (server: Server, { limits: { connections, connectionsPerAddress }, trustProxy }: Pick<Config, 'limits' | 'trustProxy'>) {
    if (Number.isFinite(connections)) server.maxConnections = connections
    const trusts = trustsPeer(trustProxy)
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      const address = plainAddress(socket.remoteAddress ?? '')
      const network = isLoopbackAddress(address) || trusts(address) ? null : networkOf(address)
      const open = network === null ? 0 : (this.#perNetwork.get(network) ?? 0) + 1
      if (network !== null) this.#perNetwork.set(network, open)
      socket.once('close', () => {
        this.#sockets.delete(socket)
        if (network !== null) this.#release(network)
      })
      if (open > connectionsPerAddress) socket.destroy()
    })
  }

  /** Ends those on which nothing ever came: browsers open some ahead, and Node does not count them as idle. */
  endUnused (): void {
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy()
  }

  destroyAll (): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #release (network: string): void {
    const left = this.#perNetwork.get(network)! - 1
    if (left > 0) this.#perNetwork.set(network, left)
    else this.#perNetwork.delete(network)
  }
}
