import type { AppDocument, Channels } from '../access.ts'

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

function isChannel (name: unknown): boolean {
  return typeof name === 'string' && name !== '' && Buffer.byteLength(name) <= CHANNEL_BYTES
}
