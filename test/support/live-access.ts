/** Streams under rules of access: replicas that follow them, and a watch over every frame as it is written. */
import { parseCursor } from '../../src/sync/cursor.ts'
import type { AccessModel } from './access-model.ts'
import { framesOf, TestSink, type TestFeed } from './feed.ts'
import type { TestPage } from './rules.ts'
import type { SseFrame } from './sse-client.ts'

/** What a user could see at some moment since everything was last quiet: streams may be that late, and no later. */
export class Watch {
  readonly #model: AccessModel
  readonly #since = new Map<string, Set<string>>()

  constructor (model: AccessModel) {
    this.#model = model
  }

  /** Something is about to change, or has changed. */
  note (users: Iterable<string>): void {
    for (const user of users) {
      const seen = this.#since.get(user) ?? new Set()
      for (const one of this.#model.visible(user)) seen.add(one)
      this.#since.set(user, seen)
    }
  }

  /** Everything that was due has happened. */
  quiet (users: Iterable<string>): void {
    this.#since.clear()
    this.note(users)
  }

  /** @throws Error when a page shows what the user may not see, or tells of what the user could never know */
  look (user: string, page: TestPage): void {
    for (const { operation, documentId, document, timestamp } of page.changes['todos'] ?? []) {
      if (!this.#model.couldSee(user, documentId)) throw new Error(`${user} is told of ${documentId}`)
      if (!this.#model.mayKnow(user, timestamp)) throw new Error(`${user} is told when others changed ${documentId}`)
      if (operation !== 'delete' && !this.#since.get(user)!.has(JSON.stringify([documentId, document!['n']]))) throw new Error(`${user} is shown ${JSON.stringify(document)}`)
    }
  }
}

class WatchedSink extends TestSink {
  readonly #look: (page: TestPage) => void
  #seen = 0

  constructor (look: (page: TestPage) => void) {
    super()
    this.#look = look
  }

  override write (bytes: Uint8Array): boolean {
    const more = super.write(bytes)
    for (; this.#seen < this.frames.length; this.#seen++) {
      const { event, data } = this.frames[this.#seen]!
      if (event === 'message') this.#look(JSON.parse(data) as TestPage)
    }
    return more
  }
}

/** A client as WIRE describes one. Documents by id, as their number `n`. */
export class Follower {
  readonly user: string
  readonly documents = new Map<string, number>()
  readonly resyncs: string[] = []
  readonly byes: string[] = []
  readonly faults: unknown[] = []
  sink: WatchedSink
  live = false
  readonly #feed: TestFeed
  readonly #watch: Watch
  #lastId = '0'
  #reached = 0
  #marked: Set<string> | null = null

  constructor (feed: TestFeed, user: string, watch: Watch) {
    this.#feed = feed
    this.user = user
    this.#watch = watch
    this.sink = this.#connect(Infinity)
  }

  #connect (lifetime: number): WatchedSink {
    const { user } = this
    const look = (page: TestPage): void => {
      try {
        this.#watch.look(user, page)
      } catch (error) {
        this.faults.push(error)
      }
    }
    const sink = new WatchedSink(look)
    this.#feed.connect({ since: this.#lastId, user: { id: user, userId: user }, expiresAt: this.#feed.rules.clock.now() + lifetime }, sink)
    return sink
  }

  /** The connection ends after that share of its bytes; the next begins where that got to. @param lifetime of its credential, ms */
  cut (share = 1, lifetime = Infinity): void {
    this.take(share)
    this.sink.cut()
    this.sink = this.#connect(lifetime)
  }

  take (share = 1): void {
    const { bytes } = this.sink
    for (const frame of framesOf(bytes.subarray(0, Math.round(share * bytes.length)))) this.#frame(frame)
  }

  #frame ({ event, data, id }: SseFrame): void {
    const message = JSON.parse(data) as TestPage & { reason: string }
    if (event === 'resync') this.#startOver(message.reason)
    if (event === 'bye') this.byes.push(message.reason)
    if (event === 'message') this.#page(message)
    if (id === undefined) return
    const { after, scope } = parseCursor(id)
    if ((after as number) < this.#reached) this.faults.push(`back from ${this.#reached} to ${id}`)
    if (scope !== message.checkpoint.scope) this.faults.push(`${id} beside ${data}`)
    this.#reached = after as number
    this.#lastId = id
  }

  #startOver (reason: string): void {
    this.resyncs.push(reason)
    this.#marked = new Set(this.documents.keys())
    this.#reached = 0
  }

  #page ({ changes, checkpoint, hasMore }: TestPage): void {
    let last = this.#reached
    for (const { operation, documentId, document, sequence } of changes['todos'] ?? []) {
      if (sequence <= last || sequence > checkpoint.global!) this.faults.push(`${sequence} after ${last} in a page up to ${checkpoint.global!}`)
      last = sequence
      this.#marked?.delete(documentId)
      if (operation === 'delete') this.documents.delete(documentId)
      else this.documents.set(documentId, document!['n'] as number)
    }
    this.live = !hasMore
    if (hasMore) return
    for (const id of this.#marked ?? []) this.documents.delete(id)
    this.#marked = null
  }

  get held (): string[] {
    return [...this.documents].map(one => JSON.stringify(one)).sort()
  }
}
