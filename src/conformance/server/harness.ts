/** What the promises of a server are checked with: who speaks to it, and what they say. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { openEntrance, type Ask, type Entrance } from './entrance.ts'
import { EventReader, changesOf, type SeenChange } from './events.ts'
import { within } from './time.ts'

export interface SuiteUser {
  /** Sent as `Authorization: Bearer …`. Lives as long as the suite runs. */
  readonly token: string
  /** Members of a document that this user may write and the other may not read. Absent: there is no such thing. */
  readonly owns?: Readonly<Record<string, unknown>>
}

export interface ServerSuiteOptions {
  /** Registers a test with the runner, e.g. `test` of node:test or `(title, run) => t.test(title, run)` of tap. They may run one after the other only. */
  readonly test: (title: string, run: () => Promise<void>) => unknown
  /** Of the server, as its clients see it: through whatever lies between. */
  readonly baseUrl: string
  /** Two users of the server. Absent: it asks nobody who they are. */
  readonly users?: readonly [SuiteUser, SuiteUser]
  /** A collection that both users may read and write. The suite leaves documents there. Default `conformance`. */
  readonly collection?: string
  /** One that everybody may read without credentials and the first user may write. Absent: there is none. */
  readonly publicCollection?: string
  /** PEM of who signed the entrance's certificate. Default: those that Node knows. */
  readonly ca?: string
}

export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
  /** Undefined where the body is no JSON. */
  readonly json: any
}

/** GET /sync/info. */
export interface Info {
  readonly features: readonly string[]
  readonly limits: Readonly<Record<string, number>>
}

export interface Scene {
  readonly info: Info
  readonly http2: boolean
  readonly alice: Speaker
  readonly bob: Speaker
  /** Shows no credential. */
  readonly nobody: Speaker
  readonly users: ServerSuiteOptions['users']
  readonly collection: string
  /** Undefined where there is none. */
  readonly publicCollection: string | undefined
}

/** What a promise depends on. */
export interface Ground {
  readonly info: Info
  readonly http2: boolean
  readonly options: ServerSuiteOptions
}

/** A promise of the server and the test that holds it; each runs over connections of its own. */
export interface Promised {
  readonly title: string
  readonly run: (scene: Scene) => Promise<unknown>
  /** Whether the promise is given here; absent = everywhere. */
  readonly given?: (ground: Ground) => boolean
}

export function promise (title: string, run: Promised['run']): Promised {
  return { title, run }
}

export function where (given: (ground: Ground) => boolean, promises: readonly Promised[]): Promised[] {
  return promises.map(promise => ({ ...promise, given }))
}

export interface NewChange {
  readonly documentId: string
  readonly operation?: 'insert' | 'update' | 'delete'
  readonly document?: Readonly<Record<string, unknown>> | null
  readonly base?: number
}

/** An id that nobody has used. */
export function fresh (prefix: string): string {
  return `${prefix}-${randomBytes(9).toString('hex')}`
}

/** As many new documents. */
export function put (count: number, members: object = {}): NewChange[] {
  return Array.from({ length: count }, () => ({ documentId: fresh('doc'), document: { ...members } }))
}

const KEEPS = { 'content-type': 'application/json' }

/** Somebody who speaks to the server, with their credential if they have one. */
export class Speaker {
  readonly entrance: Entrance
  readonly collection: string
  readonly #credential: Readonly<Record<string, string>>
  readonly #readers: EventReader[] = []

