/** The change log that a command works on. */
import { DEFAULT_LOG, openBackend, openView } from '../backends.ts'
import type { ChangeStore } from '../changelog/changelog.ts'
import type { LogView } from '../changelog/view.ts'
import type { Retention } from '../config.ts'
import { SyncError } from '../errors.ts'
import { CommandError } from './exit.ts'
import { maskedPlace } from './masked.ts'

/** The option by which every command is told its log. */
export const dbOption = {
  type: 'string',
  value: '<path>',
  env: 'POCKET_DB',
  default: DEFAULT_LOG,
  summary: 'change log: a path, or sqlite:<path>'
} as const

export const jsonOption = { type: 'boolean', summary: 'JSON, one object per line, on a terminal too' } as const

/**
 * Opens the log for writing, and creates it where there is none. One process may hold it.
 * @param options.held what to do instead while a server holds it
 * @throws CommandError saying who holds it, or what is wrong with it
 */
export async function openForWriting (name: string, { held, retention, replica }: { held?: string | undefined, retention?: Retention | undefined, replica?: string | undefined } = {}): Promise<ChangeStore> {
  const store = await backendOf(name, retention, replica)
  try {
    await store.open()
  } catch (error) {
    throw refusal(name, error, isHeld(error) ? held : undefined)
  }
  return store
}

/**
 * A log opens also where it can only be read: a server then answers pulls, a command that writes has nothing to do.
 * @throws CommandError, and closes the store
 */
export async function assertWritable (store: ChangeStore): Promise<void> {
  const { writable, detail } = store.health()
  if (writable) return
  await store.close()
  throw new CommandError('log', detail ?? 'the change log cannot be written')
}

function isHeld (error: unknown): boolean {
  return error instanceof SyncError && error.facts.held === true
}

/**
 * Looks at a log, also while a server holds and writes it, and closes it again.
 * @throws CommandError when there is none, or it cannot be read
 */
export async function withView<T> (name: string, work: (view: LogView) => Promise<T>): Promise<T> {
  const view = await viewOf(name)
  try {
    return await work(view)
  } finally {
    await view.close()
  }
}

async function viewOf (name: string): Promise<LogView> {
  try {
    return await openView(name)
  } catch (error) {
    throw error instanceof TypeError ? new CommandError('usage', error.message, error) : refusal(name, error)
  }
}

async function backendOf (name: string, retention: Retention | undefined, replica: string | undefined): Promise<ChangeStore> {
  try {
    return await openBackend(name, retention, replica)
  } catch (error) {
    throw new CommandError('usage', `cannot open the change log ${maskedPlace(name)}: ${(error as Error).message}`, error)
  }
}

function refusal (name: string, error: unknown, hint?: string): CommandError {
  return new CommandError('log', `cannot open the change log ${maskedPlace(name)}: ${(error as Error).message}${hint === undefined ? '' : `. ${hint[0]!.toUpperCase()}${hint.slice(1)}`}`, error)
}
