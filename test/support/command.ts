/** A command of the built program as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ownEnv } from './own-env.ts'
import type { Ended } from './program.ts'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

export interface CommandProcess {
  readonly child: ChildProcess
  /** What it printed so far. */
  stdout (): string
  readonly ended: Promise<Omit<Ended, 'code'> & { code: number | null }>
}

interface Test { teardown (action: () => unknown): void }

export function startCommand (t: Test, args: readonly string[]): CommandProcess {
  const env = Object.fromEntries(Object.entries(ownEnv()).filter(([name]) => !name.startsWith('POCKET_')))
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => { stdout += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString() })
  return { child, stdout: () => stdout, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })) }
}
