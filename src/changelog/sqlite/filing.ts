/** Filing all documents anew, for a log that was written under other channels or none, in steps. */
import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { Filer } from '../changelog.ts'
import { ChannelFiles } from './channels.ts'
import type { Database } from './driver.ts'
import type { Medium } from './medium.ts'
import { Names } from './names.ts'

/** Documents of one step: each may be long. */
const STEP = 64

type HeadRow = [sequence: number, collection: number, documentId: string, document: string | null]

/** @param goOn asked between the steps; throws to end it, and the next start does it again */
export async function fileAnew (medium: Medium, { name, channelsOf, goOn }: { name: string, channelsOf: Filer, goOn: () => void }): Promise<void> {
  for (let after: number | null = 0; after !== null; await setImmediate()) {
    goOn()
    const from: number = after
    after = medium.write(({ writer, database }) => writer.transaction(() => step(database, from, channelsOf)))
  }
  medium.write(({ writer, database }) => {
    writer.transaction(() => new ChannelFiles(database).finish(name))
    writer.lookForChannels()
  })
}

/** @returns where the next step begins, null when none is left */
function step (database: Database, after: number, channelsOf: Filer): number | null {
  const names = new Names(database)
  const files = new ChannelFiles(database)
  const heads = database.prepare(`SELECT h.sequence, h.collection, h.document_id, l.document FROM heads h INDEXED BY heads_sequence
    CROSS JOIN log l ON l.sequence = h.sequence WHERE h.sequence > ? ORDER BY h.sequence LIMIT ${STEP}`).raw().all(after) as HeadRow[]
  let moved = false
  for (const [sequence, collection, documentId, document] of heads) {
    const channels = document === null ? [] : channelsOf({ collection: names.name(collection), documentId }, document)
    moved = files.move({ collection, documentId, position: sequence }, channels) || moved
  }
  // With the first that moved: a start that is cut here and does the rest later finds these as they should be.
  if (moved) files.rename(randomBytes(8).toString('hex'))
  return heads.length < STEP ? null : heads.at(-1)![0]
}
