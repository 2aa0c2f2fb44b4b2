/** What a log holds, counted in slices: a count of a large log is no short statement. */
import type { Epoch } from '../changelog.ts'
import type { CollectionFigures, EntryPlace, Figures, Progress } from '../view.ts'
import type { Database } from './driver.ts'
import { fileBytes } from './files.ts'

/** Sequences per slice. */
const SLICE = 50_000

export function * countLog (database: Database, path: string): Generator<Progress, Figures> {
  const one = (sql: string): unknown => database.prepare(sql).pluck().get()
  const pragma = (name: string): number => Number(database.pragma(name, { simple: true }))
  const head = Number(one("SELECT seq FROM sqlite_sequence WHERE name = 'log'") ?? 0)
  const collections = database.prepare(`SELECT c.name, sum(h.deleted = 0) AS documents, sum(h.deleted) AS tombstones
    FROM heads h JOIN collections c ON c.id = h.collection GROUP BY h.collection ORDER BY documents DESC, c.name`).all() as CollectionFigures[]
  const entries = yield * countEntries(database, head)
  const place = (order: string) => (database.prepare(`SELECT sequence, server_timestamp AS serverTimestamp FROM log ORDER BY sequence ${order} LIMIT 1`).get() ?? null) as EntryPlace | null
  return {
    path,
    layout: pragma('user_version'),
    head,
    horizon: Number(one("SELECT value FROM meta WHERE key = 'horizon'")),
    epochs: database.prepare('SELECT id, first, started FROM epochs ORDER BY number').all() as Epoch[],
    collections,
    documents: sum(collections, 'documents'),
    tombstones: sum(collections, 'tombstones'),
    entries,
    identities: Number(one('SELECT count(*) FROM identities')),
    journal: Number(one('SELECT count(*) FROM journal')),
    pushes: Number(one('SELECT count(*) FROM pushes')),
    channels: Number(one('SELECT count(*) FROM channels')),
    oldest: place('ASC'),
    newest: place('DESC'),
    fileBytes: fileBytes(path),
    walBytes: fileBytes(`${path}-wal`),
    freeBytes: pragma('freelist_count') * pragma('page_size')
  }
}

function * countEntries (database: Database, head: number): Generator<Progress, number> {
  const count = database.prepare('SELECT count(*) FROM log WHERE sequence > ? AND sequence <= ?').pluck()
  let entries = 0
  for (let done = 0; done < head; done += SLICE) {
    yield { done, total: head }
    entries += count.get(done, done + SLICE) as number
  }
  return entries
}

function sum (collections: readonly CollectionFigures[], name: 'documents' | 'tombstones'): number {
  return collections.reduce((total, figures) => total + figures[name], 0)
}
