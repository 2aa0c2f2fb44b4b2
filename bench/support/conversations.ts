/** What one client says, request by request, to this server. */
import { randomUUID } from 'node:crypto'
import { requestText, type Response } from './connection.ts'
import { documentText, Series } from './documents.ts'
import type { PullLoad, PushLoad } from './loads.ts'

export interface Conversation {
  request (): string
  /** @returns how many documents (requests, where there are none) the answer stands for @throws when it is not what was asked for */
  take (response: Response): number
  /** Goes on, in another slice. */
  resume? (load: PushLoad): void
}

/** Batches that a connection inserts before it begins to update them in turn. */
const BATCHES = 20

interface Batch {
  readonly ids: readonly string[]
  /** Sequence of the first of them; the others follow it. */
  first: number
  version: number
}

/** The sequence of an answer's first result. */
const sequenceIn = /"results":\[\{"index":0,[^}]*"sequence":(\d+)/

export class Push implements Conversation {
  #load: PushLoad
  readonly #messages: Pick<Series, 'next'>
  readonly #documents: Series
  readonly #client: string
  readonly #batches: Batch[] = []
  #turn = 0
  #batch: Batch = { ids: [], first: 0, version: 0 }

  /** @param ids of documents and messages, shared by the connections, so that they grow over all of them as those of the client library do */
  constructor (load: PushLoad, ids: { documents: Series, messages: Series }, number: number) {
    this.#load = load
    this.#documents = ids.documents
    this.#messages = load.randomIds === true ? { next: randomUUID } : ids.messages
    this.#client = `client-${Date.now().toString(36)}-${number}`
  }

  request (): string {
    const batch = this.#batch = this.#nextBatch()
    const now = Date.now()
    let changes = ''
    for (const [index, id] of batch.ids.entries()) {
      const base = batch.first === 0 ? '' : `,"base":${batch.first + index}`
      changes += `${index === 0 ? '' : ','}{"operation":"${batch.first === 0 ? 'insert' : 'update'}","documentId":"${id}","document":${documentText(id, batch.version, now)},"timestamp":${now}${base}}`
    }
    const { kind, checkpoint = { global: 0 }, epoch, token } = this.#load
    const inEpoch = epoch === undefined ? '' : `,"epoch":"${epoch}"`
    return requestText(kind === 'push' ? '/sync/push' : '/', `{"type":"push","id":"${this.#messages.next()}","timestamp":${now},"clientId":"${this.#client}","collection":"todos","changes":[${changes}],"checkpoint":${JSON.stringify(checkpoint)}${inEpoch}}`, { token })
  }

  take ({ status, start }: Response): number {
    const { kind, changes } = this.#load
    if (kind === 'echo') {
      if (status !== 200) throw new Error(`an echo failed: ${status} ${start}`)
      return changes
    }
    if (status !== 200 || !start.includes('"success":true')) throw new Error(`a push failed: ${status} ${start}`)
    this.#batch.first = Number(sequenceIn.exec(start)![1])
    this.#batch.version++
    return changes
  }

  resume (load: PushLoad): void {
    this.#load = load
  }

  #nextBatch (): Batch {
    const { updates = false, changes } = this.#load
    if (updates && this.#batches.length >= BATCHES) return this.#batches[this.#turn++ % BATCHES]!
    const batch = { ids: Array.from({ length: changes }, () => this.#documents.next()), first: 0, version: 0 }
    if (updates) this.#batches.push(batch)
    return batch
  }
}

const pageIn = /"checkpoint":(\{"global":(\d+)[^}]*\}),"hasMore":(true|false),"epoch":"([a-z0-9]+)"/

export class Pull implements Conversation {
  /** Whole pulls of all conversations: pages that are cut alike come again only when no cache can still hold them. */
  static #begun = 0
  readonly #load: PullLoad
  readonly #messages = new Series()
  #position: { global: number, checkpoint: string, epoch: string | undefined }
  #limit: number

  constructor (load: PullLoad) {
    this.#load = load
    this.#limit = load.limit
    this.#position = this.#beginning()
  }

  request (): string {
    const { kind, token } = this.#load
    const limit = this.#limit
    const { checkpoint, epoch } = this.#position
    const inEpoch = epoch === undefined ? '' : `,"epoch":"${epoch}"`
    return requestText(kind === 'pull' ? '/sync/pull' : '/', `{"type":"pull","id":"${this.#messages.next()}","timestamp":${Date.now()},"collections":["todos"],"checkpoint":${checkpoint},"limit":${limit}${inEpoch}}`, { token })
  }

  take ({ status, start, tail }: Response): number {
    const { kind, follow, limit, expect, whole = false } = this.#load
    if (status !== 200) throw new Error(`a pull failed: ${status} ${start}`)
    if (kind === 'page') return limit
    if (kind === 'echo-pull') return 1
    const [, checkpoint, global, hasMore, epoch] = pageIn.exec(tail)!
    const moved = Number(global) - this.#position.global
    if (expect !== undefined && moved !== expect) throw new Error(`a pull moved by ${moved}, not ${expect}`)
    if (follow) this.#position = hasMore === 'true' ? { global: Number(global), checkpoint: checkpoint!, epoch } : this.#beginning()
    if (whole) return Number(hasMore === 'false')
    // Where documents were edited often, positions move by more than the page holds.
    return follow ? Math.min(moved, limit) : 1
  }

  #beginning (): { global: number, checkpoint: string, epoch: string | undefined } {
    const { checkpoint, epoch, limit, apart = false } = this.#load
    this.#limit = apart ? limit - Pull.#begun++ % Math.ceil(limit / 2) : limit
    return { global: checkpoint.global, checkpoint: JSON.stringify(checkpoint), epoch }
  }
}
