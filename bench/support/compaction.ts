/** HELPER: compacts a log while somebody pushes to it one change at a time, and tells how long each push took. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { answerQuestions } from './processes.ts'

export interface CompactionResult {
  /** The whole compaction. */
  readonly ms: number
  /** Of the pushes beside it, ms. */
  readonly longest: number
  readonly p99: number
  /** Of as many pushes before it began, or fewer where it took long: what the disk alone does to them. */
  readonly alone: number
}

const PAUSE = 5
/** How long pushes are measured before the compaction, ms. */
const ALONE = 20_000

async function compact ({ path }: { path: string }): Promise<CompactionResult> {
  const log = new SqliteChangeLog(path)
  await log.open()
  const alone = await pushed(log, AbortSignal.timeout(ALONE))
  const start = performance.now()
  const over = new AbortController()
  const compacting = log.compact({ historyBefore: Infinity }).finally(() => over.abort())
  const times = await pushed(log, over.signal)
  await compacting
  const ms = performance.now() - start
  await log.close()
  return { ms, longest: times.at(-1) ?? NaN, p99: times[Math.floor(times.length * 0.99)] ?? NaN, alone: alone.at(-1) ?? NaN }
}

/** How long each push took until then, ms, the shortest first. A push that waits for its turn of the event loop takes so much longer. */
async function pushed (log: SqliteChangeLog, until: AbortSignal): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; !until.aborted; i++) {
    const due = performance.now() + PAUSE
    await sleep(PAUSE)
    await log.append({ id: '', sequence: 0, collection: 'beside', documentId: `${randomBytes(4).toString('hex')}-${i}`, operation: 'insert', document: '{}', data: '{}', timestamp: Date.now() })
    times.push(performance.now() - due)
  }
  return times.sort((a, b) => a - b)
}

answerQuestions(compact)
