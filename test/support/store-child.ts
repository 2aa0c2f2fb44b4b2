/** Starts programs that hold a log, listens to what they say, and judges what they leave behind. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { ownEnv } from './own-env.ts'
import type { WriterOptions } from './store-writer.ts'
import { documentId, entriesOf } from './store-pushes.ts'

export type Line = readonly string[]

export interface StoreChild {
  readonly process: ChildProcess
  readonly lines: readonly Line[]
  /** Resolves with the lines so far once they satisfy the test; rejects when the program ends before. */
  until (enough: (lines: readonly Line[]) => boolean): Promise<readonly Line[]>
  /**
   * Stops it where it stands, outside of any system call, before a power cut: a program that ran on would be told by
   * an fsync under way that all is well.
   */
  freeze (): Promise<void>
  /** kill -9 of the program itself, also under strace; resolves when it is gone. */
  kill (): Promise<void>
}

/** Killed when the test ends. @param wrap a program that runs it, with its arguments */
export function startChild (t: Test, script: string, args: readonly string[], wrap: readonly string[] = []): StoreChild {
  const file = fileURLToPath(new URL(script, import.meta.url))
  const command = [...wrap, process.execPath, '--import', 'tsx', file, ...args]
  const child = spawn(command[0]!, command.slice(1), { env: ownEnv(), stdio: ['pipe', 'pipe', 'pipe'] })
  const lines: Line[] = []
  let errors = ''
  const waiting = new Set<() => void>()
  const wake = (): void => { for (const look of waiting) look() }
  createInterface({ input: child.stdout }).on('line', line => { lines.push(line.split(' ')); wake() })
  child.stderr.on('data', chunk => { errors += chunk })
  child.stdin.on('error', () => {})
  let ended = false
  const gone = once(child, 'close').then(() => { ended = true; wake() })
  const pid = (): number => Number(lines.find(([word]) => word === 'pid')?.[1] ?? child.pid)
  const kill = async (): Promise<void> => {
    if (!ended) try { process.kill(pid(), 'SIGKILL') } catch {}
    child.stdin.end()
    await gone
  }
  t.teardown(kill)
  return {
    process: child,
    lines,
    until: enough => new Promise((resolve, reject) => {
      const look = (): void => {
        if (!enough(lines) && !ended) return
        waiting.delete(look)
        if (enough(lines)) resolve(lines)
        else reject(new Error(`the program ended:\n${errors}`))
      }
      waiting.add(look)
      look()
    }),
    freeze: async () => {
      process.kill(pid(), 'SIGSTOP')
      // The state stands behind the name of the program, which may hold anything: proc(5).
      while (!/^.*\) [Tt]/s.test(readFileSync(`/proc/${pid()}/stat`, 'utf8'))) await sleep(1)
    },
    kill
  }
}

export function startWriter (t: Test, path: string, options: WriterOptions, wrap: readonly string[] = []): StoreChild {
  return startChild(t, 'store-writer.ts', [path, JSON.stringify(options)], wrap)
}

export function count (lines: readonly Line[], word: string): number {
  return lines.filter(line => line[0] === word).length
}

/** Pushes that were answered, with the sequence they were told. */
export class Acknowledged {
  readonly first = new Map<string, number>()

  add (lines: readonly Line[]): void {
    for (const [word, task, number, first] of lines) if (word === 'ack') this.first.set(`${task} ${number}`, Number(first))
  }

  /** The number that each of so many tasks goes on with: a push that was not answered is sent again. */
  next (tasks: number): number[] {
    return Array.from({ length: tasks }, (_, task) => {
      let number = 0
      while (this.first.has(`${task} ${number}`)) number++
      return number
    })
  }

  /** Documents of answered pushes that are not where their answer said. */
  async missing (log: SqliteChangeLog): Promise<string[]> {
    const missing: string[] = []
    for (const [push, first] of this.first) {
      const [task, number] = push.split(' ').map(Number) as [number, number]
      const sequences = Array.from({ length: entriesOf(number) }, (_, index) => first + index)
      const entries = await log.entries(sequences)
      entries.forEach((entry, index) => {
        const expected = documentId(task, number, index)
        if (entry?.documentId !== expected) missing.push(expected)
      })
    }
    return missing
  }
}

/** Holds a log that was left behind to its promises. @returns its head */
export async function judge (t: Test, path: string, acknowledged: Acknowledged): Promise<number> {
  const log = new SqliteChangeLog(path, { reserveBytes: 0 })
  try {
    const entries = await log.getSince(0, 1e9)
    t.strictSame(await acknowledged.missing(log), [], 'nothing that was answered is lost')
    t.equal(new Set(entries.map(entry => entry.documentId)).size, entries.length, 'nothing is there twice')
    t.ok(entries.every((entry, index) => entry.sequence === index + 1), 'sequences are consecutive')
    return entries.length
  } finally {
    await log.close()
  }
}
