import { createHash } from 'node:crypto'
import type { AppDocument, Channels } from '../access.ts'
import type { ChangeStore } from '../changelog/changelog.ts'
import type { Logger } from '../config.ts'

/** Channels of a document, and their bytes, at most. */
const CHANNELS = 100
const CHANNEL_BYTES = 256
/** Documents that channels fails on, told one by one. */
const TOLD = 10

/**
 * Under which channels a version is filed.
 * @param text as JSON; null, a deletion, is filed nowhere
 * @throws whatever the application's rule throws; TypeError when it names none that can be kept
 */
export function channelsFor (channels: Channels, collection: string, text: string | null): readonly string[] {
  if (text === null) return []
  const names: unknown = channels(collection, JSON.parse(text) as AppDocument)
  if (!Array.isArray(names) || !names.every(isChannel)) throw new TypeError(`channels must return an array of texts of 1 to ${CHANNEL_BYTES} bytes`)
  const distinct = [...new Set(names as string[])]
  if (distinct.length > CHANNELS) throw new TypeError(`channels named more than ${CHANNELS}`)
  return distinct
}

/**
 * Makes sure, at the start, that all documents are filed by this function; its text is what it is known by. Documents
 * that it fails on are filed nowhere.
 * @throws TypeError when the change log has no channels
 */
export async function fileAll (store: ChangeStore, channels: Channels, logger: Pick<Logger, 'error' | 'info'>): Promise<void> {
  if (!store.supports.channels) throw new TypeError('channels need a change log that files documents, as SQLite and memory do: use one of these, or authorize alone')
  const name = createHash('sha256').update(String(channels)).digest('base64url')
  let documents = 0
  let failed = 0
  await store.file(name, ({ collection, documentId }, text) => {
    documents++
    try {
      return channelsFor(channels, collection, text)
    } catch (err) {
      if (++failed <= TOLD) logger.error({ err, collection, documentId }, 'channels failed on this document: it is filed nowhere, and nobody reads it')
      return []
    }
  })
  if (documents > 0) logger.info({ documents, failed }, 'documents were filed anew, since channels is another function than before or some were written without it')
}

function isChannel (name: unknown): boolean {
  return typeof name === 'string' && name !== '' && Buffer.byteLength(name) <= CHANNEL_BYTES
}