  constructor (entrance: Entrance, collection: string, token: string | undefined) {
    this.entrance = entrance
    this.collection = collection
    this.#credential = token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  async ask (ask: Ask): Promise<Answer> {
    const { status, headers, body } = await this.entrance.open({ ...ask, headers: { ...this.#credential, ...ask.headers } })
    const chunks: Buffer[] = []
    for await (const chunk of body) chunks.push(chunk as Buffer)
    const text = decoded(Buffer.concat(chunks), headers.get('content-encoding'))
    return { status, headers, text, json: /json/.test(headers.get('content-type') ?? '') && /^[{[]/.test(text) ? parsed(text) : undefined }
  }

  post (path: string, message: object, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.ask({ path, headers: { ...KEEPS, ...headers }, body: Buffer.from(JSON.stringify(message)) })
  }

  /** @returns the answer's message. @throws when any change was not stored */
  async push (changes: readonly NewChange[], collection = this.collection): Promise<any> {
    const { status, text, json } = await this.post('/sync/push', pushOf(collection, changes))
    assert.equal(status, 200, text)
    assert.equal(json?.success, true, text)
    return json
  }

  /** @returns the page. */
  async pull (members: object = {}): Promise<any> {
    const { status, text, json } = await this.post('/sync/pull', { ...this.#pull(), ...members })
    assert.equal(status, 200, text)
    assert.equal(json?.type, 'pull-response', text)
    return json
  }

  /** Where the log ends now. */
  async head (): Promise<{ checkpoint: { global: number }, epoch: string }> {
    const page = await this.pull({ limit: 1 })
    const reader = await this.stream({ collections: this.collection })
    const { data } = await reader.next('hello')
    reader.close()
    return { checkpoint: data.head, epoch: page.epoch }
  }

  /** Pages from a checkpoint on until there are no more. */
  async pullAll (members: object = {}): Promise<SeenChange[]> {
    const seen: SeenChange[] = []
    for (let more = true, checkpoint = {}; more;) {
      const page = await this.pull({ ...members, ...checkpoint })
      seen.push(...changesOf(page))
      checkpoint = { checkpoint: page.checkpoint, epoch: page.epoch }
      more = page.hasMore
    }
    return seen
  }

  /** An open stream; it ends with the test. */
  async stream (query: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): Promise<EventReader> {
    const path = `/sync/stream?${new URLSearchParams({ collections: this.collection, c: fresh('c'), ...query })}`
    const opened = await within(5000, 'no stream began', () => this.entrance.open({ path, headers: { accept: 'text/event-stream', ...this.#credential, ...headers } }))
    if (opened.status !== 200) opened.close()
    assert.equal(opened.status, 200)
    const reader = new EventReader(opened)
    this.#readers.push(reader)
    return reader
  }

  close (): void {
    for (const reader of this.#readers) reader.close()
  }

  #pull (): object {
    return { type: 'pull', id: fresh('pull'), timestamp: Date.now(), collections: [this.collection], checkpoint: { global: 0 } }
  }
}

export function pushOf (collection: string, changes: readonly NewChange[]): object {
  const timestamp = Date.now()
  return {
    type: 'push',
    id: fresh('push'),
    timestamp,
    collection,
    checkpoint: { global: 0 },
    changes: changes.map(({ documentId, document, ...more }) => ({ operation: 'insert', timestamp, ...more, documentId, document: document === null ? null : { _id: documentId, ...document } }))
  }
}

/** A request that is never answered must not hold the suite up. */
const A_PROMISE_MS = 90_000

/** Runs one promise with speakers of its own. */
export async function play ({ run }: Promised, info: Info, { baseUrl, ca, users, collection = 'conformance', publicCollection }: ServerSuiteOptions): Promise<void> {
  const entrance = await openEntrance(baseUrl, ca)
  const speaker = (token?: string): Speaker => new Speaker(entrance, collection, token)
  const speakers = { alice: speaker(users?.[0].token), bob: speaker(users?.[1].token), nobody: speaker() }
  try {
    await within(A_PROMISE_MS, 'it did not end', () => Promise.resolve(run({ ...speakers, info, http2: entrance.http2, users, collection, publicCollection })))
  } finally {
    for (const one of Object.values(speakers)) one.close()
    entrance.close()
  }
}

/** What the server says of itself. @throws when there is none of ours */
export async function ground (options: ServerSuiteOptions): Promise<Ground> {
  const entrance = await openEntrance(options.baseUrl, options.ca)
  try {
    const { status, text, json } = await new Speaker(entrance, '', undefined).ask({ path: '/sync/info' })
    assert.equal(status, 200, `${options.baseUrl}/sync/info answered ${status}: ${text.slice(0, 200)}`)
    return { info: json as Info, http2: entrance.http2, options }
  } finally {
    entrance.close()
  }
}

function decoded (bytes: Buffer, coding: string | undefined): string {
  if (bytes.length === 0 || coding === undefined) return bytes.toString()
  if (coding === 'gzip') return gunzipSync(bytes).toString()
  if (coding === 'br') return brotliDecompressSync(bytes).toString()
  throw new Error(`coded in ${coding}, which nobody asked for`)
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
