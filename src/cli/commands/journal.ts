import { oneOf, wholeNumber } from '../arguments.ts'
import { command, type World } from '../command.ts'
import { CommandError, exitCodes, UsageError } from '../exit.ts'
import { writeJournalRow } from '../journal-lines.ts'
import { dbOption, jsonOption, withView } from '../log.ts'
import { withPocket } from '../pocket.ts'
import { tellResult } from '../results.ts'

const PAGE = 100
const held = 'end the server first, or call the library where it runs'

export const journal = command({
  name: 'journal',
  summary: 'list changes that were not taken over; drop or replay one',
  usage: '[list | discard <id> | replay <id>]',
  operands: { min: 0, max: 2 },
  about: `The journal keeps what lost a conflict or was refused, as it came. list shows it, newest first, also while a
server uses the log. replay pushes a change again, on top of what stands, so that it wins, and drops it from
the journal once it is taken over; discard drops it. These two take the log for themselves.`,
  options: {
    db: dbOption,
    collection: { type: 'string', value: '<name>', summary: 'with list: only changes of this collection' },
    json: jsonOption
  },

  async run ({ options: { db, collection, json }, operands, ...world }) {
    const task = oneOf('what to do', operands[0] ?? 'list', ['list', 'discard', 'replay'])
    if (task === 'list') {
      if (operands[1] !== undefined) throw new UsageError(`journal list takes no id, not "${operands[1]}" either`)
      return await list(db, collection, { ...world, json })
    }
    if (operands[1] === undefined) throw new UsageError(`journal ${task} needs the id of a change, which journal list shows`)
    const id = wholeNumber('the id', operands[1], { min: 1 })
    if (task === 'replay') {
      const result = await withPocket(db, { held }, pocket => pocket.replayJournal(id))
      return await tellResult(result, `change ${id} of the journal`, world)
    }
    const there = await withPocket(db, { held }, pocket => pocket.discardJournal(id))
    if (!there) throw new CommandError('failed', `the journal has no change ${id}`)
    await world.stdout.write(`change ${id} is dropped from the journal\n`)
    return exitCodes.ok
  }
})

async function list (db: string, collection: string | undefined, { stdout, signal, json }: World & { json: boolean }): Promise<number> {
  return await withView(db, async view => {
    for (let before = Infinity; ;) {
      const rows = await view.journal({ before, limit: PAGE, ...collection !== undefined && { collection } })
      for (const row of rows) await writeJournalRow(stdout, row, json)
      if (rows.length < PAGE || signal.aborted) return exitCodes.ok
      before = rows.at(-1)!.id
    }
  })
}
