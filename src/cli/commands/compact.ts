import { command } from '../command.ts'
import { CommandError, exitCodes } from '../exit.ts'
import { dbOption, withView } from '../log.ts'
import { withPocket } from '../pocket.ts'
import { retentionOf, retentionOptions } from '../retention.ts'
import { bytes } from '../terminal.ts'

const BY_ITSELF = 'a server that runs compacts by itself, every hour, by the same options; start it with others to have it drop more'

export const compact = command({
  name: 'compact',
  summary: 'drop what is past its retention, and shrink the file',
  usage: '',
  operands: { min: 0, max: 0 },
  about: `The newest version of every document stays. Purging tombstones moves the horizon: clients that slept for
longer start over. Takes the log for itself: ${BY_ITSELF.replace('; ', ';\n')}.`,
  options: { db: dbOption, ...retentionOptions },

  async run ({ options, stdout, signal }) {
    const retention = retentionOf(options)
    const before = await withView(options.db, async view => view.bytes())
    await withPocket(options.db, { held: BY_ITSELF, retention }, async (pocket, store) => {
      // Between two steps a compaction can be left; the next one goes on from there.
      signal.addEventListener('abort', () => { store.close().catch(() => {}) }, { once: true })
      await pocket.compact()
    })
    if (signal.aborted) throw new CommandError('failed', 'stopped before the end; what was dropped so far is dropped, and the same command goes on')
    const after = await withView(options.db, async view => view.bytes())
    await stdout.write(before === null || after === null ? 'compacted\n' : `compacted: ${bytes(before)} before, ${bytes(after)} now\n`)
    return exitCodes.ok
  }
})
