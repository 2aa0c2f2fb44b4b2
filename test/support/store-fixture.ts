/**
 * What a log holds, as text that tests compare; and the making of a fixture of today's layout:
 * node --import tsx test/support/store-fixture.ts test/fixtures/log-v<layout>
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { ChangeStore, NewEntry, NewJournalRow, Row } from '../../src/changelog/changelog.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { digest, newPush, NOW, put, remove } from '../../src/conformance/changelog/harness.ts'

const WHO = { userId: 'ann', clientId: 'phone', address: '127.0.0.1', messageId: 'm-1' }

/** Rows with the whole of their entries, as far as a page shows them with what it shows. */
async function whole (log: ChangeStore, rows: readonly Row[]): Promise<unknown[]> {
  const entries = await log.entries(rows.map(({ entry }) => entry.sequence))
  return rows.map(({ position, entry, member }, i) => ({ position, entry: { ...entries[i], ...entry }, member }))
}

/** Everything a client or an operator can learn from a log, but for the epochs that later openings began. */
export async function contentsOf (log: ChangeStore): Promise<string> {
  const all = { after: 0, collections: null, limit: 1000, bytes: Infinity }
  const { rows, scanned, head, horizon, epochs } = await log.read(all)
  const documents = rows.map(({ entry }) => ({ collection: entry.collection, documentId: entry.documentId, identity: digest(`id of ${entry.documentId}`) }))
  const content = {
    page: { rows: await whole(log, rows), scanned, head, horizon, epoch: epochs[0] },
    ofChannels: await whole(log, (await log.read({ ...all, channels: ['red', 'blue'] })).rows),
    entries: await log.getSince(0, 1000),
    histories: await Promise.all(documents.map(document => log.history(document))),
    heads: await log.heads(documents),
    journal: await log.journal(),
    collections: (await log.collections()).sort(),
    secret: await log.secret()
  }
  return JSON.stringify(content, (_, value) => value?.type === 'Buffer' || value instanceof Uint8Array ? Buffer.from(value.data ?? value).toString('hex') : value, 1) + '\n'
}

export async function fill (log: ChangeStore): Promise<void> {
  const told = (documentId: string): Partial<NewEntry> => ({ identity: digest(`id of ${documentId}`), rev: '1-a' })
  const refused: NewJournalRow = { collection: 'todos', documentId: 'c', status: 'rejected', code: 'invalid_document', raw: '{"_id":"\\ud800"}' }
  const seen = (key: string): object => ({ key: digest(key), ...WHO, outcome: `outcome of ${key}`, serverTimestamp: NOW })
  await log.commit(newPush([put('a', 1, { ...told('a'), channels: ['red'] }), put('b', 'ünï🚀'), put('gone', 1)], { ...seen('first'), journal: [refused] }))
  await log.commit(newPush([put('a', 2, { operation: 'update', expected: 1, channels: ['blue'] }), remove('gone', { expected: 3, exact: false })], seen('second')))
  await log.commit(newPush([put('c', [null, 1.5e300], { collection: 'other:notes', timestamp: 0, channels: ['red', 'blue'] })], seen('third')))
  await log.append({ id: 'own-id', sequence: 0, collection: 'todos', documentId: 'appended', operation: 'insert', document: '{"_id":"appended"}', data: '{"_id":"appended"}', timestamp: NOW })
}

/** An audit chain with a block of each kind of leaf. */
async function audit (log: SqliteChangeLog, target: string): Promise<void> {
  await log.seal()
  await log.compact({ historyBefore: Infinity })
  await log.forgetWriter({ collection: 'todos', documentId: 'b' }, WHO.userId)
  await log.commit(newPush([put('a', 3, { operation: 'update', expected: 4 })], { key: digest('fourth'), ...WHO }))
  log.onSeal(({ hash }) => writeFileSync(`${target}.anchor`, `${hash}\n`))
  await log.seal()
}

async function make (target: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'pocket-fixture-'))
  const path = join(home, 'log.db')
  const log = new SqliteChangeLog(path, { now: () => NOW })
  await fill(log)
  await audit(log, target)
  writeFileSync(`${target}.json`, await contentsOf(log))
  await log.close()
  writeFileSync(`${target}.db.gz`, gzipSync(readFileSync(path)))
  rmSync(home, { recursive: true })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await make(process.argv[2]!)
