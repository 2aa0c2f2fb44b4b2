import { command } from '../command.ts'
import { writeEntry } from '../entry-lines.ts'
import { CommandError, exitCodes } from '../exit.ts'
import { writeJournalRow } from '../journal-lines.ts'
import { dbOption, jsonOption, withView } from '../log.ts'

const PAGE = 100

export const history = command({
  name: 'history',
  summary: 'list the kept versions of a document',
  usage: '<collection> <documentId>',
  operands: { min: 2, max: 2 },
  about: `Newest first; after the versions come the changes of this document that were not taken over, from the
journal. A version is brought back with revert. Works while a server uses the log.`,
  options: { db: dbOption, json: jsonOption },

  async run ({ options, operands, stdout, signal }) {
    const [collection, documentId] = operands as [string, string]
    const key = { collection, documentId }
    return await withView(options.db, async view => {
      let found = 0
      for (let before = Infinity; ;) {
        const entries = await view.history(key, before, PAGE)
        for (const entry of entries) await writeEntry(stdout, entry, options.json)
        found += entries.length
        if (entries.length < PAGE || signal.aborted) break
        before = entries.at(-1)!.sequence
      }
      for (let before = Infinity; ;) {
        const rows = await view.journal({ ...key, before, limit: PAGE })
        for (const row of rows) await writeJournalRow(stdout, row, options.json)
        found += rows.length
        if (rows.length < PAGE || signal.aborted) break
        before = rows.at(-1)!.id
      }
      if (found === 0) throw new CommandError('failed', `the log holds nothing of ${collection}/${documentId}`)
      return exitCodes.ok
    })
  }
})
