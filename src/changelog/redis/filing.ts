/** Filing all documents anew, for what was written under other channels or none. */
import { randomUUID } from 'node:crypto'
import type { RedisArgument } from '../../drivers/redis.ts'
import type { Filer, Row } from '../changelog.ts'
import { nameOf } from './entries.ts'
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

export async function fileAnew (session: Session, order: Order): Promise<void> {
  const { name, goOn } = order
  for (;;) {
    goOn()
    if ((await session.ask(STATE)).state.filedBy === name) return
    // What another node commits without channels meanwhile takes this mark away.
    const mark = `\0${randomUUID()}`
    await session.ask(FILED_BY, ['', mark, ''])
    const moved = await walk(session, order)
    // Another filing than that of the steps: a reader may have begun between two of them.
    const { values: [done] } = await session.ask(FILED_BY, [mark, name, moved ? randomUUID() : ''])
    if (done === 1) return
  }
}

async function walk (session: Session, { channelsOf, goOn }: Order): Promise<boolean> {
  const reader = new Reader(session)
  const filing = randomUUID()
  let moved = false
  for (let after = 0; ;) {
    goOn()
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
