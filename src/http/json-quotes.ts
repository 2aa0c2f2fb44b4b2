/** How many quotes JSON text has: twice its strings. */

const BACKSLASH = 0x5c
const QUOTE = 0x22

/** Quotes in a text without escapes. Four bytes a step take half the time: of a small message it is a third of the gate's. */
export function countQuotes (bytes: Uint8Array): number {
  const { length } = bytes
  let quotes = 0
  let i = 0
  for (; i + 3 < length; i += 4) {
    if (bytes[i] === QUOTE) quotes++
    if (bytes[i + 1] === QUOTE) quotes++
    if (bytes[i + 2] === QUOTE) quotes++
    if (bytes[i + 3] === QUOTE) quotes++
  }
  for (; i < length; i++) if (bytes[i] === QUOTE) quotes++
  return quotes
}

/** Quotes that begin or end a string, -1 when an escape may be half a surrogate pair. */
export function countUnescaped (bytes: Uint8Array): number {
  let quotes = 0
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i]
    if (c === QUOTE) quotes++
    else if (c === BACKSLASH) {
      i++
      if (bytes[i] === 0x75 && (bytes[i + 1]! | 0x20) === 0x64) return -1
    }
  }
  return quotes
}
