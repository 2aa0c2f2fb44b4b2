/**
 * The last step of a restore, which can be cut anywhere and is then done by the next start: the verified log lies
 * whole beside the old one under a name of its own, and that it does is the decision. Until then the old log is the
 * log, from then on the new one; a file and its WAL cannot be replaced in one step, and a new file with an old
 * WAL beside it would be neither.
 */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { syncFolder, writeMark } from './files.ts'

/** A log that takes the place of the one at this path. */
export function restoredOf (path: string): string {
  return `${path}.restored`
}

/** When the restore that is under way was decided; null when there is none. */
export function pendingRestore (path: string): Date | null {
  return statSync(restoredOf(path), { throwIfNoEntry: false })?.mtime ?? null
}

/**
 * Puts a restored log in its place, under the lock. Idempotent.
 * @param options.discard drops the log that lay there instead of keeping it aside
 * @returns where the former log lies now, null when there is none
 */
export function finishRestore (path: string, { discard = false } = {}): string | null {
  const decided = pendingRestore(path)
  if (decided === null) return null
  const aside = `${path}.replaced-${decided.toISOString().replaceAll(/[:.]/g, '-')}`
  for (const suffix of ['-wal', '']) {
    if (!existsSync(path + suffix)) continue
    if (discard) rmSync(path + suffix)
    else renameSync(path + suffix, aside + suffix)
    // Each step on the disk before the next: after a power cut too the WAL is never gone from beside its file alone.
    syncFolder(path)
  }
  rmSync(`${path}-shm`, { force: true })
  renameSync(restoredOf(path), path)
  syncFolder(path)
  writeMark(path)
  return existsSync(aside) ? aside : null
}
