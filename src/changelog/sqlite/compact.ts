/** Compaction as a series of short transactions, between which commits and reads go on. */
import { setTimeout } from 'node:timers/promises'
import type { CompactPolicy } from '../changelog.ts'
import type { Compaction, Work } from './compaction.ts'
import type { Medium, Writing } from './medium.ts'

/** How long one step may work before its commit, ms. */
const STEP_TIME = 5
/** Between two steps at most, ms: whoever closes the log waits for it. */
const LONGEST_REST = 250
/** Free pages left in the file for what comes next (1 MiB). */
const KEPT_PAGES = 256

export interface CompactRun {
  /** Asked between the steps; false ends the compaction. */
  readonly goOn: () => boolean
  /** The server's clock, ms. */
  readonly now: number
}

/** Pages in the WAL that start a checkpoint meanwhile (1 MiB): steps fill it quickly, and a large one holds up the commit that meets it. */
const CHECKPOINT_PAGES = 256

export async function compact (medium: Medium, policy: CompactPolicy, run: CompactRun): Promise<void> {
  medium.write(({ compaction }) => compaction.begin(CHECKPOINT_PAGES), { always: true })
  try {
    await drop(medium, policy, run)
  } finally {
    if (run.goOn()) medium.write(({ compaction }) => compaction.end(), { always: true })
  }
}

async function drop (medium: Medium, policy: CompactPolicy, { goOn, now }: CompactRun): Promise<void> {
  const { historyBefore, tombstonesBefore, pushesBefore, journalBefore } = policy
  const finish = (work: (compaction: Compaction) => Work): Promise<void> => finishWork(medium, ({ compaction }) => work(compaction), goOn)
  if (historyBefore !== undefined) await finish(compaction => compaction.history(historyBefore, now))
  if (tombstonesBefore !== undefined) {
    await finish(compaction => compaction.tombstones(tombstonesBefore))
    await finish(compaction => compaction.identities(tombstonesBefore))
  }
  if (pushesBefore !== undefined) await finish(compaction => compaction.pushes(pushesBefore))
  if (journalBefore !== undefined) await finish(compaction => compaction.journal(journalBefore))
  await finish(compaction => compaction.vacuum(KEPT_PAGES))
}

/**
 * @param begin a connection that was opened anew begins anew
 * @param share of the time, at most: the rest belongs to others
 */
export async function finishWork (medium: Medium, begin: (writing: Writing) => Work, goOn: () => boolean, share = 0.5): Promise<void> {
  let of: Writing | undefined
  let work: Work | undefined
  try {
    for (let done = false; !done && goOn();) {
      const start = performance.now()
      done = medium.write(writing => {
        if (of !== writing) work = begin(writing)
        of = writing
        return writing.writer.transaction(() => {
          const ended = step(work!)
          writing.compaction.settle()
          return ended
        })
      }, { always: true })
      if (!done) await setTimeout(Math.min(LONGEST_REST, (performance.now() - start) * (1 / share - 1)))
    }
  } catch (error) {
    of?.compaction.forget()
    throw error
  }
}

/** Says whether the work is done. */
function step (work: Work): boolean {
  const end = performance.now() + STEP_TIME
  do if (work.next().done === true) return true
  while (performance.now() < end)
  return false
}
