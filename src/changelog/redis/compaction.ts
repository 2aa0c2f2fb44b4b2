/** Compaction in steps of about a millisecond, between which others commit; one node at a time. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisArgument } from '../../drivers/redis.ts'
import type { CompactPolicy } from '../changelog.ts'
import { newEpochId } from '../entry.ts'
import type { Script } from './layout.ts'
import { CLEAR, FORGET_IDENTITIES, FORGET_JOURNAL, FORGET_PUSHES, HOLD, PURGE, SUPERSEDED } from './lua/drop.ts'
import type { Session } from './session.ts'

/** Rows looked at in one step. */
const ROWS = 250
/** A node that is gone holds others up no longer than this, ms. */
const HELD_MS = 30_000
const WAIT_MS = 100

export async function compact (session: Session, policy: CompactPolicy, goOn: () => boolean): Promise<void> {
  const hold = new Hold(session)
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

class Hold {
  readonly #session: Session
  readonly #who = randomUUID()
  #renewed = -Infinity

  constructor (session: Session) {
    this.#session = session
  }

  /** @returns whether it is held */
  async renew (): Promise<boolean> {
    const now = performance.now()
    if (now - this.#renewed < HELD_MS / 3) return true
    const { values: [held] } = await this.#session.ask(HOLD, [this.#who, HELD_MS])
    if (held !== 1) return false
    this.#renewed = now
    return true
  }

  async end (): Promise<void> {
    await this.#session.ask(HOLD, [this.#who, 0])
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
