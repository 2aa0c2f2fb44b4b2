import { wholeNumber } from '../arguments.ts'
import { command } from '../command.ts'
import { dbOption } from '../log.ts'
import { withPocket } from '../pocket.ts'
import { tellResult } from '../results.ts'

export const revert = command({
  name: 'revert',
  summary: 'make an old version of a document the newest again',
  usage: '<collection> <documentId> <sequence>',
  operands: { min: 3, max: 3 },
  about: `Writes the version with that sequence, one of those that history lists, as a new change: clients get it like
any other, and the versions after it stay in the history. A deleted document comes back; a version that is
a deletion deletes. Takes the log for itself.`,
  options: { db: dbOption },

  async run ({ options, operands, ...world }) {
    const [collection, documentId] = operands as [string, string]
    const sequence = wholeNumber('the sequence', operands[2]!, { min: 1 })
    const held = 'end the server first, or call revert() of the library where it runs'
    const result = await withPocket(options.db, { held }, pocket => pocket.revert(collection, documentId, sequence))
    return await tellResult(result, `version ${sequence} of ${collection}/${documentId}`, world)
  }
})
