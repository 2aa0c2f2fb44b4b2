/**
 * What a stream says, as bytes of Server-Sent Events (WIRE 6.2): `data` on one line, then `id`. The order matters:
 * a reader that was cut off between the two has the data twice rather than never.
 */
import { MAX_INTEGER } from '../../schema/common.ts'
import { PROTOCOL_VERSION } from '../../schema/version.ts'
import { formatCursor } from './cursor.ts'
import { ChangeLists } from './page.ts'
import type { Ring } from './ring.ts'
import type { LogState } from './validity.ts'

/** How far a stream has come: shared by all streams that are there, never changed. */
export class Place {
  readonly after: number
  readonly epoch: string | undefined
  /** Of a first sync under way: the head when it began. */
  readonly snapshot: number | undefined
  /** Between pages: @see Position */
  readonly head: string | undefined
  /** The digest of the rights it was reached under. */
  readonly scope: string | undefined
  #id: string | undefined
  #ping: Buffer | undefined

  constructor (after: number, epoch: string | undefined, { snapshot, scope, head }: { snapshot?: number | undefined, scope?: string | undefined, head?: string | undefined } = {}) {
    this.after = after
    this.epoch = epoch
    this.snapshot = snapshot
    this.head = head
    this.scope = scope
  }

  /** The cursor as a client sends it back. */
  get id (): string {
    if (this.#id === undefined) {
      this.#id = formatCursor(this)
    }
    return this.#id
  }

  get checkpoint (): string {
    const { after: global, snapshot, scope, head } = this
    return JSON.stringify({ global, snapshot, scope, head })
  }

  get ping (): Buffer {
    this.#ping ??= this.pingWith('')
    return this.#ping
  }

  /** @param members of the data, each after a comma */
  pingWith (members: string): Buffer {
    return Buffer.from(`event: ping\ndata: {"type":"ping","checkpoint":${this.checkpoint}${members}}\nid: ${this.id}\n\n`)
  }
}

/** Says nothing, but moves what a proxy or an idle timer holds back. */
export const NUDGE = Buffer.from(':\n\n')

export interface Hello {
  readonly place: Place
  readonly head: number
  readonly heartbeatMs: number
  readonly maxDurationMs: number
  readonly retryMs: number
  /** @see expiryMember */
  readonly expiry: string
}

/** The member that tells when a credential ends. @param ms Infinity: it does not */
export function expiryMember (ms: number): string {
  return ms === Infinity ? '' : `,"tokenExpiresInMs":${Math.max(0, Math.min(MAX_INTEGER, Math.floor(ms)))}`
}

export function helloFrame ({ place, head, heartbeatMs, maxDurationMs, retryMs, expiry }: Hello): string {
  const data = `{"type":"hello","protocol":${PROTOCOL_VERSION},"epoch":"${place.epoch}","checkpoint":${place.checkpoint}` +
    `,"head":{"global":${head}},"heartbeatMs":${heartbeatMs},"maxDurationMs":${maxDurationMs}${expiry}}`
  return `retry: ${retryMs}\nevent: hello\ndata: ${data}\nid: ${place.id}\n\n`
}

export function resyncFrame (reason: string, place: Place): string {
  const data = `{"type":"resync","reason":"${reason}","checkpoint":${place.checkpoint},"epoch":"${place.epoch}"}`
  return `event: resync\ndata: ${data}\nid: ${place.id}\n\n`
}

export type ByeReason = 'max-duration' | 'token-expired' | 'token-revoked' | 'shutdown' | 'overloaded'

/** @param place null where a stream ends before it has one: the client then keeps what it has */
export function byeFrame (reason: ByeReason, retryMs: number, place: Place | null): Buffer {
  const data = `{"type":"bye","reason":"${reason}","retryMs":${retryMs},"checkpoint":${place?.checkpoint ?? '{}'}}`
  const id = place === null ? '' : `id: ${place.id}\n`
  return Buffer.from(`retry: ${retryMs}\nevent: bye\ndata: ${data}\n${id}\n`)
}

/** A page of changes, as one message for every stream that is at its start. */
export class PageFrame {
  /** The place it leads to. */
  readonly end: Place
  readonly count: number
  /** False: at `end` the reader has everything there was when it was read. */
  readonly hasMore: boolean
  /** The log when it was read. */
  readonly state: LogState
  readonly #changes: string
  #bytes: Buffer | undefined

  constructor (changes: string, facts: Pick<PageFrame, 'end' | 'count' | 'hasMore' | 'state'>) {
    this.#changes = changes
    this.end = facts.end
    this.count = facts.count
    this.hasMore = facts.hasMore
    this.state = facts.state
  }

  /** Made when first asked for: nobody is sent a page without changes but who waits to hear that it is the last. */
  get bytes (): Buffer {
    if (this.#bytes === undefined) {
      const { end, hasMore } = this
      const data = `{"type":"pull-response","id":"${end.after}","changes":${this.#changes},"checkpoint":${end.checkpoint}` +
        `,"hasMore":${hasMore},"epoch":"${end.epoch}"}`
      this.#bytes = Buffer.from(`data: ${data}\nid: ${end.id}\n\n`)
    }
    return this.#bytes
  }

  /** About how much memory it holds. */
  get size (): number {
    return this.#changes.length * 2
  }
}

/** JSON may hold line breaks between its tokens, an SSE line may not. Inside strings they are always escaped. */
export function oneLine (json: string): string {
  return /[\r\n]/.test(json) ? json.replace(/[\r\n]+/g, ' ') : json
}

export interface RingQuery {
  readonly after: number
  /** null = all. */
  readonly collections: ReadonlySet<string> | null
  readonly entries: number
  readonly bytes: number
}

export interface RingPage {
  readonly changes: string
  readonly count: number
  readonly reached: number
}

/** The changes of the ring after a position, in the form of a page: as many as one frame takes. */
export function readRing (ring: Ring, { after, collections, entries, bytes }: RingQuery): RingPage {
  const lists = new ChangeLists()
  let count = 0
  let total = 0
  let reached = after
  for (const change of ring.after(after)) {
    if (collections === null || collections.has(change.collection)) {
      if (count > 0 && (count >= entries || total + change.bytes > bytes)) return { changes: lists.text, count, reached }
      lists.add(change.collection, change.text)
      count++
      total += change.bytes
    }
    reached = change.position
  }
  return { changes: lists.text, count, reached: ring.end }
}
