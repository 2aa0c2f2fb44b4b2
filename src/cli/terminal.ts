/** Text for people's eyes: nothing that a document or an id holds may move the cursor, set a title or hide what follows. */
import type { Writer } from './command.ts'

/** Control and format characters (among the latter those that turn the direction of text), line separators, halves of pairs. */
const TRICKS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

/** The same text with what could play tricks as \uXXXX: of JSON text still the same JSON. */
export function harmless (text: string): string {
  return text.replace(TRICKS, found => Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''))
}

/** `harmless`, line by line. */
export function harmlessLines (text: string): string {
  return text.split('\n').map(harmless).join('\n')
}

/** One line of at most so many columns. */
export function cut (text: string, columns: number): string {
  const characters = Array.from(text)
  return characters.length <= columns ? text : `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`
}

/** One JSON text and a line's end; on a terminal without tricks. */
export async function writeJson (writer: Writer, text: string): Promise<void> {
  await writer.write(`${writer.isTerminal ? harmless(text) : text}\n`)
}

/** Columns side by side, each as wide as its widest cell; cells are made harmless. */
export function table (rows: ReadonlyArray<readonly string[]>): string {
  const clean = rows.map(row => row.map(harmless))
  const widths = (clean[0] ?? []).map((_, column) => Math.max(...clean.map(row => row[column]!.length)))
  return clean.map(row => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()).join('\n')
}

/** In UTC. @param ms since 1970 */
export function time (ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString()
}

export function count (number: number): string {
  return number.toLocaleString('en-US')
}

export function bytes (number: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let size = number
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]!}`
}

export function counted (number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`
}
