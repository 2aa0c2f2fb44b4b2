/**
 * A Redis server, whichever package speaks to it: ioredis or node-redis as the application made it, or ioredis for a
 * URL, loaded then and not before.
 */
import { createHash } from 'node:crypto'
import { hasCode, RedisFailure } from './redis/failure.ts'
import { IoredisLink, isIoredis, openIoredis, type IoredisClient } from './redis/ioredis.ts'
import type { Link, RedisArgument } from './redis/link.ts'
import { isNodeRedis, NodeRedisLink, type NodeRedisClient } from './redis/node-redis.ts'
import { Subscription } from './redis/subscription.ts'

export { RedisFailure } from './redis/failure.ts'
export type { RedisArgument } from './redis/link.ts'

/** A connected client of the application's own: ioredis, alone or `Cluster`, or node-redis. */
export type RedisClient = IoredisClient | NodeRedisClient

/** A Lua script; it is sent whole only where the server does not have it yet. */
export interface RedisScript {
  readonly text: string
}

export interface ScriptCall {
  readonly keys: readonly string[]
  readonly args: readonly RedisArgument[]
  readonly binary?: boolean
}

/** Every failure is a `RedisFailure`, also of a server that does not answer in time: what was sent may be done then. */
export interface Redis {
  /** One command. @returns texts as strings, or as Buffers where `binary` asks for it */
  command (args: readonly RedisArgument[], options?: { readonly binary?: boolean }): Promise<unknown>
  /** Runs a script; all keys must lie in one slot of a cluster. */
  run (script: RedisScript, call: ScriptCall): Promise<unknown>
  /**
   * Listens on a channel, by a connection of its own, which is made again for as long as it takes.
   * @param heard called with each message, and with null whenever the connection was made anew: messages in between are lost
   * @returns ends it; listening has begun
   */
  subscribe (channel: string, heard: (message: string | null) => void): Promise<() => Promise<void>>
  /** Ends the connections it made itself; the application's own stay. Idempotent. */
  close (): Promise<void>
}

export interface RedisOptions {
  /** How long to wait for any answer, connecting included, ms. Default 5,000. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 5000

/**
 * @param given `redis://` or `rediss://` (TLS), or a client
 * @throws TypeError when it is neither, or saying what to install
 */
export async function openRedis (given: string | RedisClient, { timeoutMs = TIMEOUT_MS }: RedisOptions = {}): Promise<Redis> {
  if (typeof given === 'string') return new LinkedRedis(new IoredisLink(await openIoredis(given, timeoutMs), { own: true }), timeoutMs)
  if (isIoredis(given)) return new LinkedRedis(new IoredisLink(given, { own: false }), timeoutMs)
  if (isNodeRedis(given)) return new LinkedRedis(new NodeRedisLink(given), timeoutMs)
  throw new TypeError('Redis takes a URL (redis://… or rediss://…), a client of ioredis (new Redis() or new Cluster()), or one of node-redis (createClient(), connected)')
}

class LinkedRedis implements Redis {
  readonly #link: Link
  readonly #timeoutMs: number
  readonly #digests = new WeakMap<RedisScript, string>()
  readonly #subscriptions = new Set<Subscription>()
  #closed = false

  constructor (link: Link, timeoutMs: number) {
    this.#link = link
    this.#timeoutMs = timeoutMs
  }

  async command (args: readonly RedisArgument[], { binary = false }: { readonly binary?: boolean } = {}): Promise<unknown> {
    return await this.#send(args, binary)
  }

  async run (script: RedisScript, { keys, args, binary = false }: ScriptCall): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args]
    try {
      return await this.#send(['EVALSHA', this.#digestOf(script), ...rest], binary)
    } catch (error) {
      // A restart, a fail-over or SCRIPT FLUSH: nothing of it has run.
      if (!hasCode(error, 'NOSCRIPT')) throw error
      return await this.#send(['EVAL', script.text, ...rest], binary)
    }
  }

  async subscribe (channel: string, heard: (message: string | null) => void): Promise<() => Promise<void>> {
    if (this.#closed) throw closedFailure()
    const subscription = new Subscription({ link: this.#link, channel, heard, timeoutMs: this.#timeoutMs })
    this.#subscriptions.add(subscription)
    const end = async (): Promise<void> => {
      this.#subscriptions.delete(subscription)
      await subscription.close()
    }
    try {
      await subscription.begin()
    } catch (error) {
      await end()
      throw RedisFailure.of(error)
    }
    return end
  }

  async close (): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#subscriptions].map(subscription => subscription.close()))
    this.#link.close()
  }

  #digestOf (script: RedisScript): string {
    const known = this.#digests.get(script)
    if (known !== undefined) return known
    const digest = createHash('sha1').update(script.text).digest('hex')
    this.#digests.set(script, digest)
    return digest
  }

  /** What waits for a connection waits no longer than for an answer: a dead server is an error within seconds. */
  async #send (args: readonly RedisArgument[], binary: boolean): Promise<unknown> {
    if (this.#closed) throw closedFailure()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(this.#failure('TIMEOUT', `Redis did not answer within ${this.#timeoutMs} ms`)), this.#timeoutMs)
    })
    try {
      return await Promise.race([this.#link.send(args, binary), late])
    } catch (error) {
      // How ioredis says that the connection broke under a command.
      if ((error as Error | null)?.name === 'MaxRetriesPerRequestError') throw this.#failure('CONNECTION', 'the connection to Redis broke')
      // An error of our own says nothing of the server.
      if (error instanceof RangeError || error instanceof TypeError) throw error
      throw RedisFailure.of(error)
    } finally {
      clearTimeout(timer)
    }
  }

  #failure (code: string, message: string): RedisFailure {
    const { trouble } = this.#link
    return new RedisFailure(code, trouble === null ? message : `${message} (${trouble})`)
  }
}

function closedFailure (): RedisFailure {
  return new RedisFailure('CLOSED', 'the connection to Redis was closed')
}
