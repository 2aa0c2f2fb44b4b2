/**
 * HELPER: the clients of a soak, in a process of their own so that their work is not taken for the server's. They
 * edit a set of documents that does not grow: neither what they hold nor what they are sent does.
 */
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PushResponse } from '../../schema/push-response.ts'
import { Follower, Puller } from '../../test/support/crowd.ts'
import { startProxy } from '../../test/support/proxy.ts'
import { documentText } from './documents.ts'
import { answerQuestions } from './processes.ts'

export type SoakQuestion = 'sample' | 'cut' | 'finish'

export interface LoadSample {
  /** So far. */
  readonly acknowledged: number
  readonly reads: number
}

export interface Finish { readonly documents: number, readonly replicas: number }

const DOCUMENTS = 2000
const WRITERS = 4
const STREAMS = 40

const port = Number(process.argv[2])
const proxy = await startProxy({ target: port, halves: false })
const target = { url: `http://127.0.0.1:${proxy.port}` }
const counts = { acknowledged: 0, reads: 0 }
const over = new AbortController()
let failure: Error | undefined

/** Goes on until the end; connections are cut on purpose, anything else is a failure. */
function forever (pause: number, work: () => Promise<void>): Promise<void> {
  const loop = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await work().catch((error: unknown) => {
        if (!(error instanceof TypeError) && !/aborted|hang up|ECONNRESET/.test(String(error))) failure ??= error as Error
      })
      await sleep(pause * (0.5 + Math.random()))
    }
  }
  return loop()
}

async function asked (path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(target.url + path, init)
  if (response.status !== 200 && response.status !== 304) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`)
  return response
}

async function post<T> (path: string, message: object): Promise<T> {
  return await (await asked(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(message) })).json() as T
}

let messages = 0

const documentOf = (id: string, now: number): object => JSON.parse(documentText(id, messages, now)) as object

/** Edits one to three documents; a quarter of the changes do not say what they edited, a twelfth delete. */
function edit (bases: Map<string, number>) {
  return async (): Promise<void> => {
    const now = Date.now()
    const changes = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => {
      const documentId = `d${Math.floor(Math.random() * DOCUMENTS)}`
      const base = bases.get(documentId)
      const what = Math.random() < 1 / 12 ? { operation: 'delete' } : { operation: 'update', document: documentOf(documentId, now) }
      return { documentId, timestamp: now, ...what, ...base !== undefined && Math.random() < 0.75 && { base } }
    })
    const { results } = await post<PushResponse>('/sync/push', { type: 'push', id: `m${++messages}-${now}`, timestamp: now, collection: 'todos', changes })
    for (const { documentId, sequence } of results) if (sequence !== undefined) bases.set(documentId!, sequence)
    counts.acknowledged += results.length
  }
}

async function firstPull (): Promise<void> {
  for (let place: object = { checkpoint: { global: 0 } }, hasMore = true; hasMore;) {
    const page = await post<{ checkpoint: object, epoch: string, hasMore: boolean }>('/sync/pull', { type: 'pull', id: 'first', timestamp: Date.now(), collections: ['todos'], limit: 1000, ...place })
    place = { checkpoint: page.checkpoint, epoch: page.epoch }
    hasMore = page.hasMore
    counts.reads++
  }
}

/** Everything in one answer, whole by its last line. */
async function snapshot (): Promise<void> {
  const text = await (await asked('/sync/snapshot?collections=todos')).text()
  if (!text.trimEnd().split('\n').at(-1)!.includes('"checkpoint"')) throw new Error('a snapshot ended without its last line')
  counts.reads++
}

/** Page by page by URL, and the last page again by its ETag. */
async function cacheable (): Promise<void> {
  for (let since = '0', hasMore = true; hasMore;) {
    const url = `/sync/changes?collections=todos&limit=1000&since=${since}`
    const response = await asked(url)
    const page = await response.json() as { checkpoint: { global: number, snapshot?: number }, epoch: string, hasMore: boolean }
    const { global, snapshot: mark } = page.checkpoint
    since = `${global}~e${page.epoch}${mark === undefined ? '' : `~s${mark}`}`
    hasMore = page.hasMore
    if (!hasMore) await (await asked(url, { headers: { 'if-none-match': response.headers.get('etag')! } })).arrayBuffer()
    counts.reads++
  }
}

/** Opens a stream and is gone before it is of use. */
async function lookIn (): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = get(`${target.url}/sync/stream?collections=todos&since=0`, response => {
      response.once('data', () => {
        request.destroy()
        resolve()
      })
    })
    request.on('error', reject)
  })
  counts.reads++
}

const replicas = [...Array.from({ length: STREAMS }, () => new Follower(target)), new Puller(target), new Puller(target)]
for (const replica of replicas) replica.start()
const loops = [
  ...Array.from({ length: WRITERS }, () => forever(30, edit(new Map()))),
  forever(1000, firstPull),
  forever(1000, snapshot),
  forever(1000, cacheable),
  forever(200, lookIn)
]

/** @throws Error when replicas differ, or something failed on the way */
async function finish (): Promise<Finish> {
  over.abort()
  await Promise.all(loops)
  const truth = new Puller(target)
  await truth.catchUp()
  for (const replica of replicas) {
    const same = (): boolean => replica.documents.size === truth.documents.size && [...truth.documents].every(([id, text]) => replica.documents.get(id) === text)
    for (let i = 0; i < 200 && !same() && replica.failure === undefined; i++) await sleep(50)
    await replica.stop()
    if (!same()) throw new Error('a replica differs from a first pull')
  }
  await proxy.close()
  if (failure !== undefined) throw failure
  return { documents: truth.documents.size, replicas: replicas.length }
}

answerQuestions<{ ask: SoakQuestion }>(async ({ ask }): Promise<LoadSample | Finish | object> => {
  if (ask === 'finish') return await finish()
  if (ask === 'cut') {
    proxy.cut()
    return {}
  }
  if (failure !== undefined) throw failure
  return { ...counts }
})
process.send!({})
