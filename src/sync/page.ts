/**
 * Entries after a position that a reader may see: the one code path of catch-up, pull and live (promise 5).
 * Documents are passed on as stored text, never parsed but where a rule looks into them.
 */
import type { Checkpoint } from '../../schema/checkpoint.ts'
import type { ChangeStore, Page, Row, Shown, StoredEntry } from '../changelog/changelog.ts'
import { MAX_INTEGER } from '../../schema/common.ts'
import { highest, lowest, type Position } from './cursor.ts'
import type { Form, ReadyPages } from './ready.ts'
import { assertValid, epochOf, least, resyncReason, type LogState } from './validity.ts'
import { showsAll, type View } from './view.ts'

export interface PageQuery {
  readonly position: Position
  /** null = all. */
  readonly collections: readonly string[] | null
  readonly limit: number
  readonly bytes: number
  /** Of the reader, as of now. */
  readonly view: View
  /** Full pages that are kept; absent: it is read anew. */
  readonly ready?: ReadyPages | undefined
}

export interface PageAnswer {
  /** JSON text of the `changes` member; its bytes where the page is kept. */
  readonly changes: string | Buffer
  /** How many changes are in it. */
  readonly count: number
  readonly checkpoint: Checkpoint
  /** Only true when the checkpoint moved, so that a client that loops on it always gets on (promise 4). */
  readonly hasMore: boolean
  readonly epoch: string
  readonly state: LogState
}

/** What a page is made of. */
export interface PageRows {
  readonly rows: readonly Row[]
  /** Up to where everything is in `rows` that the reader may see. */
  readonly scanned: number
  /** The log where the page began, and where it ended. */
  readonly began: Page
  readonly state: Page
}

/** @throws SyncError resync_required when the position cannot be continued from */
export async function readPage (store: ChangeStore, query: PageQuery): Promise<PageAnswer> {
  const { position, view } = query
  const after = typeof position.after === 'number' ? position.after : await startsOf(store, position.after, query)
  const { changes, count, rows, scanned, began, state } = await readChanges(store, query, after)
  const reached = typeof after === 'number' ? Math.max(after, scanned) : scanned
  const start = lowest({ ...position, after })
  const hasMore = reached < state.head && reached > start
  return {
    changes,
    count,
    checkpoint: { ...typeof after === 'number' ? { global: reached } : perCollection(query, after, { reached, rows }), ...hasMore && { ...snapshotMark(position, began, view), head: headMark(state) }, ...view.scope !== undefined && { scope: view.scope } },
    hasMore,
    epoch: epochOf(state, reached),
    state
  }
}

/** The text of a page, and how many changes it stands for. `rows` may be absent where the text was kept. */
async function readChanges (store: ChangeStore, query: PageQuery, after: After): Promise<PageRows & Pick<PageAnswer, 'changes' | 'count'>> {
  const { ready, position, view, collections, limit, bytes } = query
  if (ready !== undefined && typeof after === 'number' && showsAll(view)) {
    const { page, text, count } = await ready.read({ after, collections, limit, bytes }, changesForm)
    assertValid(position, page, view.scope)
    return { changes: text, count, rows: page.rows, scanned: page.scanned, began: page, state: page }
  }
  const read = await readRows(store, query, after)
  const changes = changesText(read.rows, typeof after === 'number' ? nullText : await tombstoneTexts(store, read.rows))
  return { ...read, changes, count: read.rows.length }
}

/** @throws SyncError resync_required when the position cannot be continued from */
export async function readRows (store: ChangeStore, query: PageQuery, after: After = query.position.after): Promise<PageRows> {
  const { position, view } = query
  const page = await read(store, query, after)
  assertValid(position, stateOf(page, view), view.scope)
  return view.judge === null ? { rows: page.rows, scanned: page.scanned, began: page, state: page } : { ...await gather(store, query, { after, page }), began: page }
}

type After = Position['after']

function read (store: ChangeStore, { collections, view: { channels }, limit, bytes }: PageQuery, after: After): Promise<Page> {
  return store.read(channels === undefined ? { after, collections, limit, bytes } : { after, collections, channels, limit, bytes })
}

function stateOf (page: Page, { looksBack }: View): LogState {
  return looksBack ? { ...page, historyFrom: page.historyHorizon } : page
}

/**
 * What is shown of a page, and of the next ones while that is little: each is read as if the reader had asked again
 * from where the one before it ended, so rights and horizon count as they are then.
 */
async function gather (store: ChangeStore, query: PageQuery, start: { after: After, page: Page }): Promise<Gathered> {
  const gathered = await judged(store, query, start)
  // Compaction may have dropped what a removal rests on while it was looked up: then nobody knows what is missing.
  if (query.view.looksBack && gathered.looked > gathered.rows.length) {
    const now = await store.read({ after: MAX_INTEGER, collections: null, limit: 1, bytes: 1 })
    assertValid(query.position, stateOf(now, query.view), query.view.scope)
  }
  if (gathered.rows.length > 0) await query.view.assertKept?.()
  return gathered
}

interface Gathered {
  readonly rows: readonly Row[]
  readonly scanned: number
  readonly state: Page
  /** Rows that were looked at. */
  readonly looked: number
}

