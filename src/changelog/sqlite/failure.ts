/** What an error of SQLite says about the medium, and in whose words it is passed on. */
import { SyncError } from '../../errors.ts'

/** `busy` passes by itself, `full` when space comes back; `readonly` and `broken` need the file opened anew. */
export type Failure = 'busy' | 'full' | 'readonly' | 'broken'

const FAILURES: ReadonlyArray<readonly [RegExp, Failure]> = [
  [/^SQLITE_(BUSY|LOCKED)/, 'busy'],
  [/^(SQLITE_FULL|ENOSPC|EDQUOT)/, 'full'],
  [/^(SQLITE_(READONLY|PERM|AUTH|CANTOPEN)|EROFS|EACCES|EPERM)/, 'readonly'],
  [/^(SQLITE_(IOERR|CORRUPT|NOTADB|PROTOCOL)|EIO)/, 'broken']
]

const ADVICE: Record<Failure, string> = {
  busy: 'another program holds the file locked: end it',
  full: 'the disk is full: free some space, writing goes on by itself',
  readonly: 'the file cannot be written: give the server the right to write it and its folder',
  broken: 'the file could not be read or written and is being opened anew: look at the disk, and restore a backup if it stays'
}

export function codeOf (error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

/** undefined for what is no failure of the medium: a mistake in the program or its input. */
export function failureOf (error: unknown): Failure | undefined {
  const code = codeOf(error)
  return FAILURES.find(([pattern]) => pattern.test(code))?.[1]
}

export function unavailable (path: string, failure: Failure, cause: unknown): SyncError {
  return new SyncError('storage_unavailable', { detail: `${path}: ${ADVICE[failure]} (${codeOf(cause)})`, cause })
}
