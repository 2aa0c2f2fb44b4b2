/** What stands beside the entries: counter, epochs, horizon, channel rows, identities, push records, journal, secret. */
import type { Epoch } from '../changelog.ts'
import type { Finding } from '../view.ts'
import type { Database } from './driver.ts'

/** Rows told of one kind: where there are more, more of the same are no news. */
const ROWS = 100
const SECRET_BYTES = 32

const RESTORE = 'restore a backup: clients would be given sequences that they believe to know'

interface Place {
  readonly sequence?: number | null
  readonly collection?: string | null
  readonly documentId?: string | null
}

export function * checkCounters (database: Database): Generator<Finding> {
  database.exec('BEGIN')
  try {
    const counter = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'log'").pluck().get() as number | undefined
    yield * checkCounter(database, counter)
    yield * checkEpochs(database, counter ?? 0)
    yield * checkMeta(database, counter ?? 0)
    yield * checkChannels(database)
    yield * checkRecords(database, counter ?? 0)
  } finally {
    database.exec('COMMIT')
  }
}

function * checkCounter (database: Database, counter: number | undefined): Generator<Finding> {
  const { oldest, newest } = database.prepare('SELECT min(sequence) AS oldest, max(sequence) AS newest FROM log').get() as { oldest: number | null, newest: number | null }
  if (newest !== null && newest > (counter ?? 0)) {
    yield finding('sequence', { sequence: newest }, `the counter stands at ${counter ?? 'nothing'}, below the newest entry: sequences would be given out twice`, RESTORE)
  }
  if (oldest !== null && oldest < 1) yield finding('sequence', { sequence: oldest }, 'sequences begin at 1', RESTORE)
}

function * checkEpochs (database: Database, counter: number): Generator<Finding> {
  const epochs = database.prepare('SELECT id, first, started FROM epochs ORDER BY number').all() as Epoch[]
  if (epochs.length === 0) yield finding('epoch', {}, 'there is none: no checkpoint of a client could be judged', 'start the server, which begins one; all clients then start over')
  for (const [index, { id, first }] of epochs.entries()) {
    const before = epochs[index - 1]
    if (before !== undefined && first < before.first) yield finding('epoch', { sequence: first }, `epoch ${id} begins before ${before.id}, which is older and begins at ${before.first}`, RESTORE)
    if (first < 1 || first > counter + 1) yield finding('epoch', { sequence: first }, `epoch ${id} begins at ${first}, and the newest sequence is ${counter}`, RESTORE)
  }
}

function * checkMeta (database: Database, counter: number): Generator<Finding> {
  const meta = new Map(database.prepare('SELECT key, value FROM meta').raw().all() as Array<[string, unknown]>)
  const horizon = meta.get('horizon')
  if (typeof horizon !== 'number' || horizon < 0 || horizon > counter) {
    yield finding('horizon', { sequence: typeof horizon === 'number' ? horizon : null }, `the horizon is ${told(horizon)}, not between 0 and the newest sequence ${counter}`, 'restore a backup: every client would be told to start over, again and again')
  }
  const secret = meta.get('secret')
  if (!Buffer.isBuffer(secret) || secret.length !== SECRET_BYTES) yield finding('meta', {}, `the secret is not ${SECRET_BYTES} bytes`, 'restore a backup: checkpoints of clients would not be believed')
  const bytes = meta.get('journal_bytes')
  if (typeof bytes !== 'number' || bytes < 0) yield finding('meta', {}, `the journal's size is noted as ${told(bytes)}`, 'restore a backup: the journal would not be kept within its bound')
}

function * checkChannels (database: Database): Generator<Finding> {
  const rows = database.prepare(`SELECT r.position, r.document_id, r.channel, r.member, c.name, h.sequence, h.deleted FROM channels r
    LEFT JOIN collections c ON c.id = r.collection LEFT JOIN heads h ON h.collection = r.collection AND h.document_id = r.document_id
    WHERE h.sequence IS NULL OR r.position < 1 OR r.position > h.sequence OR r.member NOT IN (0, 1) OR (r.member = 1 AND (h.deleted = 1 OR r.position <> h.sequence)) LIMIT ${ROWS}`).raw()
    .all() as Array<[number, string, string, number, string | null, number | null, number | null]>
  for (const [position, documentId, channel, member, collection, head, deleted] of rows) {
    const problem = head === null
      ? 'there is no such document'
      : position < 1 || position > head
        ? `it is placed at ${position}, and the document's newest entry is ${head}`
        : deleted === 1 && member === 1 ? 'it says member, and the document is deleted' : member === 1 ? `it says member at ${position}, and the document's newest entry is ${head}` : `its member is ${member}, neither 0 nor 1`
    yield finding('channel', { sequence: position, collection, documentId }, `channel row ${channel}: ${problem}`, 'restore a backup, or push the document again: readers by channel may miss it')
  }
}

function * checkRecords (database: Database, counter: number): Generator<Finding> {
  const identities = database.prepare(`SELECT i.sequence, c.name AS collection, i.document_id AS documentId FROM identities i
    LEFT JOIN collections c ON c.id = i.collection WHERE i.sequence < 1 OR i.sequence > ? LIMIT ${ROWS}`).all(counter) as Array<Required<Place>>
  for (const place of identities) yield finding('identity', place, `an identity names a sequence that was never given out; the newest is ${counter}`, 'restore a backup: a repeated change would be answered wrongly')
  const pushes = database.prepare(`SELECT first FROM pushes WHERE first < 0 OR first > ? LIMIT ${ROWS}`).pluck().all(counter) as number[]
  for (const first of pushes) yield finding('push', { sequence: first }, `a push record names a sequence that was never given out; the newest is ${counter}`, 'compact with --pushes 0 drops all records; repeated changes are then known by their identities')
  const journal = database.prepare(`SELECT id, collection, document_id AS documentId, status FROM journal WHERE status NOT IN ('conflict', 'rejected') LIMIT ${ROWS}`).all() as Array<{ id: number, collection: string, documentId: string, status: string }>
  for (const { id, status, ...place } of journal) yield finding('journal', place, `journal row ${id} has the status "${status}"`, `journal discard ${id} drops it`)
}

function told (value: unknown): string {
  return typeof value === 'number' ? String(value) : value === undefined ? 'missing' : 'no number'
}

function finding (about: Finding['about'], { sequence = null, collection = null, documentId = null }: Place, problem: string, advice: string): Finding {
  return { about, sequence, collection, documentId, problem, advice }
}
