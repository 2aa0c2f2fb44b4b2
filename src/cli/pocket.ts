/** The library's calls for a command that changes a log at rest. */
import type { ChangeStore } from '../changelog/changelog.ts'
import type { Retention } from '../config.ts'
import { PocketServer } from '../server.ts'
import { assertWritable, openForWriting, withView } from './log.ts'

interface PocketOptions {
  /** What to do instead while a server holds the log. */
  readonly held: string
  readonly retention?: Retention
}

/** @throws CommandError when there is no log, or a server holds it */
export async function withPocket<T> (db: string, { held, ...options }: PocketOptions, work: (pocket: PocketServer, store: ChangeStore) => Promise<T>): Promise<T> {
  // Opening for writing would begin an empty one.
  await withView(db, async () => {})
  const store = await openForWriting(db, { held, retention: options.retention })
  await assertWritable(store)
  const pocket = new PocketServer({ ...options, changeLog: store, compactInterval: Infinity })
  try {
    return await work(pocket, store)
  } finally {
    await pocket.close()
    await store.close()
  }
}
