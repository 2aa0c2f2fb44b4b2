import { restoreLog } from '../../backends.ts'
import { command } from '../command.ts'
import { exitCodes } from '../exit.ts'
import { dbOption, jsonOption } from '../log.ts'
import { onFiles } from '../on-files.ts'
import { harmless, writeJson } from '../terminal.ts'

export const restore = command({
  name: 'restore',
  summary: 'put a backup in the place of the log',
  usage: '<file>',
  operands: { min: 1, max: 1 },
  about: `Verifies a copy of the backup and puts it where the log lies; stop the server first. The log that lies
there is kept beside it under a name with the time. If this is cut short, the log is the old one or the
backup, whole, at the next start. Then clients that had read further than the backup goes are told to
resync, and offer again what they had pushed since; the others go on.`,
  options: {
    db: dbOption,
    discard: { type: 'boolean', summary: 'do not keep the log that is replaced' },
    json: jsonOption
  },

  async run ({ options, operands, stdout }) {
    const restored = await onFiles(() => restoreLog(options.db, operands[0]!, { discard: options.discard }))
    const { path, head, aside } = restored
    if (options.json) await writeJson(stdout, JSON.stringify(restored))
    else await stdout.write(`${harmless(path)} is restored up to sequence ${head}${aside === null ? '' : `; the log that was there is ${harmless(aside)}`}\n`)
    return exitCodes.ok
  }
})
