import { createHash } from 'node:crypto'
import type { AppDocument, Channels } from '../access.ts'
import type { ChangeStore } from '../changelog/changelog.ts'

/** Channels of a document, and their bytes, at most. */
const CHANNELS = 100
const CHANNEL_BYTES = 256

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
export async function fileAll (store: ChangeStore, channels: Channels, onError: (error: unknown, document: { readonly collection: string, readonly documentId: string }) => void): Promise<void> {
  if (!store.supports.channels) throw new TypeError('channels need a change log that files documents, as SQLite and memory do: use one of these, or authorize alone')
  const name = createHash('sha256').update(String(channels)).digest('base64url')
  await store.file(name, ({ collection, documentId }, text) => {
    try {
      return channelsFor(channels, collection, text)
    } catch (error) {
      onError(error, { collection, documentId })
      return []
    }
  })
}

function isChannel (name: unknown): boolean {
  return typeof name === 'string' && name !== '' && Buffer.byteLength(name) <= CHANNEL_BYTES
}
