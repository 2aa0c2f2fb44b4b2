import t from 'tap'
import fc from 'fast-check'
import { join } from 'node:path'
import type { StoredEntry } from '../../src/changelog/changelog.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { openView } from '../../src/changelog/sqlite/view.ts'
import { StoreView } from '../../src/changelog/store-view.ts'
import { newPush, put, remove } from '../../src/conformance/changelog/harness.ts'

/** What happens between two pages: a document is written or deleted, or superseded versions go. */
type Event = { readonly write: number } | { readonly drop: number } | { readonly compact: true }

const documents = 6
const id = fc.nat({ max: documents - 1 })
const event: fc.Arbitrary<Event> = fc.oneof({ weight: 4, arbitrary: id.map(write => ({ write })) }, { weight: 2, arbitrary: id.map(drop => ({ drop })) }, fc.constant({ compact: true as const }))

class Writing {
  readonly #store: SqliteChangeLog
  readonly #heads = new Map<number, number>()
  #next = 1

  constructor (store: SqliteChangeLog) {
    this.#store = store
  }

  async do (event: Event): Promise<void> {
    if ('compact' in event) return await this.#store.compact()
    const number = 'write' in event ? event.write : event.drop
    const expected = this.#heads.get(number) ?? 0
    const change = 'write' in event ? put(`d${number}`, this.#next, { expected }) : remove(`d${number}`, { expected })
    await this.#store.commit(newPush([change]))
    this.#heads.set(number, this.#next++)
  }
}

function brief ({ sequence, documentId, document }: StoredEntry): unknown[] {
  return [sequence, documentId, document]
}

/** What looks at a file does so from another process, what looks at a server asks its port. */
const views = {
  'of a file': (_store: SqliteChangeLog, path: string) => openView(path),
  'of a server': (store: SqliteChangeLog) => new StoreView('redis://there', store)
}

for (const [kind, view] of Object.entries(views)) {
  t.test(`snapshot ${kind}: however others write meanwhile, it is every live document as it stood, once and in order`, async (t) => {
    const folder = t.testdir()
    let run = 0
    await fc.assert(fc.asyncProperty(fc.array(event, { maxLength: 20 }), fc.array(fc.array(event.filter(e => !('compact' in e)), { maxLength: 4 }), { maxLength: 12 }), fc.integer({ min: 1, max: 3 }), async (before, between, limit) => {
      const path = join(folder, `${run++}.db`)
      const store = new SqliteChangeLog(path, { ballastBytes: 0, synchronous: 'normal' })
      await store.open()
      const writing = new Writing(store)
      for (const one of before) await writing.do(one)
      const stood = (await store.read({ after: 0, collections: null, limit: 1000, bytes: Infinity })).rows.filter(({ entry }) => entry.document !== null)
      const look = view(store, path)
      try {
        const head = await look.head()
        const found: StoredEntry[] = []
        let snapshot = look.snapshot(head)
        for (let position = 0, pages = 0; position < head; pages++) {
          for (const one of between[pages] ?? []) await writing.do(one)
          // Another process goes on where one was killed.
          if (pages % 3 === 2) snapshot = look.snapshot(head)
          const page = await snapshot.next(position, limit)
          if (page.position <= position) throw new Error('no progress')
          found.push(...page.entries)
          position = page.position
        }
        t.strictSame(found.map(brief), stood.map(({ entry }) => [entry.sequence, entry.documentId, entry.document]))
        t.strictSame(await snapshot.late(), [])
      } finally {
        await look.close()
        await store.close()
      }
    }), { numRuns: 60 })
  })

  t.test(`snapshot ${kind}: a document whose version of then was compacted away comes late, as it is now, unless it is deleted`, async (t) => {
    const path = join(t.testdir(), 'pocket.db')
    const store = new SqliteChangeLog(path, { ballastBytes: 0 })
    await store.open()
    const writing = new Writing(store)
    for (let write = 0; write < 4; write++) await writing.do({ write })
    const look = view(store, path)
    const snapshot = look.snapshot(4)
    t.strictSame((await snapshot.next(0, 1)).entries.map(brief), [[1, 'd0', '{"_id":"d0","value":1}']])
    for (const one of [{ write: 0 }, { write: 1 }, { write: 1 }, { write: 2 }, { drop: 2 }, { compact: true as const }]) await writing.do(one)
    t.strictSame(await snapshot.next(1, 10), { entries: [await look.entry(4)], position: 4 })
    t.strictSame((await snapshot.late()).map(brief), [[7, 'd1', '{"_id":"d1","value":7}']])
    await look.close()
    await store.close()
  })
}
