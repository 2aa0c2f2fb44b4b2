/**
 * Many streams from one process, on bare sockets. Each that is lost comes back as a browser's EventSource does or as
 * our client does, and checks what it is given: every change once, in order. For logs that nothing but inserts reach.
 */
import { connect, type Socket } from 'node:net'
import { fullJitter } from '../../src/client/backoff.ts'

/** `eventsource`: after exactly the last `retry`. `client`: at random up to that, or when a bye says; it waits 5 s for a hello. */
export type Manner = 'eventsource' | 'client'

export interface ReturningOptions {
  /** Where the server is; it may come back elsewhere. */
  readonly target: { port: number }
  readonly count: number
  readonly mannerOf: (index: number) => Manner
  /** They stay away for this part of the time they are told. Default 1. */
  readonly patience?: number
}

/** What happened since the last mark. */
export interface Returned {
  /** Connections that were tried, and those that nobody took. */
  attempts: number
  refused: number
  /** Hellos that came too late for who waited. */
  late: number
  /** Streams that were opened, by the second after the mark. */
  perSecond: number[]
  byes: Record<string, number>
  /** Answers that are no stream, of which a browser would never come back. */
  failed: string[]
  gaps: number
  repeats: number
  resyncs: number
  /** From its loss until each was live again, ms. */
  times: number[]
}

interface Frame {
  readonly event: string
  readonly position: number | undefined
  readonly id: string | undefined
  readonly retry: number | undefined
  readonly data: string
  readonly sequences: readonly number[]
}

const EVENTSOURCE_RETRY = 3000
const CLIENT = { backoffMs: 1000, backoffMaxMs: 30_000, helloMs: 5000 }
/** Opened at the same time at first. */
const AT_ONCE = 100

export class Returning {
  readonly #options: ReturningOptions
  readonly readers: readonly Reader[]
  since = performance.now()
  found: Returned = nothing()
  #seen: { text: string, frames: readonly Frame[] } = { text: '', frames: [] }

  constructor (options: ReturningOptions) {
    this.#options = options
    this.readers = Array.from({ length: options.count }, (_, index) => new Reader(this, options.mannerOf(index)))
  }

  get patience (): number {
    return this.#options.patience ?? 1
  }

  get port (): number {
    return this.#options.target.port
  }

  /** Resolves when all are live. */
  async open (): Promise<void> {
    for (let from = 0; from < this.readers.length; from += AT_ONCE) {
      await Promise.all(this.readers.slice(from, from + AT_ONCE).map(async reader => { await reader.begin() }))
    }
  }

  mark (): void {
    this.since = performance.now()
    this.found = nothing()
  }

  /** Loses every connection at once, as when a proxy ends. */
  cut (): void {
    for (const reader of this.readers) reader.lose()
  }

  /** Streams that are live. */
  get live (): number {
    return this.readers.reduce((sum, reader) => sum + (reader.live ? 1 : 0), 0)
  }

  /** The lowest place that any of them has reached. */
  get reached (): number {
    return this.readers.reduce((least, reader) => Math.min(least, reader.reached), Infinity)
  }

  close (): void {
    for (const reader of this.readers) reader.close()
  }

  /** Most of what arrives is the same for all. */
  framesOf (text: string): readonly Frame[] {
    if (text !== this.#seen.text) this.#seen = { text, frames: text.split('\n\n').filter(part => part !== '').map(frameOf) }
    return this.#seen.frames
  }
}

function nothing (): Returned {
  return { attempts: 0, refused: 0, late: 0, perSecond: [], byes: {}, failed: [], gaps: 0, repeats: 0, resyncs: 0, times: [] }
}

function frameOf (text: string): Frame {
  const id = /^id: (.*)$/m.exec(text)?.[1]
  const retry = /^retry: (\d+)$/m.exec(text)?.[1]
  const data = /^data: (.*)$/m.exec(text)?.[1] ?? ''
  const event = /^event: (.*)$/m.exec(text)?.[1] ?? (data === '' ? 'comment' : 'message')
  return {
    event,
    id,
    position: id === undefined ? undefined : parseInt(id, 10),
    retry: retry === undefined ? undefined : Number(retry),
    data,
    sequences: event === 'message' ? [...data.matchAll(/"sequence":(\d+)\}/g)].map(([, digits]) => Number(digits)) : []
  }
}

class Reader {
  readonly #crowd: Returning
  readonly #manner: Manner
  live = false
  reached = -1
  #socket: Socket | undefined
  #headed = false
  #rest = ''
  #lastId: string | undefined
  #retry: number
  #failures = 0
  /** Said by a bye. */
  #pause: number | undefined
  #lostAt = performance.now()
  #timer: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined
  #begun: (() => void) | undefined
  #closed = false

