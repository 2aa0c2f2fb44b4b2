/** Listening on one channel for as long as it is wanted, over one connection after another. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Link, Listener } from './link.ts'

interface Parts {
  readonly link: Link
  readonly channel: string
  readonly heard: (message: string | null) => void
  readonly timeoutMs: number
}

/** A connection that was cut without a word is noticed after this and the time-out. */
const PING_MS = 10_000
const LONGEST_PAUSE_MS = 2000

export class Subscription {
  readonly #parts: Parts
  readonly #end = new AbortController()
  #listener: Listener | null = null
  #running: Promise<void> = Promise.resolve()

  constructor (parts: Parts) {
    this.#parts = parts
  }

  /** @throws the error of the first attempt */
  async begin (): Promise<void> {
    this.#running = this.#keep(await this.#attempt())
  }

  async close (): Promise<void> {
    this.#end.abort()
    this.#listener?.end()
    await this.#running
  }

  async #attempt (): Promise<Listener> {
    const { link, channel, heard, timeoutMs } = this.#parts
    const attempt = link.listen(channel, message => { if (!this.#end.signal.aborted) heard(message) })
    let listener: Listener
    try {
      listener = await within(attempt, timeoutMs)
    } catch (error) {
      attempt.then(late => { late.end() }, () => {})
      throw error
    }
    this.#listener = listener
    if (this.#end.signal.aborted) listener.end()
    return listener
  }

  async #keep (first: Listener): Promise<void> {
    for (let listener: Listener | null = first; listener !== null; listener = await this.#again()) {
      await this.#untilOver(listener)
    }
  }

  async #untilOver ({ over, ping, end }: Listener): Promise<void> {
    const pinging = setInterval(() => { within(ping(), this.#parts.timeoutMs).catch(end) }, PING_MS)
    if (!over.aborted) await once(over, 'abort')
    clearInterval(pinging)
  }

  /** @returns null when it is not wanted any more */
  async #again (): Promise<Listener | null> {
    for (let pause = 20; !this.#end.signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      await this.#pause(pause * (0.5 + Math.random() / 2))
      if (this.#end.signal.aborted) break
      try {
        const listener = await this.#attempt()
        if (!this.#end.signal.aborted) this.#parts.heard(null)
        return listener
      } catch {}
    }
    return null
  }

  async #pause (ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#end.signal }).catch(() => {})
  }
}

async function within<T> (promise: Promise<T>, ms: number): Promise<T> {
  const cancel = new AbortController()
  const late = sleep(ms, undefined, { signal: cancel.signal }).then(() => { throw new Error(`Redis did not answer within ${ms} ms`) })
  try {
    return await Promise.race([promise, late])
  } finally {
    cancel.abort()
    late.catch(() => {})
  }
}
