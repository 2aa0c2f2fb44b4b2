/** All commands, in the order of the help. */
import type { Command } from './command.ts'
import { serve } from './commands/serve.ts'
import type { Group } from './help.ts'

export const groups: readonly Group[] = [
  { title: 'Serve', commands: [serve] }
]

export const commands: readonly Command[] = groups.flatMap(group => group.commands)

/** Runs when no command is named. */
export const standard: Command = serve
