/** Listening on channels for as long as it is wanted, over one connection after another. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PostgresClient } from '../../drivers/postgres.ts'

export interface ListenerOptions {
  readonly connect: () => Promise<PostgresClient>
  /** All that are to be listened on. */
  readonly channels: () => readonly string[]
  readonly onHint: (channel: string) => void
  /** It listens again: what was said in between is lost. */
  readonly onAnew: () => void
}

/** A server that takes a connection and then says nothing counts as gone after this, ms. */
const TIMEOUT_MS = 5000
/** A connection that was cut without a word is noticed after this and the time-out, ms. */
const PING_MS = 10_000
const SHORTEST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 2000

export class PostgresListener {
  readonly #options: ListenerOptions
  readonly #end = new AbortController()
  #client: PostgresClient | null = null
  /** Gives up the connection. */
  #cut = (): void => {}
  #running: Promise<void> | null = null
  /** Resolves when the first attempt is over, either way. */
  #tried: Promise<void> = Promise.resolve()

  constructor (options: ListenerOptions) {
    this.#options = options
  }

  /** Resolves once the channel is listened on, or later where the server is away. */
  async listen (channel: string): Promise<void> {
    if (this.#running === null) this.#start()
    else if (this.#client !== null) await this.#say(this.#client, listening([channel]))
    await this.ready()
  }

  unlisten (channel: string): void {
    const client = this.#client
    if (client !== null) this.#say(client, `unlisten "${channel}"`).catch(() => {})
  }

  async ready (): Promise<void> {
    await this.#tried
  }

  async close (): Promise<void> {
    this.#end.abort()
    this.#cut()
    await this.#running
  }

  #start (): void {
    let tried = (): void => {}
    this.#tried = new Promise(resolve => { tried = resolve })
    this.#running = this.#keep(tried)
  }

  async #keep (tried: () => void): Promise<void> {
    let pause = SHORTEST_PAUSE_MS
    for (let anew = false; !this.#end.signal.aborted; anew = true) {
      try {
        const client = await this.#connected()
        pause = SHORTEST_PAUSE_MS
        await this.#hold(client, { anew, tried })
      } catch {}
      tried()
      await this.#pause(pause * (0.5 + Math.random() / 2))
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS)
    }
  }

  async #connected (): Promise<PostgresClient> {
    const connecting = this.#options.connect()
    try {
      return await this.#inTime(connecting)
    } catch (error) {
      connecting.then(late => late.release(true), () => {})
      throw error
    }
  }

  /** Until the connection is over, or not wanted any more. */
  async #hold (client: PostgresClient, { anew, tried }: { readonly anew: boolean, readonly tried: () => void }): Promise<void> {
    const over = new Promise<void>(resolve => { this.#cut = resolve })
    client.on('error', this.#cut)
    client.on('end', this.#cut)
    const hear = ({ channel }: { channel: string }): void => this.#options.onHint(channel)
    client.on('notification', hear)
    try {
      this.#client = client
      const channels = this.#options.channels()
      if (channels.length > 0) await this.#inTime(client.query(listening(channels)))
      if (anew) this.#options.onAnew()
      tried()
      await this.#untilOver(client, over)
    } finally {
      this.#client = null
      client.removeListener('notification', hear)
      client.release(true)
    }
  }

  async #untilOver (client: PostgresClient, over: Promise<void>): Promise<void> {
    const ended = over.then(() => true)
    const silent = async (): Promise<boolean> => { await this.#pause(PING_MS); return false }
    while (!await Promise.race([ended, silent()])) await this.#inTime(Promise.race([client.query('select 1'), ended]))
  }

  /** A connection on which something fails is given up: the next one listens on all channels. */
  async #say (client: PostgresClient, text: string): Promise<void> {
    await this.#inTime(client.query(text)).catch(() => { if (client === this.#client) this.#cut() })
  }

  async #inTime<T> (work: Promise<T>): Promise<T> {
    const cancel = new AbortController()
    const late = sleep(TIMEOUT_MS, undefined, { signal: AbortSignal.any([cancel.signal, this.#end.signal]) }).then(() => { throw new Error(`PostgreSQL did not answer within ${TIMEOUT_MS} ms`) })
    try {
      return await Promise.race([work, late])
    } finally {
      cancel.abort()
      late.catch(() => {})
      work.catch(() => {})
    }
  }

  async #pause (ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#end.signal }).catch(() => {})
  }
}

/** One message for all; names of ours need no escape. */
function listening (channels: readonly string[]): string {
  return channels.map(channel => `listen "${channel}"`).join('; ')
}
