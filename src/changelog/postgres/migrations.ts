/**
 * The layout of the tables, as numbered steps: append-only. A step that has been released is never edited. Every table
 * but `layout` has the log as the first column of its key, so that logs can be spread over machines by it.
 */
import { SyncError } from '../../errors.ts'
import { sha256 } from '../entry.ts'
import type { Connection } from './connection.ts'
import type { Server } from './server.ts'
import { inSchema, quoted } from './statement.ts'

/** The timeline changes with every failover; what is no PostgreSQL of its own may not have one. */
const TIMELINE = 'SELECT left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)'

const LAYOUT_1 = `
  -- least: the oldest layout whose builds may go on with this one.
  CREATE TABLE pocket.layout (layout int NOT NULL, least int NOT NULL);
  INSERT INTO pocket.layout VALUES (0, 0);

  -- A log by the hash of its name. The row is locked by whoever gives out sequences, which puts commits in order.
  CREATE TABLE pocket.logs (
    log bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    head bigint NOT NULL DEFAULT 0,
    horizon bigint NOT NULL DEFAULT 0,
    history_horizon bigint NOT NULL DEFAULT 0,
    -- The newest epoch, and under which server and timeline it was known to hold.
    epoch text NOT NULL DEFAULT '',
    server text NOT NULL DEFAULT '',
    filing text NOT NULL DEFAULT '',
    filed_by text,
    channels boolean NOT NULL DEFAULT false,
    journal_head bigint NOT NULL DEFAULT 0,
    journal_bytes bigint NOT NULL DEFAULT 0,
    secret bytea NOT NULL,
    move_source text,
    move_progress text
  ) WITH (fillfactor = 20);

  CREATE TABLE pocket.epochs (
    log bigint NOT NULL,
    number bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    first bigint NOT NULL,
    started bigint NOT NULL,
    PRIMARY KEY (log, number)
  );
  CREATE INDEX epochs_first ON pocket.epochs (log, first, number);

  -- The document comes last: facts are read without touching it.
  CREATE TABLE pocket.entries (
    log bigint NOT NULL,
    sequence bigint NOT NULL,
    "timestamp" bigint NOT NULL,
    effective_time bigint NOT NULL,
    server_timestamp bigint NOT NULL,
    previous bigint NOT NULL,
    facts_checksum int NOT NULL,
    checksum int NOT NULL,
    operation int NOT NULL,
    exact boolean NOT NULL,
    collection text COLLATE "C" NOT NULL,
    document_id text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    user_id text COLLATE "C",
    client_id text COLLATE "C",
    address text COLLATE "C",
    rev text COLLATE "C",
    id text COLLATE "C",
    document text COLLATE "C",
    PRIMARY KEY (log, sequence)
  );
  CREATE UNIQUE INDEX entries_id ON pocket.entries (log, id) WHERE id IS NOT NULL;

  CREATE TABLE pocket.heads (
    log bigint NOT NULL,
    collection text COLLATE "C" NOT NULL,
    document_id text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    deleted boolean NOT NULL,
    PRIMARY KEY (log, collection, document_id)
  );
  CREATE INDEX heads_sequence ON pocket.heads (log, sequence);
  CREATE INDEX heads_collection ON pocket.heads (log, collection, sequence);
  CREATE INDEX heads_tombstones ON pocket.heads (log, sequence) WHERE deleted;

  CREATE TABLE pocket.identities (
    log bigint NOT NULL,
    collection text COLLATE "C" NOT NULL,
    document_id text COLLATE "C" NOT NULL,
    identity bytea NOT NULL,
    sequence bigint NOT NULL,
    server_timestamp bigint NOT NULL,
    PRIMARY KEY (log, collection, document_id, identity)
  );

  -- Message ids that grow with time touch few pages of the index. '' is of a record that was moved here without its own.
  CREATE TABLE pocket.pushes (
    log bigint NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    fingerprint bytea NOT NULL,
    first bigint NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    server_timestamp bigint NOT NULL,
    PRIMARY KEY (log, message_id, key)
  );
  CREATE INDEX pushes_time ON pocket.pushes (log, server_timestamp);

  CREATE TABLE pocket.journal (
    log bigint NOT NULL,
    id bigint NOT NULL,
    collection text COLLATE "C" NOT NULL,
    document_id text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    raw text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    server_timestamp bigint NOT NULL,
    user_id text COLLATE "C",
    client_id text COLLATE "C",
    address text COLLATE "C",
    PRIMARY KEY (log, id)
  );
  CREATE INDEX journal_time ON pocket.journal (log, server_timestamp);
  CREATE INDEX journal_document ON pocket.journal (log, collection, document_id, id);

  CREATE TABLE pocket.channels (
    log bigint NOT NULL,
    collection text COLLATE "C" NOT NULL,
    document_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    member boolean NOT NULL,
    PRIMARY KEY (log, collection, document_id, channel)
  );
  CREATE INDEX channels_position ON pocket.channels (log, channel, position);

  -- What one node at a time does to a log, until when it may, and what it noted for the next one.
  CREATE TABLE pocket.leases (
    log bigint NOT NULL,
    work text COLLATE "C" NOT NULL,
    holder text NOT NULL DEFAULT '',
    until bigint NOT NULL DEFAULT 0,
    progress bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (log, work)
  );
`

