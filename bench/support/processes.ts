/** The processes of a measurement: the server under test as users run it, and helpers that talk over IPC. */
import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Of the clock in which Linux counts a process's CPU time. */
export const MS_PER_TICK = 10

/** Something that listens on a port of this machine. */
export interface Target {
  readonly port: number
  readonly pid: number
  stop (): Promise<void>
}

/** CPU time a process has used so far, ms. */
export function cpuMs (pid: number): number {
  const fields = statOf(pid)
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
}

/** The same of a process and its children, those that have ended included, ms. */
export function familyCpuMs (parent: number): number {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number)
  const children = pids.filter(pid => ended(() => Number(statOf(pid)[1]), null) === parent)
  const gone = (Number(statOf(parent)[13]) + Number(statOf(parent)[14])) * MS_PER_TICK
  return [parent, ...children].reduce((sum, pid) => sum + ended(() => cpuMs(pid), 0), gone)
}

/** From the state on, which is the third field: what comes before may hold blanks. */
function statOf (pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** A process may be gone between two looks. */
function ended<T> (look: () => T, otherwise: T): T {
  try {
    return look()
  } catch {
    return otherwise
  }
}

/** Memory of a process that lies in RAM, bytes. */
export function residentBytes (pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) * 1024
}

/** `pocket-server serve` from the build, on a port of its own choice. @param nodeArgs for node itself, e.g. a profiler's */
export async function startServer (db: string, nodeArgs: readonly string[] = [], options: readonly string[] = []): Promise<Target> {
  const args = [...nodeArgs, 'dist/src/cli.js', 'serve', '--db', db, '--port', '0', '--log-level', 'error', ...options]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  const port = await listeningPort(child)
  return { port, pid: child.pid!, stop: () => stop(child) }
}

async function listeningPort (child: ChildProcess): Promise<number> {
  for await (const line of createInterface({ input: child.stdout! })) {
    const port = /http:\/\/[^:]+:(\d+)/.exec(line)?.[1]
    if (port !== undefined) return Number(port)
  }
  throw new Error('the server ended before it listened: run "npm run build" first')
}

/** A script of this folder in a process of its own; it answers each question with one message. */
export class Helper {
  readonly #child: ChildProcess

  private constructor (child: ChildProcess) {
    this.#child = child
  }

  /** @param script file name in this folder, @param args for the script */
  static start (script: string, args: readonly string[] = []): Helper {
    const file = fileURLToPath(new URL(script, import.meta.url))
    return new Helper(fork(file, [...args], { cwd: root, execArgv: file.endsWith('.ts') ? ['--import', 'tsx'] : ['--no-warnings'] }))
  }

  get pid (): number {
    return this.#child.pid!
  }

  async ask<T> (question: object): Promise<T> {
    this.#child.send(question)
    return await this.said<T>()
  }

  /** The next message it sends. */
  async said<T> (): Promise<T> {
    const ended = new AbortController()
    const exit = once(this.#child, 'exit', { signal: ended.signal }).then(() => { throw new Error('a helper process ended early') })
    exit.catch(() => {})
    try {
      const [answer] = await Promise.race([once(this.#child, 'message', { signal: ended.signal }), exit]) as [T & { error?: string }]
      if (answer.error !== undefined) throw new Error(answer.error)
      return answer
    } finally {
      ended.abort()
    }
  }

  async stop (): Promise<void> {
    await stop(this.#child)
  }
}

/** A helper that listens and says where. */
export async function startTarget (script: string, args: readonly string[] = []): Promise<Target> {
  const helper = Helper.start(script, args)
  const { port } = await helper.said<{ port: number }>()
  return { port, pid: helper.pid, stop: () => helper.stop() }
}

async function stop (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

/** For a helper: answers each question of its parent; an error is passed on. */
export function answerQuestions<Q> (answer: (question: Q) => Promise<object> | object): void {
  process.on('message', (question: Q) => {
    Promise.resolve(question).then(answer).then(
      result => process.send!(result),
      (error: unknown) => process.send!({ error: error instanceof Error ? error.stack : String(error) }))
  })
  process.on('disconnect', () => process.exit())
}
