/**
 * Entries after a position that a reader may see: the one code path of catch-up, pull and live (promise 5).
 * Documents are passed on as stored text, never parsed.
 */
import type { Checkpoint } from '../../schema/checkpoint.ts'
import type { ChangeStore, Row, Shown, StoredEntry } from '../changelog/changelog.ts'
import { highest, lowest, type Position } from './cursor.ts'
import { assertValid, epochOf, type LogState } from './validity.ts'
import type { View } from './view.ts'

export interface PageQuery {
  readonly position: Position
  /** null = all. */
  readonly collections: readonly string[] | null
  readonly limit: number
  readonly bytes: number
  /** Of the reader, as of now. */
  readonly view: View
}

export interface PageAnswer {
  /** JSON text of the `changes` member. */
  readonly changes: string
  /** How many changes are in it. */
  readonly count: number
  readonly checkpoint: Checkpoint
  /** Only true when the checkpoint moved, so that a client that loops on it always gets on (promise 4). */
  readonly hasMore: boolean
  readonly epoch: string
  readonly state: LogState
}

/** @throws SyncError resync_required when the position cannot be continued from */
export async function readPage (store: ChangeStore, query: PageQuery): Promise<PageAnswer> {
  const { position, view } = query
  const after = typeof position.after === 'number' ? position.after : await startsOf(store, position.after, query)
  const page = await store.read({ after, collections: query.collections, ...view.channels !== undefined && { channels: view.channels }, limit: query.limit, bytes: query.bytes })
  assertValid(position, page, view.scope)
  const rows = await view.shown(page.rows)
  const reached = typeof after === 'number' ? Math.max(after, page.scanned) : page.scanned
  const start = lowest({ ...position, after })
  const hasMore = reached < page.head && reached > start
  return {
    changes: changesText(rows, typeof after === 'number' ? nullText : await tombstoneTexts(store, rows)),
    count: rows.length,
    checkpoint: { ...typeof after === 'number' ? { global: reached } : perCollection(position, after, reached), ...snapshotMark(position, page, hasMore), ...view.scope !== undefined && { scope: view.scope } },
    hasMore,
    epoch: epochOf(page, reached),
    state: page
  }
}

async function startsOf (store: ChangeStore, after: ReadonlyMap<string, number>, { collections }: PageQuery): Promise<ReadonlyMap<string, number>> {
  const names = collections ?? await store.collections()
  return new Map(names.map(name => [name, after.get(name) ?? 0]))
}

/** Positions of collections that were not asked for stay; `global` is safe to adopt alone, being the lowest of the others. */
function perCollection (position: Position, after: ReadonlyMap<string, number>, reached: number): Checkpoint {
  const read = [...after].map(([name, sequence]): [string, number] => [name, Math.max(sequence, reached)])
  return {
    global: read.reduce((least, [, sequence]) => Math.min(least, sequence), reached),
    sequences: Object.fromEntries([...position.after as ReadonlyMap<string, number>, ...read])
  }
}

/**
 * A first sync may pass the horizon while it is under way: the mark proves that it missed no tombstone. It speaks
 * for all of a client's positions, so it is given only where all of them begin.
 */
function snapshotMark (position: Position, state: LogState, hasMore: boolean): { snapshot?: number } {
  if (!hasMore) return {}
  if (position.snapshot !== undefined) return { snapshot: position.snapshot }
  return highest(position) === 0 ? { snapshot: state.head } : {}
}

type DeletedText = (entry: Shown) => string

const nullText: DeletedText = () => 'null'

/** Clients that keep positions per collection know a deletion by the document that says so. */
export function tombstoneText ({ documentId, rev, effectiveTime }: Pick<StoredEntry, 'documentId' | 'rev' | 'effectiveTime'>): string {
  return JSON.stringify({ _id: documentId, _rev: rev ?? '1-0', _updatedAt: effectiveTime, _deleted: true })
}

async function tombstoneTexts (store: ChangeStore, rows: readonly Row[]): Promise<DeletedText> {
  const entries = await store.entries(rows.filter(isGone).map(({ entry }) => entry.sequence))
  const facts = new Map(entries.flatMap(entry => entry === null ? [] : [[entry.sequence, entry]]))
  return ({ sequence, documentId, timestamp }) => tombstoneText(facts.get(sequence) ?? { documentId, rev: null, effectiveTime: timestamp })
}

/** Deleted, or out of the reader's view. */
function isGone ({ entry, member }: Row): boolean {
  return !member || entry.document === null
}

/** `{"todos":[…],…}`: by collection, each list in sequence order. */
function changesText (rows: readonly Row[], deleted: DeletedText): string {
  const lists = new ChangeLists()
  for (const row of rows) lists.add(row.entry.collection, changeText(row, deleted))
  return lists.text
}

/** The `changes` member while it grows, change by change in sequence order. */
export class ChangeLists {
  readonly #lists = new Map<string, string>()

  add (collection: string, change: string): void {
    const list = this.#lists.get(collection)
    this.#lists.set(collection, list === undefined ? change : `${list},${change}`)
  }

  get text (): string {
    let members = ''
    for (const [collection, list] of this.#lists) members += `${members === '' ? '' : ','}${JSON.stringify(collection)}:[${list}]`
    return `{${members}}`
  }
}

/** One change as the wire has it; of a document that left the reader's view a deletion. */
export function changeText (row: Row, deleted: DeletedText = nullText): string {
  const { entry, position } = row
  const gone = isGone(row)
  return `{"operation":"${gone ? 'delete' : entry.operation}","documentId":${JSON.stringify(entry.documentId)}` +
    `,"document":${gone ? deleted(entry) : entry.document},"timestamp":${entry.timestamp},"sequence":${position}}`
}
