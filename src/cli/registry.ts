/** All commands, in the order of the help. */
import type { Command } from './command.ts'
import { audit } from './commands/audit.ts'
import { backup } from './commands/backup.ts'
import { check } from './commands/check.ts'
import { compact } from './commands/compact.ts'
import { copy } from './commands/copy.ts'
import { doctor } from './commands/doctor.ts'
import { erase } from './commands/erase.ts'
import { exportDocuments } from './commands/export.ts'
import { history } from './commands/history.ts'
import { importDocuments } from './commands/import.ts'
import { journal } from './commands/journal.ts'
import { restore } from './commands/restore.ts'
import { revert } from './commands/revert.ts'
import { serve } from './commands/serve.ts'
import { stats } from './commands/stats.ts'
import { tail } from './commands/tail.ts'
import { token } from './commands/token.ts'
import type { Group } from './help.ts'
import { perTenant } from './tenant.ts'

export const groups: readonly Group[] = [
  { title: 'Serve', commands: [serve, token, doctor] },
  { title: 'Look at the log, while a server uses it too', commands: [stats, tail, history, journal, audit, check].map(perTenant) },
  { title: 'Save it and put it back, or elsewhere', commands: [...[backup, restore].map(perTenant), copy] },
  { title: 'Move documents', commands: [exportDocuments, importDocuments].map(perTenant) },
  { title: 'Change the log, while no server uses it', commands: [revert, erase, compact].map(perTenant) }
]

export const commands: readonly Command[] = groups.flatMap(group => group.commands)

/** Runs when no command is named. */
export const standard: Command = serve
