/** ioredis: what a URL is opened with, and a client of the application's own, also of a cluster. */
import { asSent, type Link, type Listener, type RedisArgument } from './link.ts'

interface IoredisBase {
  callBuffer (command: string, ...args: any[]): Promise<unknown>
  call (command: string, ...args: any[]): Promise<unknown>
  on (event: string, listener: (...args: any[]) => void): unknown
  removeListener (event: string, listener: (...args: any[]) => void): unknown
  disconnect (): void
}

interface IoredisSingle extends IoredisBase {
  duplicate (options?: any): IoredisSingle
  connect (): Promise<unknown>
  subscribe (...channels: any[]): Promise<unknown>
}

interface IoredisCluster extends IoredisBase {
  readonly isCluster: boolean
  nodes (role?: any): IoredisSingle[]
}

export type IoredisClient = IoredisSingle | IoredisCluster

export function isIoredis (given: unknown): given is IoredisClient {
  const client = given as Partial<IoredisSingle & IoredisCluster> | null
  return typeof client?.callBuffer === 'function' && typeof client.call === 'function'
}

function isCluster (client: IoredisClient): client is IoredisCluster {
  return (client as Partial<IoredisCluster>).isCluster === true
}

/** ms between attempts to connect. */
function backoff (attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 6), 2000) * (0.5 + Math.random() / 2)
}

/** @throws TypeError when it is no URL of Redis, or saying what to install */
export async function openIoredis (url: string, timeoutMs: number): Promise<IoredisSingle> {
  if (!/^rediss?:\/\//i.test(url) || !URL.canParse(url)) throw new TypeError('a Redis server is named redis://[user:password@]host[:port][/db], or rediss:// with TLS')
  const { Redis } = await load()
  return new Redis(url, {
    connectTimeout: timeoutMs,
    retryStrategy: backoff,
    // What was sent when the connection broke may be done: that is for the caller to judge, at once.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a fail-over this may be a replica.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    connectionName: 'pocket-server'
  }) as unknown as IoredisSingle
}

async function load (): Promise<Pick<typeof import('ioredis'), 'Redis'>> {
  try {
    return await import('ioredis')
  } catch (cause) {
    throw new TypeError('Redis needs the package ioredis: npm install ioredis', { cause })
  }
}

export class IoredisLink implements Link {
  readonly #client: IoredisClient
  readonly #own: boolean
  #trouble: string | null = null
  readonly #onError = (error: Error): void => { this.#trouble = error.message }
  readonly #onReady = (): void => { this.#trouble = null }

  constructor (client: IoredisClient, { own }: { readonly own: boolean }) {
    this.#client = client
    this.#own = own
    client.on('error', this.#onError)
    client.on('ready', this.#onReady)
  }

  get trouble (): string | null {
    return this.#trouble
  }

  async send ([name, ...args]: readonly RedisArgument[], binary: boolean): Promise<unknown> {
    // As one list: a call takes no more than some hundred thousand arguments.
    const sent = args.map(asSent)
    return await (binary ? this.#client.callBuffer(String(name), sent) : this.#client.call(String(name), sent))
  }

  async listen (channel: string, heard: (message: string) => void): Promise<Listener> {
    const connection = this.#beside().duplicate({ lazyConnect: true, retryStrategy: null, enableOfflineQueue: true, autoResubscribe: false, keyPrefix: '' })
    connection.on('error', () => {})
    connection.on('message', (_channel: string, message: string) => heard(message))
    const over = new AbortController()
    const end = (): void => {
      connection.disconnect()
      over.abort()
    }
    connection.on('end', () => { over.abort() })
    try {
      await connection.connect()
      await connection.subscribe(channel)
    } catch (error) {
      end()
      throw error
    }
    return { over: over.signal, ping: () => connection.call('PING'), end }
  }

  close (): void {
    if (this.#own) return this.#client.disconnect()
    this.#client.removeListener('error', this.#onError)
    this.#client.removeListener('ready', this.#onReady)
  }

  /** A cluster carries a message to all its nodes: any one will do, and another one when that is gone. */
  #beside (): IoredisSingle {
    const client = this.#client
    if (!isCluster(client)) return client
    const nodes = client.nodes('master')
    const node = nodes[Math.floor(Math.random() * nodes.length)]
    if (node === undefined) throw new Error('no node of the Redis cluster is known')
    return node
  }
}
