/**
 * Whether the file that was opened still is the one at its path. Who copies or moves a file there under a running
 * server leaves that writing into one without a name, whose content is gone with the process.
 */
import { renameSync, statSync } from 'node:fs'
import { SyncError } from '../../errors.ts'

/** How old a look may be, ms. */
const AGE = 250

export class Presence {
  readonly #path: string
  readonly #file: string | null
  readonly #wal: string | null
  #looked = performance.now()
  #lost: SyncError | null = null

  /** Of a log that is open. */
  constructor (path: string) {
    this.#path = path
    this.#file = fileAt(path)
    this.#wal = fileAt(`${path}-wal`)
  }

  /** @returns why nothing may be written any more, for good; null while the file is there */
  get lost (): SyncError | null {
    const now = performance.now()
    if (this.#lost !== null || now - this.#looked < AGE) return this.#lost
    this.#looked = now
    const found = fileAt(this.#path)
    if (found !== this.#file) this.#lose(found === null ? 'removed' : 'replaced')
    return this.#lost
  }

  #lose (how: string): void {
    const detail = `${this.#path} was ${how} while the server had it open: nothing is written any more. What it held can still be read, and saved with PocketServer.backup(); start the server again to use what lies there now. Restore with "pocket-server restore" while the server is stopped`
    this.#lost = new SyncError('storage_unavailable', { detail })
    // The next start would take it for the WAL of the file that lies there now, and mix the two.
    const wal = `${this.#path}-wal`
    if (this.#wal !== null && fileAt(wal) === this.#wal) renameSync(wal, `${wal}.${how}-${this.#wal.replace(':', '-')}`)
  }
}

/** Which file lies there: two names of the same one are equal. */
function fileAt (path: string): string | null {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true })
  return found === undefined ? null : `${found.dev}:${found.ino}`
}
