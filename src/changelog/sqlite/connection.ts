/** How every connection to the file is set up. */
import { SyncError } from '../../errors.ts'
import { openDatabase, type Database } from './driver.ts'
import type { Resolved } from './options.ts'

export const MEMORY = ':memory:'
/** What the WAL is cut back to after a checkpoint. */
const WAL_BYTES = 64 * 2 ** 20
/** Pages in the WAL that start a checkpoint (16 MiB): pages that many commits touch are then copied back once. */
const CHECKPOINT_PAGES = 4000
const CACHE_KIB = 32 * 1024

export interface ConnectionOptions {
  readonly synchronous: Resolved['synchronous']
  readonly share?: number
  readonly readonly?: boolean
}

/** A connection to an existing or new file, in WAL mode and as durable as asked. */
export function connect (path: string, { synchronous, share = 1, readonly = false }: ConnectionOptions): Database {
  const database = openDatabase(path, { readonly, timeout: 0 })
  try {
    // Only before the first table: later it would take a rewrite of the whole file.
    if (!readonly) database.pragma('auto_vacuum = INCREMENTAL')
    if (!readonly && path !== MEMORY) database.pragma('journal_mode = WAL')
    // After journal_mode: the driver's build lowers it to NORMAL when a WAL is opened (RELIABILITY 1).
    database.pragma(`synchronous = ${synchronous}`)
    database.pragma(`journal_size_limit = ${Math.ceil(WAL_BYTES * share)}`)
    database.pragma(`wal_autocheckpoint = ${Math.ceil(CHECKPOINT_PAGES * share)}`)
    database.pragma(`cache_size = -${Math.ceil(CACHE_KIB * share)}`)
    database.pragma('temp_store = MEMORY')
    database.pragma('cell_size_check = ON')
    database.pragma('trusted_schema = OFF')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const LEVELS = { normal: 1, full: 2 }

/** After a first write, since only then it shows what a connection really does. */
export function assertSynchronous (database: Database, { synchronous }: Resolved): void {
  const level = database.pragma('synchronous', { simple: true })
  if (level === LEVELS[synchronous]) return
  throw new SyncError('storage_unavailable', { detail: `this build of SQLite does not keep synchronous=${synchronous} (it says ${String(level)}): answered pushes would not survive a power cut` })
}
