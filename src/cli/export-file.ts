/** The form of an export: NDJSON, a line that says what it is, a line for each document, a line that says it is whole. */
import type { StoredEntry } from '../changelog/changelog.ts'

export const FORMAT = 'pocket-export'
const VERSION = 1

export interface Header {
  readonly format: typeof FORMAT
  readonly version: number
  readonly epoch: string
  /** The documents are as they stood at this sequence. */
  readonly head: number
  /** null for all. */
  readonly collection: string | null
}

export interface Footer {
  /** Without this line the file was cut short. */
  readonly whole: true
  readonly documents: number
}

export function header (facts: Pick<Header, 'epoch' | 'head' | 'collection'>): string {
  const line: Header = { format: FORMAT, version: VERSION, ...facts }
  return `${JSON.stringify(line)}\n`
}

export function footer (documents: number): string {
  const line: Footer = { whole: true, documents }
  return `${JSON.stringify(line)}\n`
}

/** A line is a change as clients push it; the document is the stored text, never parsed. */
export function documentLine ({ collection, documentId, timestamp, sequence, rev, document }: StoredEntry): string {
  const facts = JSON.stringify({ operation: 'insert', collection, documentId, timestamp, sequence, rev })
  return `${facts.slice(0, -1)},"document":${oneLine(document!)}}\n`
}

/** In JSON text line ends stand between tokens only. */
export function oneLine (json: string): string {
  return json.replace(/[\r\n]/g, ' ')
}

/** null for another line. @throws Error of a version that this build does not know */
export function asHeader (value: unknown): Header | null {
  const found = value as Partial<Header> | null
  if (typeof found !== 'object' || found === null || found.format !== FORMAT) return null
  if (found.version !== VERSION) throw new Error(`the export has version ${String(found.version)}, this build knows ${VERSION}: use the newer build that wrote it`)
  return found as Header
}

export function asFooter (value: unknown): Footer | null {
  const found = value as Partial<Footer> | null
  return typeof found === 'object' && found !== null && found.whole === true && typeof found.documents === 'number' ? found as Footer : null
}
