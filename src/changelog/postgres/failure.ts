/** What an error of the server, or of the way to it, says about the log, and in whose words it is passed on. */
import { SyncError } from '../../errors.ts'

/** `missing`: the tables are not there; `own`: it concerns what was asked, and nobody else. */
export type Failure = 'down' | 'busy' | 'full' | 'readonly' | 'refused' | 'missing' | 'own'

const FAILURES: ReadonlyArray<readonly [RegExp, Failure]> = [
  [/^(42P01|3F000)$/, 'missing'],
  [/^(25006|55000)$/, 'readonly'],
  [/^(28|42501|3D)/, 'refused'],
  [/^(0A|21|22|23|42|54)/, 'own'],
  [/^(53100|53200)$/, 'full'],
  [/^(55P03|40|57014|53|25P0)/, 'busy']
]

const ADVICE: Record<Exclude<Failure, 'own'>, string> = {
  down: 'PostgreSQL cannot be reached: see that it runs, and what the URL says',
  busy: 'PostgreSQL did not answer in time: look at what holds locks (pg_stat_activity) or uses up its connections',
  full: 'PostgreSQL has no room left: free some space, writing goes on by itself',
  readonly: 'PostgreSQL takes no writes there, as a standby does: name the primary',
  refused: 'PostgreSQL refuses this: look at the user, its password and its rights',
  missing: 'the tables of the change log are gone; they are made anew'
}

interface ServerError { readonly code?: unknown, readonly severity?: unknown }

function codeOf (error: unknown): string {
  const { code } = (error ?? {}) as ServerError
  return typeof code === 'string' ? code : ''
}

/** What the server said by an SQLSTATE, or that nothing was heard from it. */
export function failureOf (error: unknown): Failure {
  if (typeof (error as ServerError | null)?.severity !== 'string') return 'down'
  const code = codeOf(error)
  return FAILURES.find(([pattern]) => pattern.test(code))?.[1] ?? 'down'
}

/** A lock was not given in time. */
export function isLocked (error: unknown): boolean {
  return codeOf(error) === '55P03'
}

export function unavailable (failure: Exclude<Failure, 'own'>, cause: unknown): SyncError {
  const said = codeOf(cause) || (cause as Error | null)?.message
  return new SyncError('storage_unavailable', { detail: said ? `${ADVICE[failure]} (${said})` : ADVICE[failure], cause })
}

export function closed (): SyncError {
  return new SyncError('storage_unavailable', { detail: 'The change log is closed.' })
}
