/** Moving a whole log from one store to another, part by part. */
import { SyncError } from '../errors.ts'
import { sourceOf, type LogFacts, type MovableStore, type MovedRecord } from './moving.ts'

/** Records of one part: a transaction of a few ms. */
const PART = 1000

export interface MoveProgress {
  /** What the last part held; null before the first. */
  readonly kind: MovedRecord['kind'] | null
  /** The newest sequence among the entries that came, out of `head`. */
  readonly sequence: number
  readonly head: number
  /** Records taken over, by kind, in this run. */
  readonly taken: Readonly<Record<MovedRecord['kind'], number>>
  /** An earlier run has brought a part. */
  readonly resumed: boolean
}

export interface MoveOptions {
  /** Records of a part at most; default 1000. */
  readonly size?: number
  /** Ends it between two parts: it then rejects with the signal's reason, and the same call goes on. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: MoveProgress) => void | Promise<void>
}

export interface Moved extends MoveProgress {
  readonly facts: LogFacts
}

/**
 * Moves the log. A crash at any moment leaves the source as it was and the target refusing to be served, and the same
 * call goes on. Both are the caller's to close; the target can be opened then.
 * @throws TypeError when the target holds another log, or cannot hold a text
 * @throws SyncError storage_unavailable when the source was written meanwhile, or either fails
 */
export async function moveLog (source: MovableStore, target: MovableStore, { size = PART, signal, onProgress }: MoveOptions = {}): Promise<Moved> {
  await source.openAtRest()
  const facts = await source.facts()
  const from = sourceOf(facts)
  let { progress } = await target.begin(from)
  const taken = { entry: 0, identity: 0, channel: 0, push: 0, journal: 0 }
  let at: MoveProgress = { kind: null, sequence: 0, head: facts.head, taken, resumed: progress !== null }
  for (;;) {
    signal?.throwIfAborted()
    await onProgress?.(at)
    const { records, next } = await source.part(progress, size)
    if (next === null) break
    await target.take(records, next)
    for (const { kind } of records) taken[kind]++
    const last = records.at(-1)
    at = { ...at, kind: last?.kind ?? at.kind, sequence: last?.kind === 'entry' ? last.entry.sequence : at.sequence }
    progress = next
  }
  if (sourceOf(await source.facts()).state !== from.state) throw served()
  await target.end(facts)
  return { ...at, facts }
}

function served (): SyncError {
  return new SyncError('storage_unavailable', { detail: 'the source was written while it was copied: end all nodes that serve it, and copy again, which begins anew; the target cannot be served until then' })
}
