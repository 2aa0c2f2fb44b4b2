/** Compaction in steps of about a millisecond, between which others commit; one node at a time. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisArgument } from '../../drivers/redis.ts'
import type { CompactPolicy } from '../changelog.ts'
import { newEpochId } from '../entry.ts'
import { Hold, WAIT_MS } from './hold.ts'
import type { Script } from './layout.ts'
import { CLEAR, FORGET_IDENTITIES, FORGET_JOURNAL, FORGET_PUSHES, PURGE, SUPERSEDED } from './lua/drop.ts'
import type { Session } from './session.ts'

/** Rows looked at in one step. */
const ROWS = 250

export async function compact (session: Session, policy: CompactPolicy, goOn: () => boolean): Promise<void> {
  const hold = new Hold(session, 'compacting')
  while (!await hold.renew()) {
    await sleep(WAIT_MS)
    if (!goOn()) return
  }
  try {
    const work = steps(session, policy)
    while ((await work.next()).done !== true) {
      if (!goOn()) return
      await hold.renew()
    }
  } finally {
    await hold.end().catch(() => {})
  }
}

async function * steps (session: Session, { historyBefore, tombstonesBefore, pushesBefore, journalBefore }: CompactPolicy): AsyncGenerator<void> {
  const until = async function * (script: Script, first: string, rest: readonly RedisArgument[]): AsyncGenerator<void> {
    for (let place = first, begun = false; !begun || (place !== '0' && place !== ''); begun = true) {
      const { values: [next] } = await session.ask(script, [place, ...rest])
      place = String(next)
      yield
    }
  }
  if (historyBefore !== undefined) yield * until(SUPERSEDED, '', [bound(historyBefore), ROWS])
  if (tombstonesBefore !== undefined) {
    while ((await session.ask(PURGE, [bound(tombstonesBefore), ROWS])).values[0] === 1) yield
    yield * until(FORGET_IDENTITIES, '0', [bound(tombstonesBefore)])
  }
  if (pushesBefore !== undefined) yield * until(FORGET_PUSHES, '0', [bound(pushesBefore)])
  if (journalBefore === undefined) return
  for (let after = '-'; after !== '('; yield) {
    const { values: [last] } = await session.ask(FORGET_JOURNAL, [after, bound(journalBefore)])
    after = `(${String(last)}`
  }
}

/** Times are compared as doubles: no one lies beyond this one. */
function bound (time: number): number {
  return Math.min(time, Number.MAX_SAFE_INTEGER)
}

export async function clearLog (session: Session, now: number): Promise<void> {
  await session.ask(CLEAR, [newEpochId(), now])
}
