/**
 * A process that keeps pushing into a log: node store-writer.ts <path> <options as JSON>.
 * Says on stdout, a line each: `pid <n>`, `ack <task> <number> <first>` for an answered push, `fail <task> <number>
 * <code>` for a refused one, which it sends again, and then `health <writable>` and `read <ok|code>`.
 * Ends when its stdin does.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { SyncError } from '../../src/errors.ts'
import { SqliteChangeLog, type SqliteOptions } from '../../src/changelog/sqlite.ts'
import { pushOf } from './store-pushes.ts'

export interface WriterOptions {
  /** First number of each task. */
  readonly from: readonly number[]
  readonly log?: SqliteOptions
  /** Rest of a task after each answer, ms: by default none. */
  readonly rest?: number
}

const [path, json] = process.argv.slice(2)
const { from, log: options, rest = 0 } = JSON.parse(json!) as WriterOptions
const say = (...words: readonly unknown[]): void => { process.stdout.write(`${words.join(' ')}\n`) }
const log = new SqliteChangeLog(path!, options)

async function afterFailure (task: number, number: number, error: unknown): Promise<void> {
  say('fail', task, number, error instanceof SyncError ? error.code : String(error))
  say('health', log.health().writable)
  say('read', await log.read({ after: 0, collections: null, limit: 10, bytes: 1e6 }).then(() => 'ok', (problem: SyncError) => problem.code))
  await sleep(20)
}

async function work (task: number, first: number): Promise<void> {
  for (let number = first; ;) {
    const result = await log.commit(pushOf(task, number)).catch(error => afterFailure(task, number, error))
    if (result === undefined) continue
    if (result.status !== 'committed' && result.status !== 'seen') return say('fail', task, number++, result.status)
    say('ack', task, number++, result.first)
    if (rest > 0) await sleep(rest)
  }
}

process.stdin.on('end', () => process.exit(0)).resume()
say('pid', process.pid)
await log.open()
await Promise.all(from.map((first, task) => work(task, first)))
