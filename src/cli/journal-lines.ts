/** Journal rows as a line each. What came is text that was refused: it is shown, never served as JSON. */
import type { JournalRow } from '../changelog/changelog.ts'
import type { Writer } from './command.ts'
import { cut, harmless, time, writeJson } from './terminal.ts'

const LEAST = 40

export async function writeJournalRow (writer: Writer, row: JournalRow, asJson: boolean): Promise<void> {
  if (asJson || !writer.isTerminal) return await writeJson(writer, JSON.stringify(row))
  const { id, status, code, collection, documentId, serverTimestamp, userId, clientId, raw } = row
  const who = [userId, clientId].filter(name => name !== null).join('@')
  const facts = harmless(`${String(id).padStart(8)}  ${time(serverTimestamp)}  ${status}  ${code}  ${collection}/${documentId}${who === '' ? '' : `  ${who}`}`)
  await writer.write(`${facts}  ${cut(harmless(raw), Math.max(LEAST, writer.columns - facts.length - 2))}\n`)
}
