/** Entries as a line each: for people, or as JSON. */
import type { StoredEntry } from '../changelog/changelog.ts'
import type { Writer } from './command.ts'
import { oneLine } from './export-file.ts'
import { cut, harmless, time, writeJson } from './terminal.ts'

/** Columns for a document where the terminal is narrow, or none. */
const LEAST = 40

/** @param asJson also where stdout is a terminal */
export async function writeEntry (writer: Writer, entry: StoredEntry, asJson: boolean): Promise<void> {
  if (asJson || !writer.isTerminal) await writeJson(writer, entryJson(entry))
  else await writer.write(`${readableEntry(entry, writer.columns)}\n`)
}

/** The document's text as it is stored, never parsed. */
function entryJson ({ sequence, id, operation, collection, documentId, document, timestamp, serverTimestamp, userId, clientId, address, rev, previous, exact }: StoredEntry): string {
  const facts = JSON.stringify({ sequence, id, operation, collection, documentId, timestamp, serverTimestamp, userId, clientId, address, rev, previous, exact })
  return `${facts.slice(0, -1)},"document":${document === null ? 'null' : oneLine(document)}}`
}

function readableEntry ({ sequence, operation, collection, documentId, document, serverTimestamp, userId, clientId }: StoredEntry, columns: number): string {
  const who = [userId, clientId].filter(name => name !== null).join('@')
  const facts = harmless(`${String(sequence).padStart(8)}  ${time(serverTimestamp)}  ${operation}  ${collection}/${documentId}${who === '' ? '' : `  ${who}`}`)
  return document === null ? facts : `${facts}  ${cut(harmless(document), Math.max(LEAST, columns - facts.length - 2))}`
}