async function judged (store: ChangeStore, query: PageQuery, { after, page }: { after: After, page: Page }): Promise<Gathered> {
  const { position, view, limit, bytes } = query
  const rows: Row[] = []
  let size = 0
  let all = 0
  for (let state = page; ;) {
    const { rows: shown, looked, enough } = await view.judge!(state.rows)
    rows.push(...shown)
    all += looked
    for (const { entry } of shown) size += entry.document?.length ?? 0
    const scanned = looked < state.rows.length ? state.rows[looked - 1]!.position : state.scanned
    const full = enough || state.rows.length === 0 || rows.length >= limit || size >= bytes
    if (full || scanned >= state.head) return { rows, scanned, state, looked: all }
    const reached = goneOn(after, scanned)
    const next = await read(store, { ...query, limit: limit - rows.length, bytes: bytes - size }, reached)
    const epoch = epochOf(state, scanned)
    if (resyncReason({ ...position, after: reached, epoch }, stateOf(next, view), position.scope) !== null) return { rows, scanned, state, looked: all }
    state = next
  }
}

function goneOn (after: After, scanned: number): After {
  if (typeof after === 'number') return Math.max(after, scanned)
  return new Map([...after].map(([name, sequence]) => [name, Math.max(sequence, scanned)]))
}

async function startsOf (store: ChangeStore, after: ReadonlyMap<string, number>, { collections }: PageQuery): Promise<ReadonlyMap<string, number>> {
  const names = collections ?? await store.collections()
  return new Map(names.map(name => [name, after.get(name) ?? after.get(REST) ?? 0]))
}

/** Stands for all collections of which a reader was shown nothing: it does not learn what they are called. No collection can have this name. */
const REST = '*'

/** Positions of collections that were not asked for stay; `global` is safe to adopt alone, being the lowest of the others. */
function perCollection ({ position, collections, view }: PageQuery, after: ReadonlyMap<string, number>, { reached, rows }: { reached: number, rows: readonly Row[] }): Checkpoint {
  const own = position.after as ReadonlyMap<string, number>
  const read = [...after].map(([name, sequence]): [string, number] => [name, Math.max(sequence, reached)])
  const global = read.reduce((least, [, sequence]) => Math.min(least, sequence), reached)
  if (collections !== null || view.judge === null) return { global, sequences: Object.fromEntries([...own, ...read]) }
  const known = new Set([...own.keys(), ...rows.map(({ entry }) => entry.collection)])
  const rest: [string, number] = [REST, Math.max(own.get(REST) ?? 0, reached)]
  return { global, sequences: Object.fromEntries([...own, ...read.filter(([name]) => known.has(name)), rest]) }
}

/**
 * A first sync may pass the horizon while it is under way: the mark proves that it missed no tombstone. It speaks
 * for all of a client's positions, so it is given only where all of them begin. Where superseded versions decide
 * what is removed, a catch-up is marked with where it began: until its end the reader holds what it was shown there.
 */
export function snapshotMark (position: Position, state: LogState, { looksBack }: View): { snapshot?: number } {
  if (position.snapshot !== undefined) return { snapshot: position.snapshot }
  if (highest(position) === 0) return { snapshot: state.head }
  return looksBack ? { snapshot: least(position) } : {}
}

/**
 * Documents that have changed again are left out of a page, since they lie before this head. A log that does not have
 * it any more, a restored backup say, may have the versions that were left out, and the reader would never see them.
 */
export function headMark ({ head, epochs }: LogState): string {
  return `${head}.${epochs.at(-1)!.id}`
}

type DeletedText = (entry: Shown) => string

const nullText: DeletedText = () => 'null'

/** Clients that keep positions per collection know a deletion by the document that says so. */
export function tombstoneText ({ documentId, rev, effectiveTime }: Pick<StoredEntry, 'documentId' | 'rev' | 'effectiveTime'>): string {
  return JSON.stringify({ _id: documentId, _rev: rev ?? '1-0', _updatedAt: effectiveTime, _deleted: true })
}

async function tombstoneTexts (store: ChangeStore, rows: readonly Row[]): Promise<DeletedText> {
  const gone = rows.filter(isGone)
  const entries = await store.entries(gone.map(({ entry }) => entry.sequence))
  const facts = new Map<number, Parameters<typeof tombstoneText>[0]>()
  for (const [index, entry] of entries.entries()) {
    // Of a removal the entry is one that the reader has: its revision would say that nothing has changed.
    if (entry !== null) facts.set(entry.sequence, gone[index]!.member ? entry : { ...entry, rev: null })
  }
  return ({ sequence, documentId, timestamp }) => tombstoneText(facts.get(sequence) ?? { documentId, rev: null, effectiveTime: timestamp })
}

/** Deleted, or out of the reader's view. */
function isGone ({ entry, member }: Row): boolean {
  return !member || entry.document === null
}

/** `{"todos":[…],…}`: by collection, each list in sequence order. */
function changesText (rows: readonly Row[], deleted: DeletedText = nullText): string {
  const lists = new ChangeLists()
  for (const row of rows) lists.add(row.entry.collection, changeText(row, deleted))
  return lists.text
}

const changesForm: Form = { name: 'changes', textOf: rows => changesText(rows) }

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
