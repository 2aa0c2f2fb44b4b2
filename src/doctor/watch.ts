/** An open stream, and when what arrived on it. */
import { randomUUID } from 'node:crypto'
import { SseParser } from '../client/sse-parser.ts'
import { ask, type Heard } from './ask.ts'
import { NOBODYS } from './site.ts'
import type { Site } from './site.ts'

export interface Hello {
  readonly heartbeatMs: number
  readonly checkpoint: object
  readonly epoch: string
}

/** Times are ms after the request. */
export interface Watched {
  /** The answer's header, once it is in. */
  readonly head: Heard | null
  /** The whole, once it is over. */
  readonly heard: Heard | null
  readonly hello: Hello | null
  readonly helloMs: number | null
  /** When the comment that the server sends 50 ms later came. */
  readonly nudgeMs: number | null
  readonly pings: readonly number[]
  /** Why the server ended it; null where it did not. */
  readonly bye: string | null
  readonly lastMs: number | null
}

export interface WatchOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** How long it is held once hello is in. Default 0. */
  readonly holdMs?: (hello: Hello) => number
}

export interface Watching {
  /** Hello and what follows it are in, or late. */
  readonly begun: Promise<Watched>
  readonly over: Promise<Watched>
}

/** Clients wait so long for hello (WIRE 8). */
export const HELLO = 5000
/** The nudge comes 50 ms after hello; what takes so much longer is held on the way. */
export const NUDGE = 1000

export function streamPath (query = 'since=now'): string {
  // A URL of its own, so that nothing can join it with another stream.
  return `/sync/stream?collections=${NOBODYS}&${query}&c=${randomUUID()}`
}

export function watch (site: Site, { headers = {}, holdMs = () => 0 }: WatchOptions = {}): Watching {
  const enough = new AbortController()
  const seen = new Sight()
  let resolveBegun = (_watched: Watched): void => {}
  const begun = new Promise<Watched>(resolve => { resolveBegun = resolve })
  let hold: NodeJS.Timeout | undefined
  let patience = setTimeout(() => { enough.abort() }, Math.min(HELLO, site.timeoutMs))
  const begin = (): void => {
    if (hold !== undefined || seen.hello === null) return
    hold = setTimeout(() => { enough.abort() }, Math.max(0, holdMs(seen.hello) - seen.helloMs!))
    resolveBegun(seen.told(null))
  }
  const over = ask(site, {
    path: streamPath(),
    headers: { accept: 'text/event-stream', 'accept-encoding': 'identity', ...headers },
    timeoutMs: Infinity,
    signal: enough.signal,
    onHead (head) { seen.head = head },
    onData (bytes, ms) {
      const isNew = seen.hello === null
      const isWrong = !seen.take(bytes, ms)
      if (isNew && seen.hello !== null) {
        clearTimeout(patience)
        patience = setTimeout(begin, NUDGE)
      }
      if (seen.nudgeMs !== null) begin()
      return isWrong
    }
  }).then(heard => {
    clearTimeout(patience)
    clearTimeout(hold)
    const watched = seen.told(heard)
    resolveBegun(watched)
    return watched
  })
  return { begun, over }
}

/** What has been seen so far. */
class Sight {
  readonly #parser = new SseParser()
  readonly #pings: number[] = []
  #head = ''
  #bye: string | null = null
  #lastMs: number | null = null
  head: Heard | null = null
  hello: Hello | null = null
  helloMs: number | null = null
  nudgeMs: number | null = null

  /** @returns whether it can be a stream */
  take (bytes: Buffer, ms: number): boolean {
    this.#lastMs = ms
    try {
      for (const { event, data } of this.#parser.push(bytes)) {
        if (event === 'hello' && this.hello === null) {
          this.hello = helloOf(data)
          if (this.hello !== null) this.helloMs = ms
        } else if (event === 'ping') this.#pings.push(ms)
        else if (event === 'bye') this.#bye = byeOf(data)
      }
    } catch {
      return false
    }
    if (this.nudgeMs === null) {
      this.#head = (this.#head + bytes.toString('latin1')).slice(-4096)
      if (this.hello !== null && /\n:[^\n]*\n/.test(this.#head)) this.nudgeMs = ms
    }
    return true
  }

  told (heard: Heard | null): Watched {
    return { head: this.head, heard, hello: this.hello, helloMs: this.helloMs, nudgeMs: this.nudgeMs, pings: [...this.#pings], bye: this.#bye, lastMs: this.#lastMs }
  }
}

function parsed (text = ''): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function helloOf (data: string | undefined): Hello | null {
  const { heartbeatMs, checkpoint, epoch } = parsed(data)
  if (typeof heartbeatMs !== 'number' || !(heartbeatMs > 0 && heartbeatMs <= 60_000)) return null
  if (typeof checkpoint !== 'object' || checkpoint === null || typeof epoch !== 'string') return null
  return { heartbeatMs, checkpoint, epoch }
}

const reasons = ['max-duration', 'token-expired', 'token-revoked', 'scope-changed', 'shutdown', 'overloaded']

function byeOf (data: string | undefined): string {
  const { reason } = parsed(data)
  return reasons.find(known => known === reason) ?? 'without a reason that is known'
}
