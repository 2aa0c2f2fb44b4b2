/**
 * HELPER: this server from the build, which keeps history for minutes rather than days, so that within a soak its
 * log is compacted many times over and comes to rest. Tells its heap and how long its event loop was held up.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { answerQuestions } from './processes.ts'

export interface SoakServer {
  readonly db: string
  /** How long history, tombstones, pushes and the journal are kept, ms; compacted twice in this time. */
  readonly kept: number
}

/** Since the last question. */
export interface Inside {
  /** What is alive, bytes. */
  readonly heap: number
  /** Of the event loop's delays, ms. */
  readonly delay: number
}

const { PocketServer, SqliteChangeLog } = await import(new URL('../../dist/src/index.js', import.meta.url).href) as typeof import('../../src/index.ts')
const { db, kept } = JSON.parse(process.argv[2]!) as SoakServer
const pocket = new PocketServer({
  changeLog: new SqliteChangeLog(db),
  rateLimit: { requestsPerMinute: 1e9, requestsPerMinutePerAddress: 1e9, changesPerMinute: 1e9 },
  // Full within the first minute, so that filling it is not taken for a leak.
  limits: { ringBytes: 4 * 1024 * 1024 },
  compactInterval: kept / 2,
  retention: { history: kept, tombstones: kept, pushes: kept, journal: kept }
})
const { port } = await pocket.listen(0)

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const RESOLUTION = 5
const delays = monitorEventLoopDelay({ resolution: RESOLUTION })
delays.enable()
answerQuestions((): Inside => {
  // The timer that measures is late by its own resolution.
  const delay = Math.max(0, delays.percentile(99) / 1e6 - RESOLUTION)
  collectGarbage()
  delays.reset()
  return { heap: process.memoryUsage().heapUsed, delay }
})
process.send!({ port })
