import { SyncError } from '../errors.ts'
import { CommandError } from './exit.ts'

/**
 * Work on files beside the log.
 * @throws CommandError in place of what their names or the files themselves are refused for
 */
export async function onFiles<T> (work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TypeError) throw new CommandError('usage', error.message, error)
    if (error instanceof SyncError) throw new CommandError('log', error.message, error)
    throw error
  }
}
