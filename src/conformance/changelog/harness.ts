/** What the tests of the change log's suite share: how a log is opened, and how one writes to and follows it. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import type { ChangeStore, NewEntry, Page, Push, ReadQuery, Row, StoredEntry, Supports } from '../../changelog/changelog.ts'

export interface OpenedLog {
  /** Not opened: its methods do that. */
  readonly store: ChangeStore
  /** Closes the store and returns another for the same place, not opened either, as for a node that restarts. The former store stays closed. */
  reopen (): Promise<ChangeStore>
  /** Closes whatever is open and removes the place. */
  destroy (): Promise<void>
}

export interface ChangeLogSuiteOptions {
  /** Registers a test with the runner, e.g. `test` of node:test or `(title, run) => t.test(title, run)` of tap. */
  readonly test: (title: string, run: () => Promise<void>) => unknown
  /** Opens a new, empty log; called once per test and once to ask what it supports. */
  readonly open: () => Promise<OpenedLog>
}

/** A promise of the port and the test that holds it; each runs against an empty log of its own. */
export interface Promised {
  readonly title: string
  /** @param open opens another log; the test's own to destroy */
  readonly run: (opened: OpenedLog, open: ChangeLogSuiteOptions['open']) => Promise<unknown>
  /** Whether the promise is given by a store that supports this; absent = by every one. */
  readonly given?: (supports: Supports) => boolean
  /** Whether it is about stores like this one; absent = about every one. */
  readonly of?: (store: ChangeStore) => boolean
}

export function promise (title: string, run: Promised['run']): Promised {
  return { title, run }
}

export function where (given: (supports: Supports) => boolean, promises: readonly Promised[]): Promised[] {
  return promises.map(promise => ({ ...promise, given }))
}

/** The server's clock where a test does not care. */
export const NOW = 1_700_000_000_000

export function digest (text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

/** A change as a test words it: everything but the document's id has a default. */
export type Change = Partial<NewEntry> & { readonly documentId: string }

export function put (documentId: string, value: unknown, more: Partial<NewEntry> = {}): Change {
  return { documentId, document: JSON.stringify({ _id: documentId, value }), ...more }
}

export function remove (documentId: string, more: Partial<NewEntry> = {}): Change {
  return { documentId, operation: 'delete', document: null, ...more }
}

export function newEntry (change: Change): NewEntry {
  const document = change.document === undefined ? JSON.stringify({ _id: change.documentId }) : change.document
  return {
    collection: 'todos',
    operation: 'insert',
    document,
    timestamp: NOW,
    effectiveTime: change.timestamp ?? NOW,
    rev: null,
    hash: digest(document ?? ''),
    identity: randomBytes(32),
    exact: true,
    expected: 0,
    ...change
  }
}

/** A push under a key of its own. */
export function newPush (changes: readonly Change[], more: Partial<Push> = {}): Push {
  return {
    key: randomBytes(32),
    fingerprint: digest(JSON.stringify(changes.map(change => [change.documentId, change.document]))),
    outcome: '[]',
    entries: changes.map(newEntry),
    journal: [],
    messageId: 'message',
    userId: null,
    clientId: null,
    address: null,
    serverTimestamp: NOW,
    ...more
  }
}

/** Commits changes on top of today's heads as one push. @returns their sequences */
export async function write (store: ChangeStore, changes: readonly Change[], more: Partial<Push> = {}): Promise<number[]> {
  const answers = await store.heads(changes.map(({ collection = 'todos', documentId }) => ({ collection, documentId })))
  const based = changes.map((change, index) => ({ expected: answers[index]?.head?.sequence ?? 0, ...change }))
  const committed = await store.commit(newPush(based, more))
  assert.equal(committed.status, 'committed')
  const first = committed.status === 'committed' ? committed.first : 0
  return changes.map((_, index) => first + index)
}

export function read (store: ChangeStore, query: Partial<ReadQuery> = {}): Promise<Page> {
  return store.read({ after: 0, collections: null, limit: 1000, bytes: Infinity, ...query })
}

/** Pages from a position until nothing is left. */
export async function follow (store: ChangeStore, query: Partial<ReadQuery> & { after?: number } = {}): Promise<Row[]> {
  const rows: Row[] = []
  for (let after = query.after ?? 0; ;) {
    const page = await read(store, { ...query, after })
    ascends(page.rows, after)
    rows.push(...page.rows)
    if (page.scanned === page.head) return rows
    assert.ok(page.scanned > after, 'a page that is not the last moves on')
    after = page.scanned
  }
}

/**
 * Looks again and again while work goes on, and after its end until a look finds nothing more.
 * @param look whether it has seen everything there was
 */
export async function meanwhile<T> (work: Promise<T>, look: () => Promise<boolean>): Promise<T> {
  let ended = false
  const watch = async (): Promise<void> => {
    for (let done = false; !done;) {
      const last = ended
      done = await look() && last
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  const [result] = await Promise.all([work.finally(() => { ended = true }), watch()])
  return result
}

/** Positions rise, each above the one before and the first above `after`. */
export function ascends (rows: readonly Row[], after: number): void {
  let last = after
  for (const { position } of rows) {
    assert.ok(position > last, `position ${position} comes after ${last}`)
    last = position
  }
}

/** What a client holds: the documents it was given, less those it was told to remove. */
export type Replica = Map<string, string>

export function apply (replica: Replica, rows: readonly Row[]): void {
  for (const { entry, member } of rows) {
    const key = JSON.stringify([entry.collection, entry.documentId])
    if (member && entry.document !== null) replica.set(key, entry.document)
    else replica.delete(key)
  }
}

/** Replicas are compared as sorted pairs, since the order of arrival may differ. */
export function contents (replica: Replica): Array<[string, string]> {
  return [...replica].sort(([a], [b]) => a < b ? -1 : 1)
}

/** A row in short: position, document, member. */
export function brief (rows: readonly Row[]): Array<[number, string, boolean]> {
  return rows.map(({ position, entry, member }) => [position, entry.documentId, member])
}

export function sequences (entries: ReadonlyArray<Pick<StoredEntry, 'sequence'>>): number[] {
  return entries.map(entry => entry.sequence)
}

export function hex (digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex')
}

/** Whole numbers below a bound, the same for the same seed (mulberry32). */
export function seeded (seed: number): (bound: number) => number {
  let state = seed
  return bound => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}
