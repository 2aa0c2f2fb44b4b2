/** A feed over the rules in memory, and streams whose every byte a test sees. */
import { setImmediate as turn } from 'node:timers/promises'
import { resolveAccess, type AccessOptions } from '../../src/access.ts'
import type { ChangeStore } from '../../src/changelog/changelog.ts'
import { defaultLimits, type Limits } from '../../src/config.ts'
import { parseCursor } from '../../src/sync/cursor.ts'
import { Crowd } from '../../src/sync/crowd.ts'
import { LiveFeed, type FeedOptions } from '../../src/sync/feed.ts'
import type { Sink, SinkListener, StreamRequest } from '../../src/sync/stream.ts'
import { apply, openRules, type Rules, type TestPage } from './rules.ts'
import { SseParser, type SseFrame } from './sse-client.ts'

/** A socket that takes everything until it is stalled. */
export class TestSink implements Sink {
  readonly chunks: Uint8Array[] = []
  readonly frames: SseFrame[] = []
  readonly #parser = new SseParser()
  #listener: SinkListener | undefined
  /** Takes no more: each write is the last before a drain. */
  stalled = false
  /** Writes after one was answered with false. */
  impatient = 0
  #full = false
  ended = false
  destroyed = false

  write (bytes: Uint8Array): boolean {
    if (this.#full) this.impatient++
    this.chunks.push(bytes)
    this.frames.push(...this.#parser.push(bytes))
    this.#full = this.stalled
    return !this.#full
  }

  end (): void {
    this.ended = true
    queueMicrotask(() => this.#listener?.closed())
  }

  destroy (): void {
    this.destroyed = true
    queueMicrotask(() => this.#listener?.closed())
  }

  listen (listener: SinkListener): void {
    this.#listener = listener
  }

  /** The peer reads again. */
  drain (): void {
    this.stalled = this.#full = false
    this.#listener?.drained()
  }

  /** The peer is gone. */
  cut (): void {
    this.destroyed = true
    this.#listener?.closed()
  }

  get bytes (): Buffer {
    return Buffer.concat(this.chunks)
  }

  get comments (): number {
    return this.#parser.comments
  }

  named (event: string): SseFrame[] {
    return this.frames.filter(frame => frame.event === event)
  }

  get pages (): TestPage[] {
    return this.named('message').map(frame => JSON.parse(frame.data) as TestPage)
  }

  get sequences (): number[] {
    return this.pages.flatMap(page => Object.values(page.changes).flat().map(change => change.sequence).sort((a, b) => a - b))
  }

  get lastId (): string | undefined {
    return this.frames.findLast(frame => frame.id !== undefined)?.id
  }
}

export interface TestFeed {
  readonly rules: Rules
  readonly feed: LiveFeed
  readonly errors: unknown[]
  connect (request?: Partial<Omit<StreamRequest, 'since'>> & { since?: string }, sink?: TestSink): TestSink
  /** Lets everything happen that is due within so many ms. */
  settle (ms?: number): Promise<void>
  close (): Promise<void>
}

export interface TestFeedOptions extends Partial<Omit<FeedOptions, 'limits' | 'store' | 'rules' | 'views' | 'clock' | 'bell'>> {
  readonly limits?: Partial<Limits>
  readonly access?: AccessOptions
  /** Wraps the store that the feed reads. */
  readonly reading?: (store: ChangeStore) => ChangeStore
}

export async function openFeed ({ limits: given = {}, access = {}, reading = store => store, ...options }: TestFeedOptions = {}): Promise<TestFeed> {
  const limits = { ...defaultLimits, ...given }
  const rules = await openRules({ limits, ...access })
  const errors: unknown[] = []
  const { clock, bell, views } = rules
  const feed = new LiveFeed({
    bell, clock, limits, rules: resolveAccess(access), views, heartbeatInterval: 15_000, clientTimeout: 30_000, random: () => 0.5, crowd: new Crowd('n'), onError: error => errors.push(error), ...options, store: reading(rules.store)
  })

  const settle = async (ms = 40): Promise<void> => {
    for (let passed = 0; passed <= ms; passed += 10) {
      for (let i = 0; i < 4; i++) await turn()
      clock.advance(10)
    }
    await turn()
  }
  return {
    rules,
    feed,
    errors,
    connect ({ since = 'now', ...request } = {}, sink = new TestSink()) {
      const position = since === 'now' ? since : parseCursor(since) as StreamRequest['since']
      feed.connect({ since: position, collections: null, user: null, expiresAt: Infinity, clientId: null, tenant: null, ...request }, sink)
      return sink
    },
    settle,
    async close () {
      const closed = feed.close({ drainMs: 0 })
      await settle()
      await closed
      await rules.close()
    }
  }
}

/** A replica that follows a stream, with what promise 5 asks of it. */
export class TestReplica {
  readonly documents = new Map<string, string>()
  lastId = '0'
  reached = 0
  live = false
  faults: string[] = []

  take (frames: readonly SseFrame[]): void {
    for (const frame of frames) {
      if (frame.event === 'resync') this.faults.push(frame.data)
      if (frame.event === 'message') this.#page(JSON.parse(frame.data) as TestPage)
      if (frame.id === undefined) continue
      const { after } = parseCursor(frame.id)
      if ((after as number) < this.reached) this.faults.push(`back from ${this.reached} to ${frame.id}`)
      this.reached = after as number
      this.lastId = frame.id
    }
  }

  #page (page: TestPage): void {
    for (const list of Object.values(page.changes)) {
      let last = this.reached
      for (const { sequence } of list) {
        if (sequence <= last || sequence > page.checkpoint.global!) this.faults.push(`${sequence} after ${last} in a page up to ${page.checkpoint.global!}`)
        last = sequence
      }
    }
    apply(this.documents, page.changes)
    this.live = !page.hasMore
  }
}

/** The frames of a connection that was cut after so many of its bytes. */
export function framesOf (bytes: Uint8Array): SseFrame[] {
  return new SseParser().push(bytes)
}

/** The store with reads of one's own. */
export function wrapped (store: ChangeStore, read: ChangeStore['read']): ChangeStore {
  return new Proxy(store, {
    get (target, name) {
      if (name === 'read') return read
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) as unknown : value
    }
  })
}
