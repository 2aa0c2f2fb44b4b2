/** What a client feels, measured by a process that does nothing else: a push, a pull, and a change on its way to a stream. */
import { SseClient } from '../../test/support/sse-client.ts'

export interface Felt { readonly push50: number, readonly push99: number, readonly pull99: number, readonly arrival: number, readonly echo: number }

interface Page { readonly changes: { readonly probe?: ReadonlyArray<{ readonly document: { readonly number: number } }> } }

const PROBES = 100

export class Probe {
  readonly #url: string
  readonly #echo: string
  readonly #over = new AbortController()
  #stream: SseClient
  readonly #sent = new Map<number, number>()
  #arrivals: number[] = []
  #number = 0
  #failure: unknown

  private constructor ({ url, echo, stream }: { url: string, echo: string, stream: SseClient }) {
    this.#url = url
    this.#echo = echo
    this.#stream = stream
  }

  /** @param echoPort of a server that answers what it is sent and has nothing else to do: how slow the machine is */
  static async open (port: number, echoPort: number): Promise<Probe> {
    const url = `http://127.0.0.1:${port}`
    const stream = await SseClient.connect(`${url}/sync/stream?collections=probe`)
    const probe = new Probe({ url, echo: `http://127.0.0.1:${echoPort}/`, stream })
    probe.#listen().catch((error: unknown) => { probe.#failure = error })
    return probe
  }

  close (): void {
    this.#over.abort()
    this.#stream.close()
  }

  async feel (): Promise<Felt> {
    if (this.#failure !== undefined) throw this.#failure
    const pushes: number[] = []
    const pulls: number[] = []
    const echoes: number[] = []
    this.#arrivals = []
    let checkpoint: object = { global: 0 }
    for (let i = 0; i < PROBES; i++) {
      pushes.push(await timed(async () => { checkpoint = await this.#push() }))
      pulls.push(await timed(async () => await this.#post('/sync/pull', { type: 'pull', id: 'probe', timestamp: Date.now(), collections: ['probe'], checkpoint })))
      echoes.push(await timed(async () => await this.#ask(this.#echo, { checkpoint })))
    }
    return { push50: quantile(pushes, 0.5), push99: quantile(pushes, 0.99), pull99: quantile(pulls, 0.99), arrival: quantile(this.#arrivals, 0.99), echo: echoes.reduce((sum, ms) => sum + ms, 0) / PROBES }
  }

  async #push (): Promise<object> {
    const number = ++this.#number
    const now = Date.now()
    this.#sent.set(number, performance.now())
    const { checkpoint } = await this.#post<{ checkpoint: object }>('/sync/push', { type: 'push', id: `probe-${now}-${number}`, timestamp: now, collection: 'probe', changes: [{ operation: 'update', documentId: 'probe', document: { number }, timestamp: now }] })
    return checkpoint
  }

  async #post<T> (path: string, message: object): Promise<T> {
    return await this.#ask<T>(this.#url + path, message)
  }

  async #ask<T> (url: string, message: object): Promise<T> {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(message) })
    if (response.status !== 200) throw new Error(`${url} was answered ${response.status}: ${await response.text()}`)
    return await response.json() as T
  }

  /** Streams end after their time. */
  async #listen (): Promise<void> {
    while (!this.#over.signal.aborted) {
      for await (const { event, data } of this.#stream) if (event === 'message') this.#take(JSON.parse(data) as Page)
      if (!this.#over.signal.aborted) this.#stream = await SseClient.connect(`${this.#url}/sync/stream?collections=probe`)
    }
  }

  #take ({ changes }: Page): void {
    for (const { document: { number } } of changes.probe ?? []) {
      const sent = this.#sent.get(number)
      if (sent !== undefined) this.#arrivals.push(performance.now() - sent)
      this.#sent.delete(number)
    }
  }
}

async function timed (work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function quantile (times: readonly number[], share: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? NaN
}
