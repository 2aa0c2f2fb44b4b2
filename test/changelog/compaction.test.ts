import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { newPush, NOW, put, read, remove, sequences, write } from '../../src/conformance/changelog/harness.ts'

const VERSIONS = 20_000
const hot = { collection: 'todos', documentId: 'hot' }
const late = { historyBefore: NOW + 10, tombstonesBefore: NOW + 10, pushesBefore: NOW + 10, journalBefore: NOW + 10 }

async function openLog (t: Test): Promise<() => SqliteChangeLog> {
  const home = mkdtempSync(join(tmpdir(), 'pocket-log-'))
  const opened: SqliteChangeLog[] = []
  t.teardown(async () => {
    for (const log of opened) await log.close()
    rmSync(home, { recursive: true })
  })
  return () => {
    opened.push(new SqliteChangeLog(join(home, 'log.db'), { synchronous: 'normal', ballastBytes: 0 }))
    return opened.at(-1)!
  }
}

/** A document of very many versions, which was deleted at last. */
async function writeHot (log: SqliteChangeLog): Promise<void> {
  for (let i = 0; i < VERSIONS; i += 1000) await write(log, Array.from({ length: 1000 }, (_, n) => put('hot', i + n)))
  await write(log, [remove('hot')], { serverTimestamp: NOW + 1 })
}

t.test('promise 7 (Isolated): a document of very many versions is purged in steps, between which others write', async t => {
  const log = (await openLog(t))()
  await writeHot(log)
  const compacting = log.compact(late).then(() => true)
  let commits = 0
  for (let done = false; !done; commits++) {
    await write(log, [put('other', commits)], { serverTimestamp: NOW + 20 })
    done = await Promise.race([compacting, new Promise<false>(resolve => setImmediate(() => resolve(false)))])
  }
  t.ok(commits > 3, `${commits} commits meanwhile`)
  t.strictSame(await log.history(hot), [])
  t.strictSame((await log.getSince(0, 10 * VERSIONS)).map(({ documentId }) => documentId), Array(commits).fill('other'))
  t.equal(await log.horizon(), VERSIONS + 1)
})

t.test('a purge that is left midway leaves a whole history, and goes on after a restart', async t => {
  const open = await openLog(t)
  const log = open()
  await writeHot(log)
  const compacting = log.compact({ tombstonesBefore: NOW + 10 })
  while ((await log.getSince(0, 1))[0]!.sequence === 1) await new Promise(resolve => setTimeout(resolve, 1))
  await Promise.all([log.close(), compacting])

  const again = open()
  const kept = await again.history(hot, { limit: 2 * VERSIONS })
  t.ok(kept.length > 1 && kept.length <= VERSIONS, `${kept.length} versions are left`)
  t.strictSame(sequences(kept), Array.from({ length: kept.length }, (_, i) => VERSIONS + 1 - i), 'the newest ones, without a gap')
  t.equal(kept.length, (await again.getSince(0, 2 * VERSIONS)).length, 'and nothing that is not found')
  t.equal(await again.horizon(), 0)
  await again.compact({ tombstonesBefore: NOW + 10 })
  t.strictSame(await again.getSince(0), [])
  t.equal(await again.horizon(), VERSIONS + 1)
})

t.test('a document that is brought back while it is purged stays', async t => {
  const log = (await openLog(t))()
  await writeHot(log)
  const compacting = log.compact({ tombstonesBefore: NOW + 10 })
  const [born] = await write(log, [put('hot', 'again')], { serverTimestamp: NOW + 20 })
  await compacting
  t.match((await read(log)).rows, [{ position: born, entry: { document: /again/ } }])
  t.equal(await log.horizon(), 0)
})

t.test('the file shrinks again, whatever filled it', async t => {
  const log = (await openLog(t))()
  const text = 'x'.repeat(1_000_000)
  for (let i = 0; i < 20; i++) await write(log, [put('long', text), put(`gone${i}`, text)])
  for (let i = 0; i < 20; i++) await write(log, [remove(`gone${i}`)])
  await log.commit(newPush([], { journal: [{ ...hot, status: 'rejected', code: 'c', raw: text }] }))
  await write(log, [put('long', 'short')], { serverTimestamp: NOW + 20 })
  const before = log.stats()['log_bytes']!
  await log.compact(late)
  await write(log, [put('long', 'shorter')], { serverTimestamp: NOW + 30 })
  await log.compact({ historyBefore: NOW + 40 })
  const after = log.stats()['log_bytes']!
  t.ok(before > 30_000_000 && after < 3_000_000, `${before} bytes before, ${after} after`)
})
