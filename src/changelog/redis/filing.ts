/** Filing all documents anew, for what was written under other channels or none. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisArgument } from '../../drivers/redis.ts'
import type { Filer, Row } from '../changelog.ts'
import { nameOf } from './entries.ts'
import { Hold, WAIT_MS } from './hold.ts'
import { FILED_BY, MOVE } from './lua/file.ts'
import { STATE } from './lua/ask.ts'
import { Reader } from './reader.ts'
import type { Session } from './session.ts'

interface Order {
  readonly name: string
  readonly channelsOf: Filer
  /** Throws when the log was closed meanwhile. */
  readonly goOn: () => void
}

const STEP = { limit: 200, bytes: 2 ** 20 }

/** The name by which it is filed in the end; a mark of its own meanwhile. */
const mark = (name: string): string => `\0${randomUUID()}${name}`

export async function fileAnew (session: Session, order: Order): Promise<void> {
  const hold = new Hold(session, 'filer')
  const renew = async (): Promise<boolean> => {
    order.goOn()
    return await hold.renew()
  }
  try {
    while ((await session.ask(STATE)).state.filedBy !== order.name) {
      if (!await renew()) await sleep(WAIT_MS)
      else if (await file(session, order, renew)) return
    }
  } finally {
    await hold.end().catch(() => {})
  }
}

/** @returns whether all is filed: not where another node filed or committed without channels meanwhile, which takes the mark away */
async function file (session: Session, order: Order, goesOn: () => Promise<boolean>): Promise<boolean> {
  const begun = mark(order.name)
  await session.ask(FILED_BY, ['', begun, ''])
  const moved = await walk(session, order, goesOn)
  if (moved === null) return false
  // Another filing than that of the steps: a reader may have begun between two of them.
  const { values: [done] } = await session.ask(FILED_BY, [begun, order.name, moved ? randomUUID() : ''])
  return done === 1
}

/** @returns whether anything was not as it should be; null where another node took over */
async function walk (session: Session, { channelsOf }: Order, goesOn: () => Promise<boolean>): Promise<boolean | null> {
  const reader = new Reader(session)
  const filing = randomUUID()
  let moved = false
  for (let after = 0; ;) {
    if (!await goesOn()) return null
    const { rows, scanned, head } = await reader.page({ after, collections: null, ...STEP })
    if (rows.length > 0) {
      const { values: [any] } = await session.ask(MOVE, [filing, ...rows.flatMap(row => placed(row, channelsOf))])
      moved ||= any === 1
    }
    if (scanned === head) return moved
    after = scanned
  }
}

function placed ({ entry }: Row, channelsOf: Filer): RedisArgument[] {
  const channels = entry.document === null ? [] : [...new Set(channelsOf(entry, entry.document))]
  return [nameOf(entry), entry.sequence, channels.length, ...channels]
}
