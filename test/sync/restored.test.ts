/** A backup of the very epoch that readers are in is put back while they are between two pages. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import type { Checkpoint } from '../../schema/checkpoint.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { SyncError } from '../../src/errors.ts'
import { formatCursor, parseCursor, positionOf } from '../../src/sync/cursor.ts'
import { openRules, pull, push, type Rules, type TestPage } from '../support/rules.ts'

const IDS = ['a', 'b', 'c', 'd']

interface Plan {
  /** Written before the backup, before the page, and after the restore: the first two are one epoch. */
  readonly kept: readonly string[]
  readonly lost: readonly string[]
  readonly since: readonly string[]
  /** Read before the restore, and whether the cursor is then carried as a URL has it. */
  readonly pages: number
  readonly limit: number
  readonly byUrl: boolean
  readonly perCollection: boolean
}

async function write (rules: Rules, ids: readonly string[]): Promise<void> {
  for (const documentId of ids) {
    const timestamp = rules.clock.time++
    await push(rules, { changes: [{ operation: 'update', documentId, document: { n: timestamp }, timestamp }] })
  }
}

/** What a client holds, and how it goes on. */
class Reader {
  readonly held = new Map<string, unknown>()
  checkpoint: Checkpoint
  epoch: string | undefined
  hasMore = true

  constructor (perCollection: boolean) {
    this.checkpoint = perCollection ? { sequences: { todos: 0 } } : { global: 0 }
  }

  async read (rules: Rules, limit: number): Promise<void> {
    const page: TestPage = await pull(rules, { collections: ['todos'], checkpoint: this.checkpoint, limit, ...this.epoch !== undefined && { epoch: this.epoch } })
    for (const { documentId, document } of page.changes['todos'] ?? []) this.held.set(documentId, document)
    Object.assign(this, { checkpoint: page.checkpoint, epoch: page.epoch, hasMore: page.hasMore })
  }

  async toTheEnd (rules: Rules): Promise<void> {
    try {
      for (this.hasMore = true; this.hasMore;) await this.read(rules, 1)
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'resync_required') throw error
      this.held.clear()
      Object.assign(this, new Reader(false), { held: this.held })
      await this.toTheEnd(rules)
    }
  }

  /** The same place, as the cursor of a stream or URL says it. */
  carry (): void {
    const { after, epoch, snapshot, scope, head } = parseCursor(formatCursor(positionOf(this.checkpoint, this.epoch) as ReturnType<typeof positionOf> & { after: number }))
    this.checkpoint = JSON.parse(JSON.stringify({ global: after, snapshot, scope, head })) as Checkpoint
    this.epoch = epoch
  }
}

async function holds ({ kept, lost, since, pages, limit, byUrl, perCollection }: Plan): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-restored-'))
  const backup = join(folder, 'backup.db')
  const reader = new Reader(perCollection)
  try {
    const before = await openRules({ store: new SqliteChangeLog(join(folder, 'log.db'), { synchronous: 'normal' }) })
    await write(before, kept)
    await (before.store as SqliteChangeLog).backup(backup)
    await write(before, lost)
    for (let page = 0; page < pages && reader.hasMore; page++) await reader.read(before, limit)
    if (byUrl && !perCollection) reader.carry()
    await before.store.close()
    const after = await openRules({ store: new SqliteChangeLog(backup, { synchronous: 'normal' }) })
    await write(after, since)
    await reader.toTheEnd(after)
    const wanted = new Reader(false)
    await wanted.toTheEnd(after)
    await after.store.close()
    const [got, want] = [reader, wanted].map(({ held }) => JSON.stringify([...held].sort(([a], [b]) => a < b ? -1 : 1)))
    if (got !== want) throw new Error(`holds ${got!} of ${want!}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

t.test('promise 4 (Safe checkpoints): who is between two pages when a backup of the same epoch is restored misses nothing', async t => {
  const ids = (maxLength: number): fc.Arbitrary<string[]> => fc.array(fc.constantFrom(...IDS), { maxLength })
  const plan = fc.record({ kept: ids(8), lost: ids(6), since: ids(3), pages: fc.nat(6), limit: fc.integer({ min: 1, max: 3 }), byUrl: fc.boolean(), perCollection: fc.boolean() })
  const leftOut = { kept: ['a', 'b'], lost: ['a'], since: [], pages: 1, limit: 1, byUrl: false, perCollection: false }
  await fc.assert(fc.asyncProperty(plan, holds), { numRuns: Number(process.env['POCKET_RUNS'] ?? 20), examples: [[leftOut], [{ ...leftOut, byUrl: true }], [{ ...leftOut, perCollection: true }]] })
  t.pass()
})
