/** Clients of the shipped kind that write and follow through a proxy, and what they were promised. */
import { createClient, type Client, type PullInput } from '../../../src/client/client.ts'
import { hmacToken, claims } from '../tokens.ts'

const WRITERS = 3
const COLLECTION = 'load'
const PATIENCE = 60_000
/** As apps that are in a hurry: the proxy is back soon. */
const timing = { requestMs: 3000, backoffMs: 1000, backoffMaxMs: 1000, helloMs: 3000, waitMs: 2000, streamAgainMs: 2000 }

export class Load {
  /** Documents that were answered `applied`, with the sequence. */
  readonly applied = new Map<string, number>()
  /** For each reader the sequences of its stream, as they came, and how often it lost its connection. */
  readonly followed: number[][] = []
  readonly pulled: number[] = []
  cuts = 0
  readonly #streams = new AbortController()
  readonly #work: Array<Promise<void>> = []
  readonly #following: Array<Promise<void>> = []
  #writing = true
  #failure: unknown

  /** @param options.readers streams */
  constructor (baseUrl: string, { readers = 3 }: { readonly readers?: number } = {}) {
    const client = (): Client => createClient({ baseUrl, token: () => hmacToken(claims({ sub: 'alice' })), retries: 1000, timing })
    for (let n = 0; n < WRITERS; n++) this.#work.push(this.#write(client(), `w${n}`))
    for (let n = 0; n < readers; n++) this.#following.push(this.#follow(client(), this.followed[n] = []))
    this.#following.push(this.#pull(client(), this.pulled))
    // What fails shows when it is waited for.
    for (const one of [...this.#work, ...this.#following]) one.catch((error: unknown) => { this.#failure ??= error })
  }

  /** Until so many more documents are written. */
  async more (count: number): Promise<void> {
    const enough = this.applied.size + count
    await this.#until(() => this.applied.size >= enough)
  }

  /** Writes no more and follows to the end. */
  async settle (): Promise<void> {
    this.#writing = false
    await Promise.all(this.#work)
    const last = Math.max(...this.applied.values())
    await this.#until(() => [...this.followed, this.pulled].every(sequences => sequences.at(-1) === last))
    await this.stop()
  }

  async stop (): Promise<void> {
    this.#writing = false
    this.#streams.abort()
    await Promise.all(this.#following)
  }

  async #until (done: () => boolean): Promise<void> {
    for (const end = performance.now() + PATIENCE; !done(); await pause(20)) {
      if (this.#failure !== undefined) throw this.#failure
      if (performance.now() > end) throw new Error(`after ${PATIENCE} ms: ${this.applied.size} written, followed to ${this.followed.map(sequences => sequences.at(-1)).join(', ')}`)
    }
  }

  /** Each document is new, so every entry must come: none is replaced by a later one. */
  async #write (client: Client, name: string): Promise<void> {
    for (let n = 0; this.#writing; n++) {
      const { results } = await client.push({ collection: COLLECTION, changes: [{ operation: 'insert', documentId: `${name}-${n}`, document: { text: 'x'.repeat(n % 500) } }] })
      const [result] = results
      // Of a push whose answer was lost the repeat is answered as the first was.
      if (result?.status !== 'applied') throw new Error(`${name}-${n}: ${JSON.stringify(result)}`)
      this.applied.set(`${name}-${n}`, result.sequence!)
      await pause(5)
    }
  }

  async #follow (client: Client, seen: number[]): Promise<void> {
    for await (const event of client.stream({ collections: [COLLECTION], signal: this.#streams.signal })) {
      if (event.type === 'resync') throw new Error(`asked to resync: ${event.reason}`)
      if (event.type === 'disconnected' || event.type === 'bye') this.cuts++
      if (event.type === 'pull-response') seen.push(...(event.changes[COLLECTION] ?? []).map(({ sequence }) => sequence))
    }
  }

  async #pull (client: Client, seen: number[]): Promise<void> {
    const { signal } = this.#streams
    for (let place: Pick<PullInput, 'checkpoint' | 'epoch'> = {}; !signal.aborted;) {
      const page = await client.pull({ collections: [COLLECTION], limit: 50, ...place })
      seen.push(...(page.changes[COLLECTION] ?? []).map(({ sequence }) => sequence))
      place = { checkpoint: page.checkpoint, epoch: page.epoch }
      await pause(20)
    }
  }
}

function pause (ms: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, ms) })
}
