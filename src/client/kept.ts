/**
 * What this client has pushed, kept for a while. A server that was restored from a backup has lost what came after
 * it, and this is where that still is: it is offered again, without `base`, once the replica is up to date. What
 * was not lost the server knows by its identity.
 */
import { SyncProblem } from './problem.ts'
import type { ChangeInput, Checkpoint, KeepOptions, PullInput, PullResponse, PushInput, Result, ResyncReason, StreamEvent } from './types.ts'

/** The newest change of one document that the server took over. */
interface Item {
  readonly collection: string
  readonly change: ChangeInput & { readonly timestamp: number }
  readonly sequence: number
  /** When it was answered, ms. */
  readonly at: number
  /** Characters of its text. */
  readonly size: number
  /** Its number among the answers; 0 from an earlier run. */
  readonly answer: number
  /** The log of now was seen to have it. */
  safe: boolean
}

/** Where a replica was before it asked. */
type From = Pick<PullInput, 'checkpoint' | 'epoch'>

/** Sends changes of one collection. */
type Push = (input: PushInput) => Promise<unknown>

const DEFAULTS = { documents: 10_000, characters: 8 * 2 ** 20, ageMs: 7 * 24 * 60 * 60 * 1000 }
/** No key of a document: those have a slash. */
const DUE = 'due'
/** After these the log may lack what it had; the others say that the log is whole. */
const lossy: ReadonlySet<ResyncReason> = new Set(['epoch-changed', 'checkpoint-ahead'])

export class Kept {
  readonly #options: Required<Omit<KeepOptions, 'store'>> & Pick<KeepOptions, 'store'>
  /** Oldest answer first. */
  readonly #items = new Map<string, Item>()
  #size = 0
  #answers = 0
  #loading: Promise<void> | undefined
  /** What has a higher sequence may be lost; undefined while nothing is to be feared. */
  #lostAfter: number | undefined
  /** The replica is up to date again. */
  #ended = false
  #offering: Promise<boolean> | undefined

  constructor (options: KeepOptions) {
    this.#options = { ...DEFAULTS, ...options }
  }

  /** Number of the newest answer: what was answered later, an answer to a request of now need not know of. */
  get answers (): number {
    return this.#answers
  }

  /** @param changes as they were sent, JSON each */
  async add (collection: string, changes: readonly string[], results: readonly Result[]): Promise<void> {
    await this.#load()
    const answer = ++this.#answers
    const writes = results.map(({ index, status, ...result }) => {
      const { base: _, ...change } = JSON.parse(changes[index]!) as Item['change']
      const key = `${collection}/${change.documentId}`
      const held = this.#items.get(key)
      const repeated = held?.change.timestamp === change.timestamp
      // A deletion of what was gone writes nothing, but is still what this client wanted last.
      const { sequence = repeated ? undefined : held?.sequence } = result
      if ((status === 'applied' || status === 'merged' || status === 'duplicate') && sequence !== undefined) {
        return this.#outlives(held, change, status) ? undefined : this.#put(key, { collection, change, sequence, at: Date.now(), answer })
      }
      // Offered again, it has lost against a newer one, is no longer allowed, or deletes what is not there.
      return repeated ? this.#drop(key) : undefined
    })
    writes.push(...this.#bound())
    await Promise.all(writes)
  }

  /** A repeat, or what an app still had to send, may be older than what is held: that must not be forgotten over it. */
  #outlives (held: Item | undefined, { timestamp }: Item['change'], status: Result['status']): boolean {
    if (held === undefined || held.change.timestamp <= timestamp) return false
    return status === 'duplicate' || (this.#lostAfter !== undefined && held.sequence > this.#lostAfter)
  }

  async resync (reason: ResyncReason): Promise<void> {
    if (!lossy.has(reason)) return
    this.#ended = false
    for (const item of this.#items.values()) item.safe = false
    await this.#suspect(0)
  }

  /** @param before `answers` when it was asked for */
  async sawPage (from: From, page: PullResponse, before: number): Promise<void> {
    await this.#sawEpoch(from, page.epoch)
    for (const [collection, changes] of Object.entries(page.changes)) {
      for (const { documentId, sequence, timestamp } of changes) {
        const item = this.#items.get(`${collection}/${documentId}`)
        if (item?.sequence === sequence && item.change.timestamp === timestamp) item.safe = true
      }
    }
    if (!page.hasMore) await this.#sawHead(page.checkpoint.global, before)
  }

  /** @param from where the stream was before the event @param before `answers` then */
  async sawEvent (event: StreamEvent, from: From, before: number): Promise<void> {
    if (event.type === 'resync') await this.resync(event.reason)
    // While a connection lasts nobody replaces the log behind it: what was answered meanwhile comes with later frames.
    else if (event.type === 'pull-response') await this.sawPage(from, event, -1)
    else if (event.type === 'hello') {
      const { head, checkpoint, epoch } = event
      await this.#sawEpoch(from, epoch)
      if ((checkpoint.global ?? 0) >= (head.global ?? 0)) await this.#sawHead(head.global, before)
    } else if (event.type === 'ping') this.#ended = true
  }

  /**
   * Offers again what may be lost, if a resync has ended. What fails for now is tried with the next call.
   * @returns whether anything was offered
   */
  async settle (push: Push): Promise<boolean> {
    await this.#load()
    if (this.#lostAfter === undefined || !this.#ended) return false
    this.#offering ??= this.#offer(push).finally(() => { this.#offering = undefined })
    return await this.#offering
  }

  async #offer (push: Push): Promise<boolean> {
    const lostAfter = this.#lostAfter!
    const lost = new Map<string, ChangeInput[]>()
    for (const { collection, change, sequence, safe } of this.#items.values()) {
      if (sequence <= lostAfter || safe) continue
      const changes = lost.get(collection)
      if (changes === undefined) lost.set(collection, [change])
      else changes.push(change)
    }
    for (const [collection, changes] of lost) {
      try {
        await push({ collection, changes })
      } catch (error) {
        // A refusal would come every time; everything else may pass.
        if (!(error instanceof SyncProblem) || error.retryable || error.status === 401) return false
      }
    }
    this.#lostAfter = undefined
    this.#ended = false
    await this.#write('delete', DUE)
    return lost.size > 0
  }

  /** The log has begun another stretch: what it answered beyond the checkpoint of before may have been cut off there. */
  async #sawEpoch ({ checkpoint, epoch }: From, now: string | undefined): Promise<void> {
    if (epoch !== undefined && now !== undefined && epoch !== now) await this.#suspect(checkpoint?.global ?? 0)
  }

  /** A log that ends before what it answered has lost that. */
  async #sawHead (head: Checkpoint['global'] = 0, before: number): Promise<void> {
    for (const { sequence, answer } of this.#items.values()) {
      if (sequence <= head || answer > before) continue
      await this.#suspect(head)
      break
    }
    this.#ended = true
  }

