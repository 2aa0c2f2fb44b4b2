import type { Figures } from '../../changelog/view.ts'
import { command } from '../command.ts'
import { CommandError, exitCodes } from '../exit.ts'
import { dbOption, jsonOption, withView } from '../log.ts'
import { ProgressBar } from '../progress.ts'
import { bytes, count, harmless, table, time, writeJson } from '../terminal.ts'

export const stats = command({
  name: 'stats',
  summary: 'say what the log holds, and how large it is',
  usage: '',
  operands: { min: 0, max: 0 },
  about: 'Counts documents, tombstones and entries, by collection too; names head, horizon and epochs, and the sizes\nof the file and its WAL. Works while a server uses the log, and changes nothing.',
  options: { db: dbOption, json: jsonOption },

  async run ({ options, stdout, stderr, signal, now }) {
    return await withView(options.db, async view => {
      const bar = new ProgressBar('count', { stderr, now })
      const counting = view.figures()
      for (let step = await counting.next(); ; step = await counting.next()) {
        if (step.done === true) {
          await bar.end()
          if (options.json) await writeJson(stdout, JSON.stringify(step.value))
          else await stdout.write(readable(step.value, now()))
          return exitCodes.ok
        }
        if (signal.aborted) throw new CommandError('failed', 'stopped before everything was counted')
        await bar.at(step.value.done, step.value.total)
        await new Promise(setImmediate)
      }
    })
  }
})

function readable (figures: Figures, now: number): string {
  const { oldest, newest, epochs } = figures
  const latest = epochs.at(-1)
  const rows = [
    ...placeRows(figures),
    ['documents', count(figures.documents)],
    ['tombstones', count(figures.tombstones)],
    ['entries', count(figures.entries)],
    ['head', String(figures.head)],
    ['horizon', String(figures.horizon)],
    ['epochs', latest === undefined ? 'none' : `${count(epochs.length)}, the newest ${latest.id} from ${latest.first} on, begun ${time(latest.started)}`],
    ['oldest entry', oldest === null ? 'none' : `${oldest.sequence}, ${time(oldest.serverTimestamp)} (${age(now - oldest.serverTimestamp)})`],
    ['newest entry', newest === null ? 'none' : `${newest.sequence}, ${time(newest.serverTimestamp)} (${age(now - newest.serverTimestamp)})`],
    ['identities', count(figures.identities)],
    ['push records', count(figures.pushes)],
    ['journal rows', count(figures.journal)],
    ['channel rows', count(figures.channels)],
    ...figures.layout === null ? [] : [['layout', String(figures.layout)]]
  ]
  if (figures.collections.length === 0) return `${table(rows)}\n`
  const collections = figures.collections.map(({ name, documents, tombstones }) => [harmless(name), count(documents), count(tombstones)])
  return `${table(rows)}\n\n${table([['collection', 'documents', 'tombstones'], ...collections])}\n`
}

function placeRows ({ path, fileBytes, freeBytes, walBytes }: Figures): string[][] {
  if (fileBytes === null || freeBytes === null || walBytes === null) return [['log', path]]
  return [['file', path], ['size', `${bytes(fileBytes)}, of which ${bytes(freeBytes)} free; WAL ${bytes(walBytes)}`]]
}

const UNITS = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000]] as const

function age (ms: number): string {
  for (const [name, length] of UNITS) {
    const whole = Math.floor(ms / length)
    if (whole >= 1) return `${whole} ${name}${whole === 1 ? '' : 's'} ago`
  }
  return 'just now'
}
