/** HELPER: opens streams, publishes, and counts what arrives on them. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, requestText } from './connection.ts'
import { documentText } from './documents.ts'
import { answerQuestions, cpuMs } from './processes.ts'
import { Marks } from './marks.ts'
import type { AudienceQuestion, FanLoad, FanQuestion, FanResult } from './fan-loads.ts'

/** Of so many streams one tells how long each change took: reading all of them costs more than sending. */
const TIMED = 8

class Audience {
  readonly sockets: Socket[] = []
  /** Changes that arrived, over all streams. */
  events = 0
  readonly sent = new Map<number, number>()
  delays: number[] = []

  /** Resolves when each has been said hello. */
  async open ({ port, path, count, users = false, stalled = 0 }: AudienceQuestion): Promise<void> {
    for (let next = 0; next < count; next += 100) {
      await Promise.all(Array.from({ length: Math.min(100, count - next) }, (_, index) => {
        const authorization = users ? `Authorization: Bearer u${next + index}\r\n` : ''
        const stalls = next + index >= count - stalled
        const request = `GET ${path}${stalls ? ',bulk' : ''} HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}Accept: text/event-stream\r\n\r\n`
        return this.#connect(port, request, { timed: !stalls && (next + index) % TIMED === 0, stalls })
      }))
    }
  }

  close (): void {
    for (const socket of this.sockets) socket.destroy()
  }

  #connect (port: number, request: string, { timed, stalls }: { timed: boolean, stalls: boolean }): Promise<void> {
    return new Promise((resolve, reject) => {
      const marks = new Marks(timed ? number => this.#time(number) : null)
      const callback = (length: number, bytes: Uint8Array): boolean => {
        this.events += marks.count(bytes as Buffer, length)
        resolve()
        return !stalls
      }
      const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: shared, callback } })
      socket.on('connect', () => socket.write(request))
      socket.on('error', reject)
      this.sockets.push(socket)
    })
  }

  #time (number: number): void {
    const sent = this.sent.get(number)
    if (sent !== undefined) this.delays.push(performance.now() - sent)
  }
}

/** One for all: what is read is counted before the next read. */
const shared = Buffer.allocUnsafe(256 * 1024)

let numbers = 0

function changeText (number: number, now: number): string {
  const id = `n${number}`
  return `{"operation":"insert","documentId":"${id}","document":${documentText(id, 0, now)},"timestamp":${now}`
}

/** What is published, in the words of each server. */
function publication ({ kind, path, changes, token }: FanLoad, numbers: readonly number[]): string {
  const now = Date.now()
  if (kind === 'push') {
    return requestText(path, `{"type":"push","id":"m${numbers[0]}-${now}","timestamp":${now},"collection":"todos","changes":[${numbers.map(number => `${changeText(number, now)}}`).join(',')}]}`, { token })
  }
  const list = numbers.map(number => `${changeText(number, now)},"sequence":${number}}`).join(',')
  const data = `{"type":"pull-response","id":"${changes}","changes":{"todos":[${list}]},"checkpoint":{"global":${numbers[0]}},"hasMore":false}`
  return requestText(path, kind === 'frame' ? `data: ${data}\nid: ${numbers[0]}\n\n` : data)
}

class Publisher {
  readonly #load: FanLoad
  readonly #audience: Audience
  readonly #idle: Connection[] = []
  readonly #all: Connection[] = []
  #published = 0
  readonly #before: number
  readonly #reaches: number
  #due = 0
  #running = true

  constructor (load: FanLoad, audience: Audience) {
    this.#load = load
    this.#audience = audience
    this.#before = audience.events
    this.#reaches = load.reaches ?? audience.sockets.length
    for (let i = 0; i < (load.rate === undefined ? 64 : 16); i++) {
      const connection = new Connection(load.port, ({ status, start }) => {
        if (status >= 300) throw new Error(`publishing failed: ${status} ${start}`)
        this.#idle.push(connection)
      }, () => {})
      this.#all.push(connection)
      this.#idle.push(connection)
    }
  }

  /** Publishes until it is stopped: at a rate, or as soon as most of what was published has arrived. */
  async run (): Promise<void> {
    const { rate, changes, ahead } = this.#load
    const begun = performance.now()
    while (this.#running) {
      if (rate !== undefined) this.#due = Math.floor((performance.now() - begun) / 1000 * rate)
      else this.#due = (this.#audience.events - this.#before) / this.#reaches + ahead
      while (this.#published + changes <= this.#due && this.#idle.length > 0) this.#publish(this.#idle.pop()!)
      await (rate === undefined ? new Promise(resolve => setImmediate(resolve)) : sleep(1))
    }
    // What is under way still counts for nobody else.
    while (this.#idle.length < this.#all.length) await sleep(1)
    for (const connection of this.#all) connection.close()
  }

  stop (): void {
    this.#running = false
  }

  /** Until everything published has arrived everywhere. */
  async arrived (): Promise<void> {
    const expected = this.#before + this.#published * this.#reaches
    for (let waited = 0; this.#audience.events < expected; waited += 10) {
      if (waited > 20_000) throw new Error(`${expected - this.#audience.events} of ${expected} events did not arrive`)
      await sleep(10)
    }
    if (this.#audience.events > expected) throw new Error(`${this.#audience.events - expected} events too many`)
  }

  #publish (connection: Connection): void {
    const { changes } = this.#load
    const range = Array.from({ length: changes }, () => ++numbers)
    const now = performance.now()
    for (const number of range) this.#audience.sent.set(number, now)
    this.#published += changes
    connection.send(publication(this.#load, range))
  }
}

const audiences = new Map<string, Audience>()

async function measure (load: FanLoad): Promise<FanResult> {
  const audience = audiences.get(load.audience)!
  const publisher = new Publisher(load, audience)
  const running = publisher.run()
  await sleep(load.ms / 5)
  const before = { events: audience.events, cpu: cpuMs(load.pid), own: process.cpuUsage(), at: performance.now() }
  audience.delays = []
  await sleep(load.ms)
  const ms = performance.now() - before.at
  const events = audience.events - before.events
  const cpu = cpuMs(load.pid) - before.cpu
  const own = process.cpuUsage(before.own)
  publisher.stop()
  await running
  await publisher.arrived()
  audience.sent.clear()
  const delays = audience.delays.sort((a, b) => a - b)
  return {
    rate: events / ms * 1000,
    cpuMicros: cpu * 1000 / events,
    generator: (own.user + own.system) / 1000 / ms,
    p50: delays[Math.floor(delays.length * 0.5)] ?? NaN,
    p99: delays[Math.floor(delays.length * 0.99)] ?? NaN
  }
}

answerQuestions<FanQuestion>(async question => {
  if ('ms' in question) return await measure(question)
  const { audience: name, count } = question
  audiences.get(name)?.close()
  audiences.delete(name)
  if (count === 0) return {}
  const audience = new Audience()
  audiences.set(name, audience)
  await audience.open(question)
  return {}
})
