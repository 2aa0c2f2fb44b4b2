/** HELPER: the load generator. Every connection sends its next request when the last one is answered. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from './connection.ts'
import { Pull, Push, type Conversation } from './conversations.ts'
import { Series } from './documents.ts'
import type { Load, LoadResult, PushLoad, WholeLoad } from './loads.ts'
import { PeerPull, PeerPush } from './peer-conversations.ts'
import { answerQuestions, cpuMs } from './processes.ts'
import { Pages, RxdbPages, Snapshot } from './whole-conversations.ts'

const kept = new Map<string, Conversation[]>()

function conversationsOf (load: Load): Conversation[] {
  const known = load.resume === undefined ? undefined : kept.get(load.resume)
  if (known !== undefined) {
    for (const conversation of known) conversation.resume?.(load as PushLoad)
    return known
  }
  const ids = { documents: new Series(), messages: new Series() }
  const made = Array.from({ length: load.connections }, (_, number) => conversationOf(load, ids, number))
  if (load.resume !== undefined) kept.set(load.resume, made)
  return made
}

function conversationOf (load: Load, ids: { documents: Series, messages: Series }, number: number): Conversation {
  switch (load.kind) {
    case 'push':
    case 'echo': return new Push(load, ids, number)
    case 'rxdb-push':
    case 'pouch-push': return new PeerPush(load, ids.documents)
    case 'rxdb-pull':
    case 'pouch-pull': return new PeerPull(load)
    default: return new Pull(load)
  }
}

/** Counts what its connections are answered, apart while it is measuring. */
class Run {
  acknowledged = 0
  measured = 0
  readonly times: number[] = []
  measuring = false
  #stopping = false
  #open = 0
  #greeted = 0
  #idle: () => void = () => {}
  #allGreeted: () => void = () => {}
  #fail: (error: unknown) => void = () => {}
  /** Rejects when an answer is not what it should be. */
  readonly failed = new Promise<never>((_resolve, reject) => { this.#fail = reject })
  readonly #connections: Connection[] = []

  /** Resolves when every connection has been answered once: servers take new connections one by one. */
  async start (port: number, conversations: readonly Conversation[]): Promise<void> {
    this.failed.catch(() => {})
    const greeted = new Promise<void>(resolve => { this.#allGreeted = resolve })
    for (const conversation of conversations) this.#connect(port, conversation)
    await Promise.race([greeted, this.failed])
  }

  /** Sends no more; resolves when every request that is out has been answered. */
  async stop (): Promise<void> {
    this.#stopping = true
    if (this.#open > 0) await Promise.race([new Promise<void>(resolve => { this.#idle = resolve }), this.failed])
    for (const connection of this.#connections) connection.close()
  }

  #connect (port: number, conversation: Conversation): void {
    let sent = 0
    let greeted = false
    const connection = new Connection(port, response => {
      try {
        this.#count(conversation.take(response), performance.now() - sent)
      } catch (error) {
        this.#fail(error)
        return
      }
      if (!greeted && ++this.#greeted === this.#open) this.#allGreeted()
      greeted = true
      if (this.#stopping) {
        if (--this.#open === 0) this.#idle()
        return
      }
      sent = performance.now()
      connection.send(conversation.request())
    }, () => this.#fail(new Error('a connection was lost')))
    this.#connections.push(connection)
    this.#open++
    sent = performance.now()
    connection.send(conversation.request())
  }

  #count (documents: number, ms: number): void {
    this.acknowledged += documents
    if (!this.measuring) return
    this.measured += documents
    this.times.push(ms)
  }
}

async function run (load: Load): Promise<LoadResult> {
  const run = new Run()
  await run.start(load.port, conversationsOf(load))
  await Promise.race([sleep(load.ms / 5), run.failed])
  const before = { time: performance.now(), server: cpuMs(load.pid), own: process.cpuUsage() }
  run.measuring = true
  await Promise.race([sleep(load.ms), run.failed])
  run.measuring = false
  const ms = performance.now() - before.time
  const server = cpuMs(load.pid) - before.server
  const own = process.cpuUsage(before.own)
  await run.stop()
  const times = run.times.sort((a, b) => a - b)
  const quantile = (share: number): number => times[Math.floor(times.length * share)] ?? NaN
  return {
    rate: run.measured / ms * 1000,
    cpuMicros: server * 1000 / run.measured,
    generator: (own.user + own.system) / 1000 / ms,
    acknowledged: run.acknowledged,
    p50: quantile(0.5),
    p99: quantile(0.99)
  }
}

function wholeConversation (load: WholeLoad): Conversation {
  switch (load.kind) {
    case 'snapshot': return new Snapshot(load)
    case 'rxdb-whole': return new RxdbPages(load)
    default: return new Pages(load)
  }
}

/** One connection until its conversation has everything. */
function read (port: number, conversation: Conversation): Promise<number> {
  const start = performance.now()
  return new Promise((resolve, reject) => {
    const connection = new Connection(port, response => {
      try {
        if (conversation.take(response) === 0) return connection.send(conversation.request())
        connection.close()
        resolve(performance.now() - start)
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    }, () => reject(new Error('a connection was lost')))
    connection.send(conversation.request())
  })
}

async function readWhole (load: WholeLoad): Promise<LoadResult> {
  const before = { time: performance.now(), server: cpuMs(load.pid), own: process.cpuUsage() }
  const times = await Promise.all(Array.from({ length: load.connections }, () => read(load.port, wholeConversation(load))))
  const ms = performance.now() - before.time
  const own = process.cpuUsage(before.own)
  const documents = load.documents * load.connections
  const sorted = times.toSorted((a, b) => a - b)
  return {
    rate: documents / ms * 1000,
    cpuMicros: (cpuMs(load.pid) - before.server) * 1000 / documents,
    generator: (own.user + own.system) / 1000 / ms,
    acknowledged: 0,
    p50: sorted[sorted.length >> 1]!,
    p99: sorted.at(-1)!
  }
}

answerQuestions<Load | WholeLoad>(async load => 'ms' in load ? await run(load) : await readWhole(load))
