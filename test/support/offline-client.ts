/** A client with an outbox, as WIRE describes one: it adopts what results, conflicts and pulls tell it. */
import type { Checkpoint } from '../../schema/checkpoint.ts'
import type { PushResponse } from '../../schema/push-response.ts'
import { pull, push, type Rules, type TestChange } from './rules.ts'

type Document = Record<string, unknown>
type Answer = PushResponse['results'][number]

/** A change that was answered for the first time, whatever the answer was. */
export interface Answered {
  readonly change: TestChange
  readonly result: Answer
  /** The server's time. */
  readonly at: number
}

interface Held { readonly document: Document, readonly sequence: number }
interface Message { id: string, readonly changes: TestChange[], sent: boolean }

/** What survives a restart of the client. */
interface State {
  /** What the server told; the client's own changes lie over it until they are answered. */
  held: Map<string, Held>
  checkpoint: Checkpoint
  epoch: string | undefined
  /** Documents that pages brought since it started from 0; null when it has ended. */
  seen: Set<string> | null
  outbox: Message[]
}

let ids = 0

export class OfflineClient {
  readonly answered: Answered[] = []
  readonly #name: string | null
  /** Takes only from pulls what others made of its changes, as a client that does not know `merged` would. */
  readonly #lazy: boolean
  #state: State = { held: new Map(), checkpoint: { global: 0 }, epoch: undefined, seen: null, outbox: [] }
  #saved = structuredClone(this.#state)

  constructor (name: string | null, { lazy = false } = {}) {
    this.#name = name
    this.#lazy = lazy
  }

  get documents (): Map<string, Document> {
    return new Map([...this.#state.held].map(([id, { document }]) => [id, document]))
  }

  save (): void {
    this.#saved = structuredClone(this.#state)
  }

  /** Goes on from what was saved last: it may repeat what was answered, and has forgotten answers. */
  restart (): void {
    this.#state = structuredClone(this.#saved)
    // Whether it was sent is forgotten too: under its old id it may have been, with less in it.
    for (const message of this.#state.outbox) if (!message.sent) message.id = `o${++ids}`
  }

  /** Edits what it sees; null deletes it. */
  edit (documentId: string, members: Document | null, timestamp: number): void {
    const { held, outbox } = this.#state
    const base = held.get(documentId)?.sequence ?? 0
    const document = members === null ? null : { ...this.#view(documentId), ...members }
    const change = { operation: document === null ? 'delete' : 'update', documentId, document, timestamp, base }
    const open = outbox.at(-1)
    if (open === undefined || open.sent) outbox.push({ id: `o${++ids}`, changes: [change], sent: false })
    else open.changes.push(change)
  }

  #view (documentId: string): Document {
    const own = this.#state.outbox.flatMap(({ changes }) => changes).findLast(change => change.documentId === documentId)
    return (own === undefined ? this.#state.held.get(documentId)?.document : own.document) ?? {}
  }

  /** Sends its oldest message. @param lost the answer does not arrive; @param renamed a retry under a new message id */
  async push (rules: Rules, { lost = false, renamed = false } = {}): Promise<void> {
    const message = this.#state.outbox[0]
    if (message === undefined) return
    if (renamed) message.id = `o${++ids}`
    message.sent = true
    const { checkpoint, epoch } = this.#state
    const answer = await this.#orResync(() => push(rules, { ...message, checkpoint, ...(epoch !== undefined && { epoch }) }, { clientId: this.#name }))
    if (answer === null) return
    for (const result of answer.replayed ? [] : answer.results) this.answered.push({ change: message.changes[result.index]!, result, at: rules.clock.now() })
    if (lost) return
    this.#state.outbox.shift()
    this.#adopt(message.changes, answer)
  }

  #adopt (changes: readonly TestChange[], { results, conflicts, checkpoint, epoch }: PushResponse): void {
    for (const { index, status, sequence, document: made } of results) {
      const { documentId, document = null } = changes[index]!
      if (status === 'applied' && sequence !== undefined) {
        this.#hold(documentId, document, sequence)
        // The checkpoint moves over it, so that no page will bring it.
        if (sequence <= (checkpoint.global ?? 0)) this.#state.seen?.add(documentId)
      }
      if (made !== undefined && !this.#lazy) this.#hold(documentId, made, sequence!)
    }
    for (const { documentId, serverDocument, serverChange } of this.#lazy ? [] : conflicts ?? []) {
      this.#hold(documentId, serverDocument, serverChange?.sequence ?? Infinity)
    }
    this.#move(checkpoint, epoch)
  }

  /** What is not above its checkpoint a page has brought already, or what replaced it: a deletion, for example. */
  #hold (documentId: string, document: Document | null, sequence: number): void {
    const { held, checkpoint } = this.#state
    if (sequence <= (checkpoint.global ?? 0) || sequence < (held.get(documentId)?.sequence ?? 0)) return
    if (document === null) held.delete(documentId)
    else held.set(documentId, { document, sequence })
  }

  #move (checkpoint: Checkpoint, epoch: string): void {
    if ((checkpoint.global ?? 0) < (this.#state.checkpoint.global ?? 0)) return
    this.#state.checkpoint = checkpoint
    this.#state.epoch = epoch
  }

  /** @returns whether there is more */
  async pull (rules: Rules, limit: number): Promise<boolean> {
    const { checkpoint, epoch } = this.#state
    const page = await this.#orResync(() => pull(rules, { limit, checkpoint, ...(epoch !== undefined && { epoch }) }))
    if (page === null) return true
    if (checkpoint.global === 0) this.#state.seen = new Set()
    for (const { documentId, document, sequence } of page.changes['todos'] ?? []) {
      this.#hold(documentId, document, sequence)
      this.#state.seen?.add(documentId)
    }
    this.#move(page.checkpoint, page.epoch)
    if (!page.hasMore) this.#sweep()
    return page.hasMore
  }

  /** What the answer to a push told of and no page brought was deleted before this client could learn of it. */
  #sweep (): void {
    const { seen, held } = this.#state
    if (seen === null) return
    for (const id of held.keys()) if (!seen.has(id)) held.delete(id)
    this.#state.seen = null
  }

  /** Starts over where the server cannot go on from its checkpoint; its own unsent changes survive. */
  async #orResync<T> (ask: () => Promise<T>): Promise<T | null> {
    try {
      return await ask()
    } catch (error) {
      if ((error as { code?: string }).code !== 'resync_required') throw error
      Object.assign(this.#state, { held: new Map(), checkpoint: { global: 0 }, epoch: undefined })
      return null
    }
  }

  /** Sends all it has, and reads all there is. */
  async settle (rules: Rules): Promise<void> {
    while (this.#state.outbox.length > 0) await this.push(rules)
    await this.catchUp(rules)
  }

  async catchUp (rules: Rules): Promise<void> {
    while (await this.pull(rules, 3));
  }
}
