import type { Result } from '../../schema/push-response.ts'
import type { World } from './command.ts'
import { exitCodes } from './exit.ts'
import { harmless } from './terminal.ts'

/** Says what became of a change that a command made. @returns the exit code */
export async function tellResult ({ status, sequence, error }: Result, what: string, { stdout, stderr }: Pick<World, 'stdout' | 'stderr'>): Promise<number> {
  if (status === 'applied' || status === 'merged' || status === 'duplicate') {
    const place = sequence === undefined ? '' : status === 'duplicate' ? ` as entry ${sequence}` : `: entry ${sequence}`
    await stdout.write(`${harmless(what)} is ${status === 'duplicate' ? 'there already' : status}${place}\n`)
    return exitCodes.ok
  }
  const why = error === undefined ? 'another change stands against it; look at the history again' : `${error.code}: ${error.detail}`
  await stderr.write(`pocket-server: ${harmless(`${what} is not taken over (${status}): ${why}`)}\n`)
  return exitCodes.failed
}
