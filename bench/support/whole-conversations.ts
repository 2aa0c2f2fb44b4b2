/**
 * What a client says that reads everything there is, once. The log holds one entry per document, so where each page
 * ends is known and no answer need be unpacked or parsed: what is measured is the server.
 */
import { requestText, type Response } from './connection.ts'
import type { Conversation } from './conversations.ts'
import { RXDB_PATH } from './peer-conversations.ts'
import type { WholeLoad } from './loads.ts'

/** Reads page by page, by POST /sync/pull or GET /sync/changes. */
export class Pages implements Conversation {
  readonly #load: WholeLoad
  #position = 0

  constructor (load: WholeLoad) {
    this.#load = load
  }

  request (): string {
    const { kind, limit, epoch, snapshot, coding } = this.#load
    if (kind === 'changes') {
      const since = this.#position === 0 ? '0' : `${this.#position}~e${epoch}~s${snapshot}`
      return requestText(`/sync/changes?collections=todos&limit=${limit}&since=${since}`, '', { method: 'GET', coding })
    }
    return requestText('/sync/pull', `{"type":"pull","id":"m","timestamp":${Date.now()},"collections":["todos"],"checkpoint":{"global":${this.#position}},"limit":${limit},"epoch":"${epoch}"}`, { coding })
  }

  /** @returns 1 with the last page */
  take ({ status, start, tail, coding }: Response): number {
    const { documents, limit, coding: asked } = this.#load
    this.#position = Math.min(this.#position + limit, documents)
    const last = this.#position === documents
    if (status !== 200 || coding !== asked) throw new Error(`a page failed: ${status} ${coding} ${start}`)
    if (asked === undefined && !tail.includes(`"checkpoint":{"global":${this.#position}`)) throw new Error(`a page does not end at ${this.#position}: ${tail}`)
    return Number(last)
  }
}

/** Reads everything in one answer. */
export class Snapshot implements Conversation {
  readonly #load: WholeLoad

  constructor (load: WholeLoad) {
    this.#load = load
  }

  request (): string {
    return requestText('/sync/snapshot?collections=todos', '', { method: 'GET', coding: this.#load.coding })
  }

  take ({ status, start, tail, coding, bytes }: Response): number {
    const { documents, coding: asked } = this.#load
    if (status !== 200 || coding !== asked) throw new Error(`a snapshot failed: ${status} ${coding} ${start}`)
    // A packed document takes a tenth of a plain one.
    if (bytes < documents * (asked === undefined ? 200 : 10)) throw new Error(`a snapshot of ${documents} documents has ${bytes} bytes`)
    if (asked === undefined && !(tail.split('\n').at(-2) ?? '').includes('"checkpoint"')) throw new Error(`a snapshot was cut short: ${tail}`)
    return 1
  }
}

/** Pages of rxdb-server until one is not full. */
export class RxdbPages implements Conversation {
  readonly #load: WholeLoad
  #query = 'id=&lwt=0'

  constructor (load: WholeLoad) {
    this.#load = load
  }

  request (): string {
    return requestText(`${RXDB_PATH}/pull?${this.#query}&limit=${this.#load.limit}`, '', { method: 'GET' })
  }

  take ({ status, start, tail }: Response): number {
    const text = tail + start
    const id = /"checkpoint":\{[^}]*"_?id":"([^"]+)"/.exec(text)?.[1]
    const time = /"checkpoint":\{[^}]*"lwt":([\d.]+)/.exec(text)?.[1]
    const next = `id=${id}&lwt=${time}`
    if (status !== 200) throw new Error(`a page of rxdb-server failed: ${status} ${start}`)
    const last = id === undefined || next === this.#query
    this.#query = next
    return Number(last)
  }
}
