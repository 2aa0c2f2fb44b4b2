/** Clients over HTTP that write, read and follow through every fault, and remember what they were promised. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PushResponse } from '../../schema/push-response.ts'
import { apply, type TestPage } from './rules.ts'
import { SseClient } from './sse-client.ts'

export interface Acknowledged {
  readonly sequence: number
  readonly documentId: string
  readonly marker: string
}

/** Where the server is; it moves when it comes back elsewhere. */
export interface Target { url: string }

abstract class Client {
  protected readonly target: Target
  readonly #done = new AbortController()
  #running: Promise<void> = Promise.resolve()
  failure: unknown

  constructor (target: Target) {
    this.target = target
  }

  protected get stopping (): boolean {
    return this.#done.signal.aborted
  }

  start (): void {
    this.#running = this.run().catch((error: unknown) => { this.failure = error })
  }

  async stop (): Promise<void> {
    this.#done.abort()
    await this.#running
    if (this.failure !== undefined) throw this.failure
  }

  protected abstract run (): Promise<void>

  /** Until it is answered: whatever else happened, the outcome is unknown and the same message goes out again. */
  protected async post (path: string, message: object): Promise<unknown> {
    for (;;) {
      try {
        const response = await fetch(this.target.url + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(message),
          signal: AbortSignal.timeout(5000)
        })
        const text = await response.text()
        if (response.status === 200) return JSON.parse(text) as unknown
        if (response.status < 500 && response.status !== 408) throw new Refused(response.status, text)
      } catch (error) {
        if (error instanceof Refused) throw error
      }
      await sleep(20 + Math.random() * 60)
    }
  }
}

class Refused extends Error {
  constructor (status: number, body: string) {
    super(`the server refused with ${status}: ${body}`)
  }
}

const SHARED = 12

export class Writer extends Client {
  readonly acknowledged: Acknowledged[] = []
  readonly sent: string[] = []
  readonly #name: string
  readonly #bases = new Map<string, number>()
  #number = 0

  constructor (target: Target, name: string) {
    super(target)
    this.#name = name
  }

  protected async run (): Promise<void> {
    while (!this.stopping) {
      const message = this.#message()
      const answer = await this.post('/sync/push', message) as PushResponse
      for (const { index, status, sequence } of answer.results) {
        const change = message.changes[index]!
        if (status === 'rejected' || status === 'skipped') throw new Error(`change was ${status}: ${JSON.stringify(answer)}`)
        if (status === 'conflict' || sequence === undefined) continue
        this.acknowledged.push({ sequence, documentId: change.documentId, marker: change.document.marker })
        this.#bases.set(change.documentId, sequence)
      }
      await sleep(Math.random() * 15)
    }
  }

  #message () {
    const changes = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => {
      const marker = `${this.#name}-${++this.#number}`
      this.sent.push(marker)
      const documentId = Math.random() < 0.6 ? `shared-${Math.floor(Math.random() * SHARED)}` : marker
      const base = Math.random() < 0.5 ? {} : { base: this.#bases.get(documentId) ?? 0 }
      return { operation: 'update', documentId, document: { marker, text: 'x'.repeat(Math.random() * 300) }, timestamp: Date.now(), ...base }
    })
    return { type: 'push', id: `${this.#name}-m${this.#number}`, timestamp: Date.now(), collection: 'todos', clientId: this.#name, changes }
  }
}

export class Puller extends Client {
  readonly documents = new Map<string, string>()
  #checkpoint: object = { global: 0 }
  #epoch: string | undefined

  protected async run (): Promise<void> {
    while (!this.stopping) {
      await this.page()
      await sleep(Math.random() * 30)
    }
  }

  async page (): Promise<boolean> {
    const page = await this.post('/sync/pull', {
      type: 'pull', id: 'pull', timestamp: Date.now(), collections: ['todos'], checkpoint: this.#checkpoint, limit: 20, ...(this.#epoch === undefined ? {} : { epoch: this.#epoch })
    }) as TestPage
    apply(this.documents, page.changes)
    this.#checkpoint = page.checkpoint
    this.#epoch = page.epoch
    return page.hasMore
  }

  async catchUp (): Promise<void> {
    while (await this.page());
  }
}

/** One stream from the beginning, across any number of reconnections. */
export class Follower extends Client {
  readonly documents = new Map<string, string>()
  reached = 0
  connections = 0
  #lastId = '0'
  #client: SseClient | undefined

  protected async run (): Promise<void> {
    while (!this.stopping) {
      try {
        await this.#connect()
      } catch (error) {
        if (error instanceof Broken) throw error
        await sleep(20 + Math.random() * 60)
      }
    }
  }

  override async stop (): Promise<void> {
    const stopped = super.stop()
    this.#client?.close()
    await stopped
  }

  async #connect (): Promise<void> {
    const client = await SseClient.connect(`${this.target.url}/sync/stream?collections=todos`, { lastEventId: this.#lastId })
    this.#client = client
    this.connections++
    for await (const frame of client) {
      if (this.stopping) return
      if (frame.event === 'resync') throw new Broken(`asked to resync: ${frame.data}`)
      if (frame.event === 'message') this.#take(JSON.parse(frame.data) as TestPage)
      if (frame.id !== undefined) this.#lastId = frame.id
    }
  }

  /** Promise 5: sequences rise without gap or repeat, however often the connection was lost. */
  #take (page: TestPage): void {
    for (const { sequence } of page.changes['todos'] ?? []) {
      if (sequence <= this.reached) throw new Broken(`sequence ${sequence} after ${this.reached}`)
      this.reached = sequence
    }
    apply(this.documents, page.changes)
    this.reached = Math.max(this.reached, page.checkpoint.global ?? 0)
  }
}

class Broken extends Error {}
