/** All commands, in the order of the help. */
import type { Command } from './command.ts'
import { backup } from './commands/backup.ts'
import { check } from './commands/check.ts'
import { restore } from './commands/restore.ts'
import { serve } from './commands/serve.ts'
import { stats } from './commands/stats.ts'
import { tail } from './commands/tail.ts'
import type { Group } from './help.ts'

export const groups: readonly Group[] = [
  { title: 'Serve', commands: [serve] },
  { title: 'Look at the log, while a server uses it too', commands: [stats, tail, check] },
  { title: 'Save it and put it back', commands: [backup, restore] }
]

export const commands: readonly Command[] = groups.flatMap(group => group.commands)

/** Runs when no command is named. */
export const standard: Command = serve
