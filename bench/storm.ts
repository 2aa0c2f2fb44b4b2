/**
 * Ten thousand streams that are lost at once: cut as by a proxy that ends, and by a server that is stopped or killed
 * and started again, while somebody goes on writing. Half of them come back as EventSource does, half as our client.
 */
import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { Helper, residentBytes, type Target } from './support/processes.ts'
import type { Row } from './support/report.ts'
import type { Storm, StormQuestion } from './support/storm-questions.ts'
import type { Suite, Work } from './support/suite.ts'

const STREAMS = 10_000
/** Changes a second meanwhile. */
const RATE = 5
const PATIENCE_MS = 120_000
const MiB = 1024 * 1024

/** How they are lost, and the longest time in s that any of them is told to stay away, or the server takes to send it away. */
const kinds = { cut: 6, SIGTERM: 15, SIGKILL: 6 } as const
type Kind = keyof typeof kinds

export const storm: Work = {
  name: 'storm',
  async run (suite) {
    let server = await suite.server('storm.db')
    const clients = Helper.start('storm-clients.ts')
    const ask = async <T> (question: StormQuestion): Promise<T> => await clients.ask<T>(question)
    try {
      await ask({ what: 'open', port: server.port, count: STREAMS })
      const rows: Row[] = []
      for (const kind of Object.keys(kinds) as Kind[]) {
        const before = residentBytes(server.pid)
        await ask({ what: 'begin', rate: RATE })
        await sleep(1000)
        if (kind === 'cut') await ask({ what: 'cut' })
        else server = await restart(suite, server, kind)
        const lag = new Lag(server)
        const found = await ask<Storm>({ what: 'settle', ms: PATIENCE_MS })
        rows.push(...rowsOf(kind, found, { longestWait: await lag.end(), peak: peakBytes(server.pid) / before, before }))
      }
      return rows
    } finally {
      await clients.stop()
    }
  }
}

async function restart (suite: Suite, server: Target, signal: 'SIGTERM' | 'SIGKILL'): Promise<Target> {
  process.kill(server.pid, signal)
  await server.stop()
  return await suite.server('storm.db', ['--port', String(server.port)])
}

/** The most memory that a process ever had in RAM. */
function peakBytes (pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** How long a request waits at most while the storm lasts: what the event loop has to do comes before it. */
class Lag {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #asking: Promise<void>
  #longest = 0
  #ended = false

  constructor ({ port }: Target) {
    this.#asking = this.#ask(port)
  }

  /** @returns ms */
  async end (): Promise<number> {
    this.#ended = true
    await this.#asking
    this.#agent.destroy()
    return this.#longest
  }

  async #ask (port: number): Promise<void> {
    while (!this.#ended) {
      const start = performance.now()
      await new Promise<void>(resolve => {
        const request = get({ port, host: '127.0.0.1', path: '/health', agent: this.#agent }, response => { response.resume().on('end', resolve) })
        request.on('error', () => resolve())
      })
      this.#longest = Math.max(this.#longest, performance.now() - start)
      await sleep(20)
    }
  }
}

/** @throws Error where a stream is not back, has a gap or was given anything twice */
function assertWhole (kind: Kind, { streams, live, complete, gaps, repeats, resyncs, failed, pushed }: Storm): void {
  if (live === streams && complete === streams && gaps + repeats + resyncs + failed.length === 0 && pushed > 0) return
  throw new Error(`after ${kind}: ${live} of ${streams} streams are live and ${complete} have all of ${pushed} changes; ${gaps} gaps, ${repeats} repeats, ${resyncs} resyncs, answers ${failed.join()}`)
}

function rowsOf (kind: Kind, found: Storm, { longestWait, peak, before }: { longestWait: number, peak: number, before: number }): Row[] {
  assertWhole(kind, found)
  const { streams, perSecond, attempts, refused, late, byes, p50, p99, longest, generator } = found
  const opened = perSecond.reduce((sum, count) => sum + count, 0)
  process.stderr.write(`  ${kind}: opened each second ${perSecond.join(' ')}; ${attempts} connections tried, ${refused} refused, ${late} given up before a hello; byes ${JSON.stringify(byes)}\n`)
  const work = `${streams.toLocaleString('en')} streams lost, ${kind}`
  const row = { lowerIsBetter: true, generator }
  return [
    { ...row, work: `${work}: until 99 % are live`, unit: 's', ours: p99 / 1000, limit: 'the longest pause it may be told', limitValue: kinds[kind], ratio: p99 / 1000 / kinds[kind], bar: 4, aim: 2 },
    { ...row, work: `${work}: until the last is live`, unit: 's', ours: longest / 1000, limit: 'what our client waits at most after failures', limitValue: 30, ratio: longest / 30_000, bar: 2, aim: 1 },
    { ...row, work: `${work}: until half are live`, unit: 's', ours: p50 / 1000, limit: 'half of that pause', limitValue: kinds[kind] / 2, ratio: p50 * 2 / 1000 / kinds[kind] },
    { ...row, work: `${work}: streams opened`, unit: '', ours: opened, limit: 'streams lost', limitValue: streams, ratio: opened / streams, bar: 1.05, aim: 1 },
    { ...row, work: `${work}: most opened in a second`, unit: '', ours: Math.max(...perSecond), limit: 'all at once', limitValue: streams, ratio: Math.max(...perSecond) / streams },
    { ...row, work: `${work}: longest wait for /health`, unit: 'ms', ours: longestWait, limit: 'a hello, before our client gives up', limitValue: 5000, ratio: longestWait / 5000, bar: 1 },
    { ...row, work: `${work}: peak memory`, unit: 'MiB', ours: peak * before / MiB, limit: 'before', limitValue: before / MiB, ratio: peak, bar: 2, aim: 1.5 }
  ]
}
