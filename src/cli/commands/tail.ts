import { setTimeout as pause } from 'node:timers/promises'
import type { LogView } from '../../changelog/view.ts'
import { wholeNumber } from '../arguments.ts'
import { command } from '../command.ts'
import { exitCodes, UsageError } from '../exit.ts'
import { dbOption, jsonOption, withView } from '../log.ts'
import { writeEntry } from '../entry-lines.ts'

/** How often the log is looked at, ms. */
const POLL = 200
/** Entries of one look. */
const PAGE = 200

export const tail = command({
  name: 'tail',
  summary: 'follow the log live',
  usage: '',
  operands: { min: 0, max: 0 },
  about: `Prints every entry as it is committed, superseded versions too: on a terminal a line for people, else
JSON, one object per line. Works while a server uses the log. Ends with 0 at SIGINT.`,
  options: {
    db: dbOption,
    from: { type: 'string', value: '<n|now>', default: 'now', summary: 'begin after this sequence; 0 for all that is kept' },
    collection: { type: 'string', value: '<name>', summary: 'only entries of this collection' },
    json: jsonOption
  },

  async run ({ options, stdout, signal }) {
    const { from, collection } = options
    if (from !== 'now' && !/^\d+$/.test(from)) throw new UsageError(`--from is a sequence or now, not "${from}"`)
    return await withView(options.db, async view => {
      let position = from === 'now' ? await view.head() : wholeNumber('--from', from)
      while (!signal.aborted) {
        const entries = await view.since(position, PAGE)
        for (const entry of entries) {
          if (collection === undefined || entry.collection === collection) await writeEntry(stdout, entry, options.json)
          position = entry.sequence
        }
        if (entries.length < PAGE) await untilMoved(view, signal)
      }
      return exitCodes.ok
    })
  }
})

async function untilMoved (view: LogView, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !await view.moved()) await pause(POLL, undefined, { signal }).catch(() => {})
}