  async #suspect (after: number): Promise<void> {
    await this.#load()
    if (this.#items.size === 0 || after >= (this.#lostAfter ?? Infinity)) return
    if (this.#lostAfter === undefined) this.#ended = false
    this.#lostAfter = after
    await this.#write('set', DUE, String(after))
  }

  #load (): Promise<void> {
    this.#loading ??= this.#read()
    return this.#loading
  }

  async #read (): Promise<void> {
    try {
      const found = [...await this.#options.store?.entries() ?? []]
      const due = found.find(([key]) => key === DUE)
      if (due !== undefined) this.#lostAfter = Number(due[1])
      const items = found.filter(([key]) => key !== DUE).map(([key, text]) => [key, JSON.parse(text) as Item] as const)
      for (const [key, item] of items.sort(([, a], [, b]) => a.at - b.at)) this.#hold(key, { ...item, answer: 0, size: JSON.stringify(item).length, safe: false })
    } catch {
      // What cannot be read is not offered again: no reason to keep the app from syncing.
    }
  }

  #put (key: string, item: Omit<Item, 'size' | 'safe'>): Promise<void> {
    const { answer: _, ...kept } = item
    const text = JSON.stringify(kept)
    this.#hold(key, { ...item, size: text.length, safe: false })
    return this.#write('set', key, text)
  }

  #hold (key: string, item: Item): void {
    this.#forget(key)
    this.#items.set(key, item)
    this.#size += item.size
  }

  #drop (key: string): Promise<void> {
    this.#forget(key)
    return this.#write('delete', key)
  }

  #forget (key: string): void {
    this.#size -= this.#items.get(key)?.size ?? 0
    this.#items.delete(key)
  }

  /** Drops the oldest until what is left is within the bounds. */
  #bound (): Array<Promise<void>> {
    const { documents, characters, ageMs } = this.#options
    const oldest = Date.now() - ageMs
    const dropped: Array<Promise<void>> = []
    for (const [key, { at }] of this.#items) {
      if (this.#items.size <= documents && this.#size <= characters && at >= oldest) break
      dropped.push(this.#drop(key))
    }
    return dropped
  }

  async #write (what: 'set' | 'delete', key: string, text = ''): Promise<void> {
    try {
      await (what === 'set' ? this.#options.store?.set(key, text) : this.#options.store?.delete(key))
    } catch {
      // The push took effect: that this could not be kept must not make it look failed.
    }
  }
}
