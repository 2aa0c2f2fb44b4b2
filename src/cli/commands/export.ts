import type { LogView } from '../../changelog/view.ts'
import { command, type World } from '../command.ts'
import { CommandError, exitCodes } from '../exit.ts'
import { documentLine, footer, header } from '../export-file.ts'
import { fileTarget, streamTarget, type Target } from '../export-target.ts'
import { dbOption, withView } from '../log.ts'
import { ProgressBar } from '../progress.ts'
import { count, counted, harmless } from '../terminal.ts'

/** Documents of one look at the log. */
const PAGE = 500

export const exportDocuments = command({
  name: 'export',
  summary: 'write all documents as NDJSON',
  usage: '',
  operands: { min: 0, max: 0 },
  about: `Writes the documents as they stand when it begins, in the order of their sequences, one line each, though a
server goes on writing; a first line says of which log and moment, a last one that the file is whole. With
--to, a file that was cut short is gone on with: the same command again, until it says it is whole.
Deleted documents, history, users and channels are not in it: for those there is backup.`,
  options: {
    db: dbOption,
    to: { type: 'string', value: '<file>', summary: 'write to this file, or go on with it; else to stdout' },
    collection: { type: 'string', value: '<name>', summary: 'only documents of this collection' }
  },

  async run ({ options, ...world }) {
    return await withView(options.db, async view => {
      const collection = options.collection ?? null
      if (collection !== null && !(await view.collections()).includes(collection)) throw new CommandError('failed', `the log has no collection "${collection}"`)
      const fresh = { epoch: (await view.epochs()).at(-1)!.id, head: await view.head(), collection }
      const target = options.to === undefined ? streamTarget(world.stdout, fresh) : await fileTarget(options.to, { view, fresh, world })
      try {
        return await write(view, target, world)
      } finally {
        await target.close()
      }
    })
  }
})

async function write (view: LogView, target: Target, world: World): Promise<number> {
  const { stderr, signal } = world
  if (target.whole) {
    await stderr.write(`${harmless(target.name)} is whole already: ${counted(target.documents, 'document')}\n`)
    return exitCodes.ok
  }
  const bar = new ProgressBar('export', world)
  const { head, collection } = target.header
  const snapshot = view.snapshot(head, collection ?? undefined)
  let { documents, position } = target
  if (position === 0 && documents === 0 && !target.begun) await target.write(header(target.header))
  while (position < head) {
    if (signal.aborted) break
    const page = await snapshot.next(position, PAGE)
    await target.write(page.entries.map(documentLine).join(''))
    documents += page.entries.length
    position = page.position
    // On a terminal that shows the documents themselves a bar would stand between them.
    if (target.resumable || !world.stdout.isTerminal) await bar.at(position, head, documents)
    await new Promise(setImmediate)
  }
  await bar.end()
  if (position < head) throw new CommandError('failed', `stopped after ${counted(documents, 'document')}${target.resumable ? '; the same command goes on' : ''}`)
  const late = await snapshot.late()
  await target.write(late.map(documentLine).join('') + footer(documents + late.length))
  await target.sync()
  if (target.resumable) await stderr.write(`${harmless(target.name)} is whole: ${counted(documents + late.length, 'document')} as of sequence ${count(head)}\n`)
  return exitCodes.ok
}
