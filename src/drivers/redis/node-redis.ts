/** node-redis: a client of the application's own, as `createClient()` makes it. */
import { asSent, type Link, type Listener, type RedisArgument } from './link.ts'

export interface NodeRedisClient {
  readonly isOpen: boolean
  sendCommand (args: any, options?: any): Promise<unknown>
  duplicate (overrides?: any): NodeRedisClient
  connect (): Promise<unknown>
  subscribe (channel: any, listener: (...args: any[]) => unknown): Promise<unknown>
  on (event: any, listener: (...args: any[]) => void): unknown
  removeListener (event: any, listener: (...args: any[]) => void): unknown
  destroy (): void
  readonly options?: any
}

export function isNodeRedis (given: unknown): given is NodeRedisClient {
  const client = given as Partial<NodeRedisClient> | null
  return typeof client?.sendCommand === 'function' && typeof client.duplicate === 'function' && typeof client.subscribe === 'function' && typeof client.isOpen === 'boolean'
}

/** Its names of the types of answers are their first bytes. Maps come flat, as they do from ioredis. */
const BLOB = '$'.charCodeAt(0)
const MAP = '%'.charCodeAt(0)
const TEXTS = { typeMapping: { [MAP]: Array } }
const BUFFERS = { typeMapping: { [MAP]: Array, [BLOB]: Buffer } }

export class NodeRedisLink implements Link {
  readonly #client: NodeRedisClient
  #trouble: string | null = null
  /** Without a listener an error of its connection would end the process. */
  readonly #onError = (error: Error): void => { this.#trouble = error.message }
  readonly #onReady = (): void => { this.#trouble = null }

  constructor (client: NodeRedisClient) {
    this.#client = client
    client.on('error', this.#onError)
    client.on('ready', this.#onReady)
  }

  get trouble (): string | null {
    return this.#trouble
  }

  async send (args: readonly RedisArgument[], binary: boolean): Promise<unknown> {
    if (!this.#client.isOpen) throw new Error('the node-redis client is not connected: await client.connect() before it is passed in, and close it after the server')
    return await this.#client.sendCommand(args.map(asSent), binary ? BUFFERS : TEXTS)
  }

  async listen (channel: string, heard: (message: string) => void): Promise<Listener> {
    const socket = { ...this.#client.options?.socket, reconnectStrategy: false }
    const connection = this.#client.duplicate({ socket })
    const over = new AbortController()
    const end = (): void => {
      if (connection.isOpen) connection.destroy()
      over.abort()
    }
    connection.on('error', end)
    connection.on('end', end)
    try {
      await connection.connect()
      await connection.subscribe(channel, heard)
    } catch (error) {
      end()
      throw error
    }
    return { over: over.signal, ping: () => connection.sendCommand(['PING']), end }
  }

  close (): void {
    this.#client.removeListener('ready', this.#onReady)
    // Its errors are still nobody's: the listener for them stays.
  }
}
