/**
 * All live documents for a client that has none, as lines of text: those whose newest version lay at or below the head
 * when it began. What is written meanwhile comes with the pull from there, deletions too.
 *
 * A snapshot holds nothing open: it is read in short steps like pages, each with the rights and under the horizon of its
 * moment. So it may end anywhere and go on from any line, as long as what it was promised under still holds: the same
 * log, which still remembers all deletions since, and the same rights. Else it breaks off, and is told so when it comes
 * again.
 */
import type { User } from '../access.ts'
import type { ChangeStore, Row } from '../changelog/changelog.ts'
import { SyncError } from '../errors.ts'
import { lowest, parseCursor, type Position } from './cursor.ts'
import { oneLine } from './frames.ts'
import { readRows, type PageQuery, type PageRows } from './page.ts'
import type { Form, ReadyPages } from './ready.ts'
import { OneByOne } from './turns.ts'
import { assertValid } from './validity.ts'
import { showsAll, type View, type Views } from './view.ts'

/** Of one step, and so of what a slow reader keeps in memory. */
export const STEP = { bytes: 256 * 1024, documents: 1000 } as const

/** Where a snapshot goes on: behind a document, up to the head that it began at. */
export interface Resumption {
  readonly after: number
  readonly epoch: string
  readonly head: number
  readonly scope: string | undefined
}

export interface SnapshotQuery {
  /** null = all. */
  readonly collections: readonly string[] | null
  /** null = from the beginning. */
  readonly resumption: Resumption | null
}

export interface SnapshotDeps {
  readonly store: ChangeStore
  readonly views: Views
  /** For questions about public collections alone, whoever asks. */
  readonly publicViews: Views
  readonly isPublic: (collections: readonly string[] | null) => boolean
  /** Absent: each step is read anew. */
  readonly ready?: ReadyPages
  /** Default `STEP`. */
  readonly step?: { readonly bytes: number, readonly documents: number }
}

/** @throws SyncError invalid_cursor where the cursor does not name a snapshot */
export function resumptionOf (cursor: string): Resumption {
  const { after, epoch, snapshot, scope } = parseCursor(cursor)
  if (epoch === undefined || snapshot === undefined) throw new SyncError('invalid_cursor', { detail: 'a snapshot goes on after <sequence>~e<epoch>[~c<checkpoint.scope>]~s<checkpoint.global>' })
  return { after: after as number, epoch, head: snapshot, scope }
}

export class Snapshots {
  readonly #deps: SnapshotDeps
  readonly #steps = new OneByOne()

  constructor (deps: SnapshotDeps) {
    this.#deps = deps
  }

  /**
   * Lines, some at a time, each with its end; the last is there only when nothing is missing.
   * @throws SyncError resync_required, also midway: what was promised does not hold any more
   */
  async * text ({ collections, resumption }: SnapshotQuery, user: User | null): AsyncGenerator<string | Buffer, void, undefined> {
    let { lines, place } = await this.#read(resumption, collections, user)
    if (resumption === null) yield startLine(place)
    for (;;) {
      if (lines.length > 0) yield lines
      if (place.after >= place.head) break
      ({ lines, place } = await this.#read(place, collections, user))
    }
    yield endLine(place)
  }

  async #read (known: Resumption | null, collections: readonly string[] | null, user: User | null): Promise<Step> {
    const { views, publicViews, isPublic, step = STEP } = this.#deps
    await this.#steps.turn()
    const view = liveOnly(await (isPublic(collections) ? publicViews : views).of(user))
    const { text, scanned, began, state } = await this.#page(known, { position: positionOf(known), collections, limit: step.documents, bytes: step.bytes, view })
    const { after, ...place } = known ?? { after: 0, epoch: began.epochs.at(-1)!.id, head: began.head, scope: view.scope }
    // Its end, not only this step, must lie in the log that is read, and above the deletions that are forgotten.
    for (const log of [began, state]) assertValid({ ...positionOf({ ...place, after }), after: place.head }, log, view.scope)
    return { lines: text, place: { ...place, after: Math.max(after, scanned) } }
  }

  /** Many read the same steps; only the last one may hold what is newer than the snapshot, and is read for each. */
  async #page (known: Resumption | null, query: PageQuery): Promise<Omit<PageRows, 'rows'> & { text: string | Buffer }> {
    const { store, ready } = this.#deps
    const { position, collections, limit, bytes, view } = query
    if (ready !== undefined && showsAll(view)) {
      const { page, text } = await ready.read({ after: lowest(position), collections, limit, bytes }, linesForm)
      assertValid(position, page, view.scope)
      if (page.scanned <= (known ?? page).head) return { text, scanned: page.scanned, began: page, state: page }
    }
    const read = await readRows(store, query)
    return { ...read, text: linesOf(read.rows, (known ?? read.began).head) }
  }
}

interface Step {
  readonly lines: string | Buffer
  /** Behind them. */
  readonly place: Resumption
}

const linesForm: Form = { name: 'lines', textOf: rows => linesOf(rows, Infinity) }

function linesOf (rows: readonly Row[], head: number): string {
  let text = ''
  for (const row of rows) if (row.position <= head && row.member) text += lineOf(row)
  return text
}

const beginning: Position = { after: 0, epoch: undefined, snapshot: undefined, scope: undefined, head: undefined }

function positionOf (place: Resumption | null): Position {
  return place === null ? beginning : { after: place.after, epoch: place.epoch, snapshot: place.head, scope: place.scope, head: `${place.head}.${place.epoch}` }
}

/** Who has nothing is told of no removals, and so no superseded versions matter. */
function liveOnly (view: View): View {
  return { ...view, looksBack: false, judge: view.judgeLive }
}

function startLine (place: Resumption): string {
  return `{"type":"snapshot","epoch":"${place.epoch}","checkpoint":${checkpointText(place)}}\n`
}

function endLine (place: Resumption): string {
  return `{"type":"snapshot-end","epoch":"${place.epoch}","checkpoint":${checkpointText(place)}}\n`
}

function checkpointText ({ head, scope }: Resumption): string {
  return JSON.stringify({ global: head, ...scope !== undefined && { scope } })
}

function lineOf ({ entry: { collection, documentId, document, timestamp }, position }: Row): string {
  if (document === null) return ''
  return `{"type":"document","collection":${JSON.stringify(collection)},"documentId":${JSON.stringify(documentId)}` +
    `,"document":${oneLine(document)},"timestamp":${timestamp},"sequence":${position}}\n`
}
