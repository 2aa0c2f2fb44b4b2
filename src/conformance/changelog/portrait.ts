/** All that a log answers, as values that can be compared: two logs with the same portrait are one to every client and operator. */
import type { ChangeStore, HeadKey, JournalRow, Page, Push, ReadQuery } from '../../changelog/changelog.ts'
import { hex } from './harness.ts'

/** What is asked about besides what the log itself names. */
export interface Asked {
  readonly documents: readonly HeadKey[]
  readonly channels: readonly string[]
  /** Sent once more, and with another content: nothing is written by that. */
  readonly pushes: readonly Push[]
}

const MANY = 100_000

/** Leaves out what every opening adds: the newest epoch, and stamps, which name it. */
export async function portraitOf (store: ChangeStore, asked: Asked): Promise<unknown> {
  const head = await store.getCurrentSequence()
  const entries = await store.getSince(0, MANY)
  const queries: Array<Partial<ReadQuery>> = [{}, { filedAfter: 0 }, ...store.supports.channels ? asked.channels.map(channel => ({ channels: [channel] })) : []]
  return plain({
    head,
    horizon: await store.horizon(),
    secret: await store.secret(),
    filing: await store.filing(),
    collections: (await store.collections()).sort(),
    entries,
    whole: await store.entries(Array.from({ length: head }, (_, index) => index + 1)),
    byId: await Promise.all(entries.map(({ id }) => store.get(id))),
    heads: await store.heads(asked.documents),
    histories: await Promise.all(asked.documents.map(document => store.history(document, { limit: MANY }))),
    pages: await pagesOf(store, { head, queries }),
    journal: await journalOf(store),
    seen: await Promise.all(asked.pushes.map(push => store.commit(push))),
    reused: await Promise.all(asked.pushes.map(push => store.commit({ ...push, fingerprint: new Uint8Array(32) })))
  })
}

async function pagesOf (store: ChangeStore, { head, queries }: { head: number, queries: ReadonlyArray<Partial<ReadQuery>> }): Promise<unknown[]> {
  const pages: unknown[] = []
  for (const query of queries) {
    for (let after = 0; after <= head; after++) pages.push(contentOf(await store.read({ after, collections: null, limit: 3, bytes: Infinity, ...query })))
  }
  return pages
}

function contentOf ({ rows, epochs, stamp, ...page }: Page): unknown {
  const shown = rows.map(({ position, member, filed, entry: { sequence, collection, documentId, operation, document, timestamp } }) =>
    ({ position, member, filed: filed?.map(({ channel, position, member }) => JSON.stringify([channel, position, member])).sort(), sequence, collection, documentId, operation, document, timestamp }))
  return { ...page, rows: shown }
}

async function journalOf (store: ChangeStore): Promise<JournalRow[]> {
  const all: JournalRow[] = []
  for (let page = await store.journal(); page.length > 0; page = await store.journal({ before: page.at(-1)!.id })) all.push(...page)
  return all
}

/** Digests as text, and members in one order, whatever a store makes them of. */
function plain (value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value)
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined).map(([name, member]) => [name, plain(member)] as const).sort(([a], [b]) => a < b ? -1 : 1))
}
