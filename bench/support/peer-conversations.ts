/** The same work in the words of the peers: rxdb-server's replication and CouchDB's bulk documents and changes. */
import { requestText, type Response } from './connection.ts'
import type { Conversation } from './conversations.ts'
import { documentText, type Series } from './documents.ts'
import type { PullLoad, PushLoad } from './loads.ts'

export const RXDB_PATH = '/todos/0'
export const POUCH_PATH = '/todos'

export class PeerPush implements Conversation {
  readonly #load: PushLoad
  readonly #documents: Series

  constructor (load: PushLoad, documents: Series) {
    this.#load = load
    this.#documents = documents
  }

  request (): string {
    const now = Date.now()
    const texts = Array.from({ length: this.#load.changes }, () => documentText(this.#documents.next(), 0, now))
    if (this.#load.kind === 'pouch-push') return requestText(`${POUCH_PATH}/_bulk_docs`, `{"docs":[${texts.join(',')}]}`)
    return requestText(`${RXDB_PATH}/push`, `[${texts.map(text => `{"newDocumentState":${text.slice(0, -1)},"_deleted":false}}`).join(',')}]`)
  }

  /** rxdb-server lists conflicts, of which there are none; CouchDB a result per document. */
  take ({ status, start, tail }: Response): number {
    const right = this.#load.kind === 'rxdb-push' ? start === '[]' : start.startsWith('[{"ok":true') && !tail.includes('"error"')
    if (status >= 300 || !right) throw new Error(`a peer's push failed: ${status} ${start}`)
    return this.#load.changes
  }
}

/** First pulls over and over, the next one from the beginning when one has everything. */
export class PeerPull implements Conversation {
  readonly #load: PullLoad
  #query = ''

  constructor (load: PullLoad) {
    this.#load = load
    this.#query = this.#beginning()
  }

  request (): string {
    const { kind, limit } = this.#load
    const path = kind === 'rxdb-pull' ? `${RXDB_PATH}/pull?${this.#query}&limit=${limit}` : `${POUCH_PATH}/_changes?include_docs=true&limit=${limit}&${this.#query}`
    return requestText(path, '', { method: 'GET' })
  }

  take ({ status, start, tail }: Response): number {
    if (status !== 200) throw new Error(`a peer's pull failed: ${status} ${start}`)
    return this.#load.kind === 'rxdb-pull' ? this.#takeRxdb(tail + start) : this.#takePouch(tail)
  }

  #takeRxdb (text: string): number {
    const id = /"checkpoint":\{[^}]*"_?id":"([^"]+)"/.exec(text)?.[1]
    const time = /"checkpoint":\{[^}]*"lwt":([\d.]+)/.exec(text)?.[1]
    const done = id === undefined || this.#query === `id=${id}&lwt=${time}`
    this.#query = done ? this.#beginning() : `id=${id}&lwt=${time}`
    return done ? 0 : this.#load.limit
  }

  #takePouch (tail: string): number {
    const last = Number(/"last_seq":"?(\d+)/.exec(tail)![1])
    const moved = last - Number(this.#query.slice('since='.length))
    this.#query = moved === 0 ? this.#beginning() : `since=${last}`
    return moved
  }

  #beginning (): string {
    return this.#load.kind === 'rxdb-pull' ? 'id=&lwt=0' : 'since=0'
  }
}