/** Which timeline the server writes: one more with every failover. */
function layout1 (timeline: string): string {
  return `${LAYOUT_1}CREATE FUNCTION pocket.timeline () RETURNS text LANGUAGE sql VOLATILE AS $$ ${timeline} $$`
}

export interface Step {
  readonly sql: (timeline: string) => string
  /** The oldest layout whose builds may go on once this step is done: where it only adds, that of the step before. */
  readonly least: number
}

export const steps: readonly Step[] = [
  { sql: layout1, least: 1 }
]

interface Layout { readonly layout: number, readonly least: number }

const NONE: Layout = { layout: 0, least: 0 }

/**
 * Brings the tables to this build's layout where no other node has; nodes that start at once wait for each other.
 * @throws SyncError storage_unavailable when a newer build laid them out otherwise
 */
export async function migrate (server: Server, known: readonly Step[] = steps): Promise<void> {
  const { schema } = server.options
  const done = (found: Layout): boolean => {
    assertKnown(found, schema, known.length)
    return found.layout >= known.length
  }
  if (done(await server.use(connection => layoutOf(connection, schema)))) return
  const lock = `SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(${lockKey(`${schema} layout`)})`
  await server.transaction(lock, async connection => {
    const found = await layoutOf(connection, schema)
    if (!done(found)) await connection.script(await stepsFrom(connection, found.layout, { schema, known }))
    await connection.commit()
  })
}

/** The key of an advisory lock: what is locked by hand has a number of 64 bits. */
function lockKey (name: string): string {
  return sha256(`pocket ${name}`).readBigInt64BE(0).toString()
}

async function layoutOf (connection: Connection, schema: string): Promise<Layout> {
  // Not by to_regclass, whose cache may still say no after the wait for a node that has just created it.
  const [[there]] = await connection.script(`SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'layout' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ${literal(schema)}))`) as [[boolean]]
  if (!there) return NONE
  const [row] = await connection.script(inSchema(schema, 'SELECT layout, least FROM pocket.layout'))
  return row === undefined ? NONE : { layout: row[0] as number, least: row[1] as number }
}

async function stepsFrom (connection: Connection, layout: number, { schema, known }: { schema: string, known: readonly Step[] }): Promise<string> {
  const [[exists, timeline]] = await connection.script(`SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = ${literal(schema)}), to_regproc('pg_walfile_name') IS NOT NULL`) as [[boolean, boolean]]
  const parts = known.slice(layout).map(({ sql }) => inSchema(schema, sql(timeline ? TIMELINE : "SELECT ''::text")))
  if (!exists) parts.unshift(`CREATE SCHEMA ${quoted(schema)}`)
  const { least } = known.at(-1)!
  return [...parts, inSchema(schema, `UPDATE pocket.layout SET layout = ${known.length}, least = ${least}`)].join(';\n')
}

function assertKnown ({ layout, least }: Layout, schema: string, known: number): void {
  if (least <= known) return
  throw new SyncError('storage_unavailable', {
    detail: `the tables in the schema ${schema} have layout ${layout}, which takes a build that knows layout ${least} at least, this one knows ${known}: start the newer build, or restore a backup made before`
  })
}

function literal (text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
