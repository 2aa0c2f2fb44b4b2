import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { wholeNumber } from '../arguments.ts'
import { command, type World } from '../command.ts'
import { CommandError, exitCodes } from '../exit.ts'
import { openBackend } from '../../backends.ts'
import { openLocalPushes } from '../../local.ts'
import { Importer, type Tally } from '../importer.ts'
import { assertWritable, dbOption, openForWriting } from '../log.ts'
import { ProgressBar } from '../progress.ts'
import { strategyOf, strategyOption } from '../strategy.ts'
import { counted, harmless } from '../terminal.ts'

const STDIN = '-'

export const importDocuments = command({
  name: 'import',
  summary: 'read documents from NDJSON, as pushes',
  usage: '<file|->',
  operands: { min: 1, max: 1 },
  about: `Reads what export writes, or with --collection plain documents, one JSON object with an _id per line.
Every line is a push and meets the same rules: one that is refused is told with its number, the others go
on, and the end is 1; where another version is stored, the strategy says what stands. What was imported
before is known and makes no new entry: after an error or a kill give the same command again. Takes the log
for itself.`,
  options: {
    db: dbOption,
    collection: { type: 'string', value: '<name>', summary: 'the lines are documents of this collection' },
    timestamp: { type: 'string', value: '<ms>', summary: 'when the documents were edited (when the file was, or now)' },
    'conflict-strategy': strategyOption,
    'dry-run': { type: 'boolean', summary: 'only say which lines would be refused for what they are' }
  },

  async run ({ options, operands, ...world }) {
    const file = operands[0]!
    const timestamp = options.timestamp === undefined ? await editedAt(file, world) : wholeNumber('--timestamp', options.timestamp)
    const log = options['dry-run'] ? ':memory:' : options.db
    const store = options['dry-run'] ? await openBackend(log) : await openForWriting(log, { held: 'end the server first, or push the documents to it over HTTP' })
    await assertWritable(store)
    const pushes = await openLocalPushes(store, { conflictStrategy: strategyOf(options) })
    const bar = new ProgressBar('import', world)
    const importer = new Importer({
      collection: options.collection ?? null,
      timestamp,
      push: body => pushes.push(body, 'import'),
      // Nothing of a dry run is kept.
      afterBatch: async () => { if (options['dry-run']) await store.clear() },
      tell: async line => {
        await bar.end()
        await world.stderr.write(`${harmless(line)}\n`)
      }
    })
    try {
      await read(file, importer, { world, bar })
      return await tell(importer.tally, { ...world, dryRun: options['dry-run'] })
    } catch (error) {
      if (error instanceof CommandError) throw error
      throw new CommandError('log', `stopped at line ${importer.tally.lines}: ${(error as Error).message}; the same command goes on`, error)
    } finally {
      await bar.end()
      await pushes.close()
      await store.close()
    }
  }
})

/** The same for the same file, so that its documents are known when they come again. */
async function editedAt (file: string, { now }: World): Promise<number> {
  if (file === STDIN) return now()
  try {
    const found = await stat(file)
    if (found.isDirectory()) throw new Error('it is a folder')
    return Math.floor(found.mtimeMs)
  } catch (error) {
    throw new CommandError('log', `cannot read ${file}: ${(error as Error).message}`, error)
  }
}

async function read (file: string, importer: Importer, { world, bar }: { world: World, bar: ProgressBar }): Promise<void> {
  const total = file === STDIN ? 0 : (await stat(file)).size
  const chunks = file === STDIN ? world.stdin() : createReadStream(file)
  await importer.run(chunks, async end => {
    if (world.signal.aborted) throw new CommandError('failed', `stopped at line ${importer.tally.lines}; the same command goes on`)
    await bar.at(end, total, importer.tally.documents)
  })
}

async function tell ({ documents, applied, duplicate, kept, refused, cutShort }: Tally, { stderr, dryRun }: World & { dryRun: boolean }): Promise<number> {
  const of = counted(documents, 'document')
  if (dryRun) await stderr.write(`dry run: ${of} read, ${refused} refused; nothing was written\n`)
  else await stderr.write(`imported ${of}: ${applied} new, ${duplicate} there already, ${kept} where what is stored stands, ${refused} refused\n`)
  if (cutShort) await stderr.write('the export was cut short: its last line is missing, and so may be documents; export --to the same file goes on with it\n')
  return refused > 0 || cutShort ? exitCodes.failed : exitCodes.ok
}
