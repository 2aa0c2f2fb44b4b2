/** What a log on a server holds, and whether it holds together: as far as the questions of its port show. */
import { SyncError } from '../errors.ts'
import { contentOf } from './entry.ts'
import type { ChangeStore, Page, StoredEntry } from './changelog.ts'
import type { LogFacts, MovableStore, MovedRecord } from './moving.ts'
import type { CollectionFigures, EntryPlace, Figures, Finding, Progress } from './view.ts'

const PART = 1000
const PAGE_BYTES = 4 * 2 ** 20

const RESTORE = 'bring back a backup of the server: clients would be given what they believe to know, or never be given what is there'

type Counts = Record<MovedRecord['kind'], number> & { oldest: EntryPlace | null, newest: EntryPlace | null }

export async function * countStore (store: MovableStore, path: string): AsyncGenerator<Progress, Figures> {
  const facts = await store.facts()
  const counts: Counts = { entry: 0, identity: 0, channel: 0, push: 0, journal: 0, oldest: null, newest: null }
  for await (const records of partsOf(store)) {
    for (const record of records) add(counts, record)
    yield { done: counts.newest?.sequence ?? 0, total: 2 * facts.head }
  }
  const found = new Map<string, { documents: number, tombstones: number }>()
  for await (const { rows, scanned } of pagesOf(store)) {
    for (const { entry: { collection, operation } } of rows) {
      const figures = found.get(collection) ?? { documents: 0, tombstones: 0 }
      found.set(collection, figures)
      figures[operation === 'delete' ? 'tombstones' : 'documents']++
    }
    yield { done: facts.head + scanned, total: 2 * facts.head }
  }
  const collections = [...found].map(([name, figures]) => ({ name, ...figures })).sort((a, b) => b.documents - a.documents || (a.name < b.name ? -1 : 1))
  return figuresOf(path, { facts, counts, collections })
}

function add (counts: Counts, record: MovedRecord): void {
  counts[record.kind]++
  if (record.kind !== 'entry') return
  counts.newest = { sequence: record.entry.sequence, serverTimestamp: record.entry.serverTimestamp }
  counts.oldest ??= counts.newest
}

function figuresOf (path: string, { facts, counts, collections }: { facts: LogFacts, counts: Counts, collections: readonly CollectionFigures[] }): Figures {
  const { head, horizon, epochs } = facts
  const { entry: entries, identity: identities, push: pushes, channel: channels, journal, oldest, newest } = counts
  const sum = (name: 'documents' | 'tombstones'): number => collections.reduce((total, figures) => total + figures[name], 0)
  const documents = sum('documents')
  const tombstones = sum('tombstones')
  return { path, layout: null, head, horizon, epochs, collections, documents, tombstones, entries, identities, journal, pushes, channels, oldest, newest, fileBytes: null, walBytes: null, freeBytes: null }
}

export async function * checkStore (store: MovableStore): AsyncGenerator<Progress | Finding, void> {
  const facts = await store.facts()
  yield * checkFacts(facts)
  try {
    yield * checkEntries(store, facts.head)
    yield * checkHeads(store, facts.head)
  } catch (error) {
    // What a store refuses to hand out is damaged; what lies behind it cannot be reached.
    if (!(error instanceof SyncError)) throw error
    yield finding('entry', null, error.message, 'bring back a backup of the server; export saves first what can still be read')
  }
}

function * checkFacts ({ head, horizon, epochs }: LogFacts): Generator<Finding> {
  if (horizon < 0 || horizon > head) yield finding('horizon', null, `the horizon is ${horizon}, not between 0 and the newest sequence ${head}`, RESTORE)
  for (const [index, { id, first }] of epochs.entries()) {
    const before = epochs[index - 1]
    if (before !== undefined && first < before.first) yield finding('epoch', null, `epoch ${id} begins before ${before.id}, which is older`, RESTORE)
    if (first < 1 || first > head + 1) yield finding('epoch', null, `epoch ${id} begins at ${first}, and the newest sequence is ${head}`, RESTORE)
  }
}

async function * checkEntries (store: MovableStore, head: number): AsyncGenerator<Progress | Finding> {
  let last = 0
  for await (const records of partsOf(store)) {
    for (const record of records) {
      if (record.kind !== 'entry') continue
      const { entry } = record
      if (entry.sequence <= last) yield finding('sequence', entry, `it does not come after ${last}`, RESTORE)
      if (entry.previous >= entry.sequence) yield finding('chain', entry, `it names ${entry.previous} as the version before it`, RESTORE)
      if ((entry.operation === 'delete') !== (entry.document === null)) yield finding('entry', entry, 'a deletion has a document, or another change has none', RESTORE)
      else if (!hasItsHash(entry)) yield finding('entry', entry, 'its document is not the one whose hash was kept', RESTORE)
      last = entry.sequence
    }
    yield { done: Math.min(last, head), total: 2 * head }
  }
}

function hasItsHash (entry: StoredEntry): boolean {
  try {
    return Buffer.compare(contentOf(entry).hash, entry.hash) === 0
  } catch {
    return false
  }
}

async function * checkHeads (store: ChangeStore, head: number): AsyncGenerator<Progress | Finding> {
  for await (const { rows, scanned } of pagesOf(store)) {
    const heads = await store.heads(rows.map(({ entry }) => entry))
    const entries = await store.entries(rows.map(({ position }) => position))
    for (const [index, { position, entry }] of rows.entries()) {
      const now = heads[index]?.head?.sequence ?? 0
      // One that has moved or was purged since is another page's.
      if (now > position || (now === 0 && await store.horizon() >= position)) continue
      const found = entries[index] ?? null
      if (now !== position) yield finding('head', { ...entry, sequence: position }, `the document's newest entry is said to be ${now}`, RESTORE)
      else if (found === null || found.documentId !== entry.documentId || found.collection !== entry.collection) yield finding('head', { ...entry, sequence: position }, 'its entry is gone or another document\'s', RESTORE)
    }
    yield { done: head + Math.min(scanned, head), total: 2 * head }
  }
}

async function * partsOf (store: MovableStore): AsyncGenerator<readonly MovedRecord[]> {
  for (let from: string | null = null; ;) {
    const { records, next } = await store.part(from, PART)
    if (next === null) return
    yield records
    from = next
  }
}

async function * pagesOf (store: ChangeStore): AsyncGenerator<Page> {
  for (let after = 0; ;) {
    const page = await store.read({ after, collections: null, limit: PART, bytes: PAGE_BYTES })
    yield page
    if (page.scanned >= page.head || page.scanned <= after) return
    after = page.scanned
  }
}

function finding (about: Finding['about'], place: Pick<StoredEntry, 'sequence' | 'collection' | 'documentId'> | null, ...[problem, advice]: [problem: string, advice: string]): Finding {
  return { about, sequence: place?.sequence ?? null, collection: place?.collection ?? null, documentId: place?.documentId ?? null, problem, advice }
}
