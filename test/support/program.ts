/** The program within this process: what it prints, and how it ends. */
import type { World } from '../../src/cli/command.ts'
import { runProgram } from '../../src/cli/program.ts'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** @param options.columns of a terminal that stdout and stderr are; absent: they are none */
export async function runHere (argv: readonly string[], options: Partial<Omit<World, 'stdout' | 'stderr'>> & { columns?: number } = {}): Promise<Ended> {
  const { columns, ...world } = options
  const texts = { stdout: '', stderr: '' }
  const writer = (name: keyof typeof texts): World['stdout'] => ({
    isTerminal: columns !== undefined,
    columns: columns ?? 80,
    async write (text) { texts[name] += text }
  })
  const code = await runProgram(argv, {
    stdin: async function * () {},
    env: {},
    signal: new AbortController().signal,
    now: Date.now,
    onUnhandled () {},
    ...world,
    stdout: writer('stdout'),
    stderr: writer('stderr')
  })
  return { code, ...texts }
}
