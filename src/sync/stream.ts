/** One open stream: a cursor and where its bytes go. It holds no changes, so a reader who stalls costs one of these. */
import type { User } from '../access.ts'
import type { StreamClient } from '../config.ts'
import type { Place } from './frames.ts'
import type { Position } from './cursor.ts'
import type { Grant } from './grants.ts'
import type { Scope } from './scopes.ts'
import type { LogState } from './validity.ts'

/** Where the bytes of a stream go: a socket, as the rules see it. */
export interface Sink {
  /** @returns false: write no more before `drained` */
  write (bytes: Uint8Array): boolean
  /** Ends it when everything written is out. */
  end (): void
  /** Ends it now. */
  destroy (): void
  listen (listener: SinkListener): void
}

export interface SinkListener {
  drained (): void
  closed (): void
}

/** What a client asks for. */
export interface StreamRequest {
  readonly since: (Position & { readonly after: number }) | 'now'
  /** Sorted and without repeats; null = all that the reader may see. */
  readonly collections: readonly string[] | null
  /** null where the server runs without authentication. */
  readonly user: User | null
  /** When the credential it came with ends, ms since 1970; Infinity where it does not. */
  readonly expiresAt: number
  readonly clientId: string | null
  /** null where there are no tenants. */
  readonly tenant: string | null
}

export interface StreamFacts {
  readonly id: string
  readonly scope: Scope
  readonly request: StreamRequest
  readonly place: Place | null
  readonly sink: Sink
  readonly connectedAt: number
  /** Sweeps it may live. */
  readonly life: number
  /** Sweeps that its credential lives; Infinity where that does not end. */
  readonly credentialLife: number
}

/** Times are counted in the feed's sweeps, so that a clock that jumps neither ends nor delays a stream. */
export class Stream {
  readonly facts: StreamFacts
  /** Where the next page starts; null for "now", before that is known. */
  place: Place | null
  open = true
  /** Its hello is out, so its place is valid. */
  greeted = false
  /** Still has to hear that it has everything. */
  owed = true
  /** The log went on from elsewhere: only the store can say whether its place is still valid. */
  doubtful = false
  /** The newest head that any of its pages was read at: what was read earlier cannot say "that is all". */
  seenHead = 0
  /** What it may see, in the very turn in which that was answered. */
  grant: Grant | null = null
  queued = false
  /** Waits for a page, or for what it may see. */
  reading = false
  /** The socket takes no more. */
  full = false
  pingDue = false
  life: number
  age = 0
  quiet = 0
  stalled = 0
  bytesSent = 0

  constructor (facts: StreamFacts) {
    this.facts = facts
    this.place = facts.place
    this.life = facts.life
  }

  send (bytes: Uint8Array): void {
    this.bytesSent += bytes.length
    this.quiet = 0
    this.pingDue = false
    if (!this.facts.sink.write(bytes)) this.full = true
  }

  /** @param log as last read; null before the first read */
  describe (log: LogState | null): StreamClient {
    const { id, request, connectedAt, place } = this.facts
    const { user, clientId, collections, tenant } = request
    const cursor = this.place?.id ?? null
    const behind = log === null || this.place === null ? null : Math.max(0, log.head - this.place.after)
    return { id, userId: user?.id ?? null, clientId, tenant, collections, since: place?.id ?? 'now', cursor, behind, connectedAt, bytesSent: this.bytesSent }
  }
}
