/** Backups of a change log that lies in one file: what stores of that kind can do besides. */

/** How far a backup is, in bytes of the log. */
export interface BackupProgress {
  readonly copied: number
  readonly total: number
}

export interface BackupOptions {
  /** Replace a file that lies there; default false. */
  readonly force?: boolean
  /** Ends it early: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Called between the steps. What it throws ends the backup. */
  readonly onProgress?: ((progress: BackupProgress) => void) | undefined
}

export interface Backup {
  readonly path: string
  readonly bytes: number
}

/** What a store that is one file can do besides. */
export interface BackupStore {
  /**
   * Copies the log as one moment showed it into one file, while commits go on. It takes its name only when it is
   * whole and on the disk; one that fails leaves nothing behind.
   * @param path in a folder that exists
   */
  backup (path: string, options?: BackupOptions): Promise<Backup>
}

export interface RestoreOptions {
  /** Drop the log that is replaced instead of keeping it aside; default false. */
  readonly discard?: boolean
}

export interface Restored {
  readonly path: string
  /** Newest sequence of the restored log: clients that have read further will be told to resync. */
  readonly head: number
  /** Where the log that was replaced lies now; null when there was none, or it was discarded. */
  readonly aside: string | null
}
