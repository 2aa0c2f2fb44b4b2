/** The program within this process: what it prints, and how it ends. */
import type { World } from '../../src/cli/command.ts'
import { runProgram } from '../../src/cli/program.ts'

export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * @param options.columns of a terminal that stdout and stderr are; absent: they are none
 * @param options.until once this was printed, the command is asked to end
 */
export async function runHere (argv: readonly string[], options: Partial<Omit<World, 'stdout' | 'stderr'>> & { columns?: number, until?: string, onStdout?: (text: string) => void } = {}): Promise<Ended> {
  const { columns, until, onStdout, ...world } = options
  const enough = new AbortController()
  const texts = { stdout: '', stderr: '' }
  const writer = (name: keyof typeof texts): World['stdout'] => ({
    isTerminal: columns !== undefined,
    columns: columns ?? 80,
    async write (text) {
      texts[name] += text
      if (name === 'stdout') onStdout?.(texts.stdout)
      if (until !== undefined && texts[name].includes(until)) enough.abort('SIGINT')
    }
  })
  const code = await runProgram(argv, {
    stdin: async function * () {},
    env: {},
    signal: enough.signal,
    now: Date.now,
    onUnhandled () {},
    ...world,
    stdout: writer('stdout'),
    stderr: writer('stderr')
  })
  return { code, ...texts }
}
