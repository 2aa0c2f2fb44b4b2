/** HELPER: compacts a log while somebody pushes to it one change at a time, and tells how long each push took. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { answerQuestions, MS_PER_TICK } from './processes.ts'

export interface CompactionResult {
  /** The whole compaction. */
  readonly ms: number
  /** Of the pushes beside it, ms. */
  readonly longest: number
  /** What processors waited for the disk or for the machine's host while the longest was under way, all together, ms; in steps of 10. */
  readonly elsewhere: number
  readonly p99: number
  /** Of as many pushes before it began, or fewer where it took long: what the disk alone does to them. */
  readonly alone: number
}

interface Pushed {
  readonly ms: number
  readonly elsewhere: number
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
  const { ms: longest = NaN, elsewhere = NaN } = times.at(-1) ?? {}
  return { ms, longest, elsewhere, p99: times[Math.floor(times.length * 0.99)]?.ms ?? NaN, alone: alone.at(-1)?.ms ?? NaN }
}

/** How long each push took until then, the shortest first. A push that waits for its turn of the event loop takes so much longer. */
async function pushed (log: SqliteChangeLog, until: AbortSignal): Promise<Pushed[]> {
  const times: Pushed[] = []
  for (let i = 0; !until.aborted; i++) {
    const before = waitedMs()
    const due = performance.now() + PAUSE
    await sleep(PAUSE)
    await log.append({ id: '', sequence: 0, collection: 'beside', documentId: `${randomBytes(4).toString('hex')}-${i}`, operation: 'insert', document: '{}', data: '{}', timestamp: Date.now() })
    times.push({ ms: performance.now() - due, elsewhere: waitedMs() - before })
  }
  return times.sort((a, b) => a.ms - b.ms)
}

/** Since the machine started: processors idle with a disk at work, or taken away by the host (`iowait` and `steal` of proc(5)), ms. */
function waitedMs (): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/ +/)
  return (Number(fields[5]) + Number(fields[8])) * MS_PER_TICK
}

answerQuestions(compact)
