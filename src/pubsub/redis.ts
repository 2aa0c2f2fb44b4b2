/**
 * ADAPTER: hints by PUBLISH and SUBSCRIBE, over one channel that all nodes listen on and one connection each that
 * does nothing else. A message names the topics that were rung, digested: all that a node has published in a turn, or
 * while the message before was on its way.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { openRedis, type Redis, type RedisClient } from '../drivers/redis.ts'
import { Outbox } from './outbox.ts'
import type { HintServer, PubSub } from './pubsub.ts'
import { Topics } from './topics.ts'

export interface RedisPubSubOptions {
  /** Servers with the same one hear each other's hints. Default `pocket`. */
  readonly prefix?: string
}

const SHORTEST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 2000

export class RedisPubSub implements PubSub {
  readonly #server: string | RedisClient | Redis
  readonly #prefix: string
  readonly #channel: string
  readonly #topics = new Topics()
  readonly #outbox: Outbox
  readonly #end = new AbortController()
  #redis: Promise<Redis> | undefined
  /** Until the first attempt to listen is over, either way. */
  #listening: Promise<void> | undefined
  #unlisten: (() => Promise<void>) | undefined
  #closing: Promise<void> | undefined

  /**
   * @param server a client of ioredis or node-redis, connected, which stays the application's, or a URL
   * @throws TypeError for what is neither
   */
  constructor (server: string | RedisClient | Redis, { prefix = 'pocket' }: RedisPubSubOptions = {}) {
    if (typeof server === 'string' ? !/^rediss?:/i.test(server) : typeof server !== 'object' || server === null) {
      throw new TypeError('RedisPubSub takes a URL (redis://…), or a client of ioredis or node-redis')
    }
    this.#server = server
    this.#prefix = prefix
    this.#channel = `${prefix}:hints`
    this.#outbox = new Outbox(async topics => await (await this.#open()).command(['PUBLISH', this.#channel, topics.join(' ')]))
  }

  /** @throws TypeError saying what to install. A server that is away is no error: it is tried again, and rings then */
  async subscribe (topic: string, listener: () => void): Promise<() => Promise<void>> {
    if (this.#closing !== undefined) return async () => {}
    await this.#open()
    const end = this.#topics.add(digestOf(topic), listener)
    this.#listening ??= this.#listen()
    await this.#listening
    return async () => end()
  }

  publish (topic: string): void {
    if (this.#closing === undefined) this.#outbox.add(digestOf(topic))
  }

  async server (): Promise<HintServer> {
    return { kind: 'redis', redis: await this.#open(), prefix: this.#prefix }
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    this.#end.abort()
    this.#topics.clear()
    await this.#listening?.catch(() => {})
    await this.#unlisten?.()
    await this.#outbox.empty()
    if (!isOpened(this.#server)) await (await this.#redis?.catch(() => undefined))?.close()
  }

  async #listen (): Promise<void> {
    if (!await this.#attempt()) this.#again().catch(() => {})
  }

  async #again (): Promise<void> {
    for (let pause = SHORTEST_PAUSE_MS; !this.#end.signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { signal: this.#end.signal })
      if (await this.#attempt()) return this.#topics.ringAll()
    }
  }

  async #attempt (): Promise<boolean> {
    try {
      const unlisten = await (await this.#open()).subscribe(this.#channel, message => this.#hear(message))
      this.#unlisten = unlisten
      if (this.#end.signal.aborted) await unlisten()
      return true
    } catch {
      return false
    }
  }

  #hear (message: string | null): void {
    if (message === null) this.#topics.ringAll()
    else for (const topic of message.split(' ')) this.#topics.ring(topic)
  }

  #open (): Promise<Redis> {
    this.#redis ??= isOpened(this.#server) ? Promise.resolve(this.#server) : openRedis(this.#server)
    return this.#redis
  }
}

function isOpened (server: string | RedisClient | Redis): server is Redis {
  return typeof (server as Partial<Redis>).run === 'function'
}

/** Of any length and with any characters, in 22. */
function digestOf (topic: string): string {
  return createHash('sha256').update(topic).digest('base64url').slice(0, 22)
}
