/** Compaction as a series of short transactions, between which commits and reads go on. */
import { setImmediate } from 'node:timers/promises'
import type { CompactPolicy } from '../changelog.ts'
import type { Compaction, IdentityPlace } from './compaction.ts'
import type { Medium } from './medium.ts'

/** How long one step may keep others waiting, ms: rows per step follow it. */
const STEP_TIME = 10
const FIRST_ROWS = 200
const MAX_ROWS = 20_000
/** Free pages left in the file for what comes next (1 MiB). */
const KEPT_PAGES = 256
const VACUUM_PAGES = 200

/** Does up to `rows` rows; true when there is more. */
type Step = (compaction: Compaction, rows: number) => boolean

/** @param goOn asked between the steps; false ends the compaction */
export async function compact (medium: Medium, policy: CompactPolicy, goOn: () => boolean): Promise<void> {
  for (const step of stepsOf(policy)) await repeat(medium, step, goOn)
  while (goOn() && medium.write(({ compaction }) => compaction.vacuum(KEPT_PAGES, VACUUM_PAGES), { always: true })) await setImmediate()
}

async function repeat (medium: Medium, step: Step, goOn: () => boolean): Promise<void> {
  for (let rows = FIRST_ROWS, more = true; more && goOn();) {
    const start = performance.now()
    more = medium.write(({ writer, compaction }) => writer.transaction(() => step(compaction, rows)), { always: true })
    const scale = STEP_TIME / (performance.now() - start)
    rows = Math.max(1, Math.min(MAX_ROWS, Math.floor(rows * Math.min(2, scale))))
    await setImmediate()
  }
}

function stepsOf ({ historyBefore, tombstonesBefore, pushesBefore, journalBefore }: CompactPolicy): Step[] {
  const steps: Step[] = []
  if (historyBefore !== undefined) steps.push(inOrder((compaction, place, rows) => compaction.history(place, historyBefore, rows)))
  if (tombstonesBefore !== undefined) {
    steps.push((compaction, rows) => compaction.tombstones(tombstonesBefore, rows), identitySteps(tombstonesBefore))
  }
  if (pushesBefore !== undefined) steps.push(inOrder((compaction, place, rows) => compaction.pushes(place, pushesBefore, rows)))
  if (journalBefore !== undefined) steps.push((compaction, rows) => compaction.journal(journalBefore, rows))
  return steps
}

/** Steps that go through a table once. @param next from a place on; null at the end */
function inOrder (next: (compaction: Compaction, place: number, rows: number) => number | null): Step {
  let place: number | null = 0
  return (compaction, rows) => {
    place = next(compaction, place!, rows)
    return place !== null
  }
}

function identitySteps (before: number): Step {
  let place: IdentityPlace | null = null
  return (compaction, rows) => {
    place = compaction.identities(place, before, rows)
    return place !== null
  }
}