  constructor (crowd: Returning, manner: Manner) {
    this.#crowd = crowd
    this.#manner = manner
    this.#retry = manner === 'client' ? CLIENT.backoffMs : EVENTSOURCE_RETRY
  }

  begin (): Promise<void> {
    return new Promise(resolve => {
      this.#begun = resolve
      this.#connect()
    })
  }

  lose (): void {
    this.#socket?.destroy()
  }

  close (): void {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#deadline)
    this.#socket?.destroy()
  }

  #connect (): void {
    const { found, port } = this.#crowd
    found.attempts++
    this.#headed = false
    this.#rest = ''
    let taken = false
    const callback = (length: number, bytes: Uint8Array): boolean => {
      this.#read((bytes as Buffer).toString('latin1', 0, length))
      return true
    }
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: shared, callback } })
    socket.on('connect', () => {
      taken = true
      const place = this.#lastId === undefined ? '' : `Last-Event-ID: ${this.#lastId}\r\n`
      socket.write(`GET /sync/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n${place}\r\n`)
    })
    socket.on('error', () => { if (!taken) this.#crowd.found.refused++ })
    socket.on('close', () => this.#lost())
    this.#socket = socket
    if (this.#manner === 'client') {
      this.#deadline = setTimeout(() => {
        this.#crowd.found.late++
        socket.destroy()
      }, CLIENT.helloMs)
    }
  }

  #lost (): void {
    clearTimeout(this.#deadline)
    if (this.#closed) return
    if (this.live) this.#lostAt = performance.now()
    this.live = false
    const pause = this.#pause ?? (this.#manner === 'client' ? fullJitter(this.#failures++, this.#retry, CLIENT.backoffMaxMs) : this.#retry)
    this.#pause = undefined
    this.#timer = setTimeout(() => this.#connect(), pause * this.#crowd.patience)
  }

  #read (text: string): void {
    let all = this.#rest + text
    if (!this.#headed) {
      const end = all.indexOf('\r\n\r\n')
      if (end !== -1) {
        this.#headed = true
        if (!all.startsWith('HTTP/1.1 200')) this.#crowd.found.failed.push(all.slice(0, 30))
        all = all.slice(end + 4)
      }
    }
    const whole = this.#headed ? all.lastIndexOf('\n\n') + 2 : 0
    this.#rest = whole < 2 ? all : all.slice(whole)
    if (whole >= 2) for (const frame of this.#crowd.framesOf(all.slice(0, whole))) this.#take(frame)
  }

  #take ({ event, id, position = this.reached, retry, data, sequences }: Frame): void {
    const { found } = this.#crowd
    if (retry !== undefined) this.#retry = Math.max(retry, this.#manner === 'client' ? CLIENT.backoffMs : 0)
    if (event === 'hello') this.#greet(position)
    if (event === 'resync') found.resyncs++
    if (event === 'bye') this.#bye(data)
    for (const sequence of sequences) {
      if (sequence > this.reached + 1) found.gaps++
      if (sequence <= this.reached) found.repeats++
      this.reached = sequence
    }
    // Everything is for everybody: nothing may be passed without being told.
    if (position > this.reached) found.gaps++
    this.reached = position
    this.#lastId = id ?? this.#lastId
    if (event === 'message' && !this.live && data.includes('"hasMore":false')) this.#isLive()
  }

  #greet (position: number): void {
    const { found, since } = this.#crowd
    clearTimeout(this.#deadline)
    this.#failures = 0
    if (this.reached === -1) this.reached = position
    const second = Math.floor((performance.now() - since) / 1000)
    while (found.perSecond.length <= second) found.perSecond.push(0)
    found.perSecond[second]!++
  }

  #bye (data: string): void {
    const { found: { byes } } = this.#crowd
    const { reason, retryMs } = JSON.parse(data) as { reason: string, retryMs: number }
    byes[reason] = (byes[reason] ?? 0) + 1
    this.#pause = this.#manner === 'client' && reason === 'overloaded' ? Math.max(retryMs, fullJitter(this.#failures++, retryMs, CLIENT.backoffMaxMs)) : retryMs
  }

  #isLive (): void {
    this.live = true
    this.#crowd.found.times.push(performance.now() - this.#lostAt)
    this.#begun?.()
  }
}

/** One for all: what is read is taken before the next read. */
const shared = Buffer.allocUnsafe(256 * 1024)
