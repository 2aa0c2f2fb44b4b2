import { backupLog } from '../../backends.ts'
import { command } from '../command.ts'
import { exitCodes } from '../exit.ts'
import { dbOption, jsonOption } from '../log.ts'
import { onFiles } from '../on-files.ts'
import { ProgressBar } from '../progress.ts'
import { bytes, harmless, writeJson } from '../terminal.ts'

export const backup = command({
  name: 'backup',
  summary: 'copy the log into one file',
  usage: '<file>',
  operands: { min: 1, max: 1 },
  about: `Copies the log as it is at this moment into one file, also while a server writes it: pushes go on, and
the log's WAL grows until the copy is made. The copy is verified, and takes its name only when it is whole
and on the disk; one that fails or is stopped leaves nothing behind.`,
  options: {
    db: dbOption,
    force: { type: 'boolean', summary: 'replace the file if it is there' },
    json: jsonOption
  },

  async run ({ options, operands, stdout, stderr, signal, now }) {
    const bar = new ProgressBar('backup', { stderr, now })
    try {
      const made = await onFiles(() => backupLog(options.db, operands[0]!, {
        force: options.force,
        signal,
        onProgress: ({ copied, total }) => { bar.at(copied, total).catch(() => {}) }
      }))
      await bar.end()
      if (options.json) await writeJson(stdout, JSON.stringify(made))
      else await stdout.write(`${harmless(made.path)} is a whole backup of ${bytes(made.bytes)}\n`)
      return exitCodes.ok
    } catch (error) {
      await bar.end()
      if (!signal.aborted) throw error
      await stderr.write('pocket-server: stopped before the end: there is no backup\n')
      return exitCodes.failed
    }
  }
})
