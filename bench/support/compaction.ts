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
}

const PAUSE = 5

async function compact ({ path }: { path: string }): Promise<CompactionResult> {
  const log = new SqliteChangeLog(path)
  await log.open()
  const start = performance.now()
  const over = new AbortController()
  const compacting = log.compact({ historyBefore: Infinity }).finally(() => over.abort())
  const times: number[] = []
  for (let i = 0; !over.signal.aborted; i++) {
    const from = performance.now()
    await log.append({ id: '', sequence: 0, collection: 'beside', documentId: `${randomBytes(4).toString('hex')}-${i}`, operation: 'insert', document: '{}', data: '{}', timestamp: Date.now() })
    times.push(performance.now() - from)
    await sleep(PAUSE)
  }
  await compacting
  const ms = performance.now() - start
  await log.close()
  times.sort((a, b) => a - b)
  return { ms, longest: times.at(-1) ?? NaN, p99: times[Math.floor(times.length * 0.99)] ?? NaN }
}

answerQuestions(compact)
