/** The program without its process: what `pocket-server` with these words does in this world. */
import { SyncError } from '../errors.ts'
import { version } from '../server.ts'
import { requestOf } from './arguments.ts'
import type { Environment, World } from './command.ts'
import { CommandError, exitCodes, UsageError } from './exit.ts'
import { commandHelp, programHelp } from './help.ts'
import { masked } from './masked.ts'
import { commands, groups, standard } from './registry.ts'
import { harmlessLines } from './terminal.ts'

/** @returns the exit code */
export async function runProgram (argv: readonly string[], world: World): Promise<number> {
  try {
    return await run(argv, world)
  } catch (error) {
    // Whoever read the output has seen enough.
    if ((error as NodeJS.ErrnoException | null)?.code === 'EPIPE') return exitCodes.ok
    if (!(error instanceof CommandError) && !(error instanceof SyncError)) throw error
    const hint = error instanceof UsageError ? '\nTry pocket-server --help' : ''
    await world.stderr.write(`pocket-server: ${harmlessLines(masked(error.message, wordsOf(argv, world.env)))}${hint}\n`)
    return exitCodes[error instanceof CommandError ? error.kind : 'failed']
  }
}

/** What was said on the command line and in its variables. */
function wordsOf (argv: readonly string[], env: Environment): string[] {
  const given = argv.flatMap(word => word.startsWith('--') ? word.slice(word.indexOf('=') + 1) : word)
  return [...given, ...Object.entries(env).flatMap(([name, value]) => name.startsWith('POCKET_') && value !== undefined ? value : [])]
}

async function run (argv: readonly string[], world: World): Promise<number> {
  const request = requestOf(argv, world.env, { commands, standard })
  if (request.what === 'run') {
    const { command, options, operands } = request
    return await command.run({ ...world, options, operands })
  }
  if (request.what === 'version') await world.stdout.write(`${version}\n`)
  else await world.stdout.write(request.command === null ? programHelp(groups, standard) : commandHelp(request.command))
  return exitCodes.ok
}
