/**
 * The layout of the file, as numbered steps: append-only, each in a transaction of its own.
 * A step that has been released is never edited.
 */
import { randomBytes } from 'node:crypto'
import { SyncError } from '../../errors.ts'
import type { Database } from './driver.ts'

/** "PkSL": by it a file is known as a change log of this server. */
export const APPLICATION_ID = 0x506b534c

const LAYOUT_1 = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  CREATE TABLE epochs (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, first INTEGER NOT NULL, started INTEGER NOT NULL) STRICT;
  CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

  -- The document comes last: facts are read without touching the pages of a long one.
  CREATE TABLE log (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    operation INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    effective_time INTEGER NOT NULL,
    server_timestamp INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    exact INTEGER NOT NULL,
    hash BLOB NOT NULL,
    user_id TEXT,
    client_id TEXT,
    address TEXT,
    rev TEXT,
    id TEXT,
    facts_checksum INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    document TEXT
  ) STRICT;
  CREATE UNIQUE INDEX log_id ON log (id) WHERE id IS NOT NULL;

  CREATE TABLE heads (
    collection INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (collection, document_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX heads_sequence ON heads (sequence);
  CREATE INDEX heads_collection ON heads (collection, sequence);
  CREATE INDEX heads_tombstones ON heads (sequence) WHERE deleted = 1;

  CREATE TABLE identities (
    collection INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    identity BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    server_timestamp INTEGER NOT NULL,
    PRIMARY KEY (collection, document_id, identity)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE pushes (
    key BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    first INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    server_timestamp INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX pushes_time ON pushes (server_timestamp);

  CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    document_id TEXT NOT NULL,
    status TEXT NOT NULL,
    code TEXT NOT NULL,
    raw TEXT NOT NULL,
    message_id TEXT NOT NULL,
    server_timestamp INTEGER NOT NULL,
    user_id TEXT,
    client_id TEXT,
    address TEXT
  ) STRICT;
  CREATE INDEX journal_time ON journal (server_timestamp);

  CREATE TABLE channels (
    collection INTEGER NOT NULL,
    document_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    position INTEGER NOT NULL,
    member INTEGER NOT NULL,
    PRIMARY KEY (collection, document_id, channel)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX channels_position ON channels (channel, position);
`

function layout1 (database: Database): void {
  database.exec(LAYOUT_1)
  const put = database.prepare('INSERT INTO meta (key, value) VALUES (?, ?)')
  put.run('log_id', randomBytes(16).toString('hex'))
  put.run('secret', randomBytes(32))
  put.run('horizon', 0n)
  put.run('journal_bytes', 0n)
}

/**
 * Push records in the order they came: the oldest are found without an index of times, and message ids that grow
 * with time touch one page of the index where digests touched one each. Records of layout 1 have no message id.
 */
const LAYOUT_2 = `
  CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    key BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    first INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    server_timestamp INTEGER NOT NULL
  ) STRICT;
  INSERT INTO records (message_id, key, fingerprint, first, outcome, server_timestamp)
    SELECT '', key, fingerprint, first, outcome, server_timestamp FROM pushes ORDER BY server_timestamp;
  DROP TABLE pushes;
  ALTER TABLE records RENAME TO pushes;
  CREATE UNIQUE INDEX pushes_message ON pushes (message_id, key);
  CREATE INDEX journal_document ON journal (collection, document_id, id);
`

/**
 * The audit chain: entries from `first` to `last` as one block, and in `tree` what of them was dropped since
 * (merkle.ts). The number is never given out twice, so that blocks that were cut off are missed.
 */
const LAYOUT_3 = `
  CREATE TABLE blocks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    root BLOB NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    sealed INTEGER NOT NULL,
    tree BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX blocks_first ON blocks (first);
  -- With member, what a reader of a channel is shown is found without a look at the table.
  DROP INDEX channels_position;
  CREATE INDEX channels_position ON channels (channel, position, member);
  -- Up to where versions were dropped before, nobody wrote down.
  INSERT INTO meta (key, value) SELECT 'history_horizon', coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0);
`

/**
 * From here on the identity of a head is recorded when the head is replaced, since its facts tell it till then. Nothing
 * is laid out otherwise, but a build that only looks at the records would take a repeated change for a new one.
 */
function layout4 (): void {}

const migrations: ReadonlyArray<(database: Database) => void> = [
  layout1,
  database => { database.exec(LAYOUT_2) },
  database => { database.exec(LAYOUT_3) },
  layout4
]

/** Whether the file holds nothing at all: neither a log nor anything else. */
export function isEmpty (database: Database): boolean {
  return layoutOf(database) === 0 && database.prepare('SELECT count(*) FROM sqlite_master').pluck().get() === 0
}

function layoutOf (database: Database): number {
  return database.pragma('user_version', { simple: true }) as number
}

/**
 * @param options.arriving a log that is being moved here is expected
 * @throws SyncError storage_unavailable for another program's file, one that a newer build has written, or half a log
 */
export function checkLayout (database: Database, path: string, { arriving = false } = {}): void {
  if (isEmpty(database)) return
  if (database.pragma('application_id', { simple: true }) !== APPLICATION_ID) {
    throw new SyncError('storage_unavailable', { detail: `${path} is a database of another program: name another file` })
  }
  const layout = layoutOf(database)
  if (layout > migrations.length) {
    throw new SyncError('storage_unavailable', {
      detail: `${path} has layout ${layout}, this build knows layouts up to ${migrations.length}: start the newer build that wrote it, or restore a backup made before`
    })
  }
  if (!arriving && database.prepare("SELECT count(*) FROM meta WHERE key = 'moving'").pluck().get() !== 0) {
    throw new SyncError('storage_unavailable', { detail: `${path} is the target of a copy that has not ended: run the same pocket-server copy again, which goes on, or delete the file to give it up` })
  }
}

/** Brings the file to this build's layout; a crash in between leaves it at a whole step. */
export function migrate (database: Database, steps = migrations): void {
  for (let layout = layoutOf(database); layout < steps.length; layout++) {
    database.transaction(() => {
      steps[layout]!(database)
      database.pragma(`application_id = ${APPLICATION_ID}`)
      database.pragma(`user_version = ${layout + 1}`)
    }).immediate()
  }
}
