/** The built program as a process of its own, as an operator runs it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ownEnv } from './own-env.ts'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

export interface ServerProcess {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly child: ChildProcess
  /** Everything it wrote so far, both streams. */
  output (): string
  /** Ends it and waits until it is gone. Default SIGTERM. */
  stop (signal?: NodeJS.Signals): Promise<{ code: number | null, signal: NodeJS.Signals | null }>
}

export interface StartOptions {
  readonly db: string
  /** Default 0: any free one. */
  readonly port?: number
  readonly args?: readonly string[]
  /** Further arguments of node itself. */
  readonly nodeArgs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Another build of the program. */
  readonly cli?: string
  /** A program that runs it, with its arguments: strace, say. */
  readonly wrap?: readonly string[]
}

/** Resolves when it listens. */
export async function startServer (options: StartOptions): Promise<ServerProcess> {
  const { db, port = 0, args = [], nodeArgs = [], env = {}, wrap = [], cli = CLI } = options
  const command = [...wrap, process.execPath, ...nodeArgs, cli, 'serve', '--db', db, '--port', String(port), ...args]
  const child = spawn(command[0]!, command.slice(1), { env: ownEnv(env), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const gone = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(output)
      if (found !== null) resolve(found[0])
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.on('error', reject)
    gone.then(([code, signal]) => reject(new Error(`the server ended with ${code ?? signal}:\n${output}`)), reject)
  })
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid!,
    child,
    output: () => output,
    async stop (signal = 'SIGTERM') {
      child.kill(signal)
      const [code, by] = await gone
      return { code, signal: by }
    }
  }
}
