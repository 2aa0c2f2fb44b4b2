/** What the servers that tests start have in common: a folder of their own, and an end with the test. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { ownEnv } from '../own-env.ts'

export interface Test { teardown (action: () => unknown): void }

export interface Service {
  readonly port: number
  readonly url: string
  readonly pid: number
  /** Ends it at once, as a crash does, and waits until it is gone. */
  kill (): Promise<void>
  /** Starts it anew on the same port and data, after `kill`. */
  start (): Promise<void>
  /** Holds all its processes, and lets them go on. */
  pause (): void
  resume (): void
}

export interface Program {
  readonly command: readonly string[]
  readonly cwd: string
  readonly port: number
  readonly uid?: number
  readonly gid?: number
}

/** For a disk that is busy. */
const START_MS = 30_000

/** One process and its children, which are a group. */
export class Running {
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>

  private constructor (child: ChildProcess) {
    this.#child = child
    this.#gone = once(child, 'exit')
  }

  /** @throws Error with what it wrote when it does not listen */
  static async start ({ command, cwd, port, uid, gid }: Program): Promise<Running> {
    let output = ''
    const child = spawn(command[0]!, command.slice(1), { cwd, env: ownEnv(), detached: true, stdio: ['ignore', 'pipe', 'pipe'], ...uid !== undefined && { uid }, ...gid !== undefined && { gid } })
    child.once('exit', endsWithUs(child.pid!))
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => { output = `${output}${text.toString()}`.slice(-10_000) })
    const running = new Running(child)
    for (const limit = performance.now() + START_MS; !await accepts(port); await sleep(20)) {
      if (child.exitCode === null && child.signalCode === null && performance.now() < limit) continue
      await running.kill()
      throw new Error(`${command[0]!} does not listen: ${output}`)
    }
    return running
  }

  get pid (): number {
    return this.#child.pid!
  }

  signal (name: NodeJS.Signals): void {
    signalGroup(this.pid, name)
  }

  async kill (): Promise<void> {
    this.signal('SIGKILL')
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#gone
  }
}

/**
 * Ends a process and its children with this one, also where that is killed and can end nothing: its end of the pipe
 * closes in any case. @returns lets them be, once they are gone
 */
export function endsWithUs (group: number): () => void {
  const guard = spawn('sh', ['-c', 'cat; kill -9 "-$1"', 'sh', String(group)], { env: ownEnv(), detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  guard.unref();
  (guard.stdin as Socket).unref()
  return () => signalGroup(guard.pid!, 'SIGKILL')
}

/** To a process and its children, if they are still there. */
export function signalGroup (group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name)
  } catch {}
}

/** Whether somebody listens there, on this machine. */
export async function accepts (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const accepted = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'close').then(() => false)]).catch(() => false)
  socket.destroy()
  return accepted
}
