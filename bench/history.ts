/** A log in which every document was edited many times: what its readers pay for that, and what compaction gives back. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { named, growth } from './scale.ts'
import type { CompactionResult } from './support/compaction.ts'
import { Helper, type Target } from './support/processes.ts'
import type { Row } from './support/report.ts'
import { caughtUp, type Suite, type Work } from './support/suite.ts'

/** Entries per document in a log of the size asked for. */
const VERSIONS = 100
/** How long a compaction may hold up a push, ms. */
const HELD = 50

export const history: Work = {
  name: 'history',
  async run (suite) {
    const { large } = suite.settings
    const documents = large / VERSIONS
    await suite.sqlite({ work: 'load', path: 'once.db', documents })
    await suite.sqlite({ work: 'load', path: 'edited.db', documents, versions: VERSIONS })
    const edited = await suite.server('edited.db')
    const pulls = await readers(suite, { once: await suite.server('once.db'), edited }, documents)
    // Ended before its file is compacted, so that one process has it.
    await edited.stop()
    return [...pulls, ...await compacted(suite, documents)]
  }
}

async function readers (suite: Suite, { once, edited }: Record<'once' | 'edited', Target>, documents: number): Promise<Row[]> {
  const { ms, large } = suite.settings
  const of = { size: `${named(large)} entries over ${named(documents)} documents`, small: `${named(documents)} entries` }
  const first = async (server: Target) => await suite.load({ kind: 'pull', ...server, ms, connections: 4, limit: 1000, checkpoint: { global: 0 }, follow: true, apart: true, resume: `first ${server.port}` })
  return [
    await growth(suite, { work: 'first pull', ...of }, { small: () => first(once), large: () => first(edited) }),
    await growth(suite, { work: 'catch-up of 10', ...of }, { small: () => caughtUp(suite, once, ms / 2), large: () => caughtUp(suite, edited, ms / 2) })
  ]
}

async function compacted (suite: Suite, documents: number): Promise<Row[]> {
  const { large } = suite.settings
  const path = join(suite.folder, 'edited.db')
  const before = statSync(path).size
  const helper = Helper.start('compaction.ts')
  const { ms, longest, elsewhere, p99, alone } = await helper.ask<CompactionResult>({ path })
  await helper.stop()
  const after = statSync(path).size
  const of = `compaction, ${named(large)} entries to ${named(documents)}`
  const lower = { lowerIsBetter: true } as const
  return [
    { work: `${of}: longest push beside it`, unit: 'ms', ours: longest, limit: `${HELD} ms`, limitValue: HELD, ratio: longest / HELD, bar: 1, ...lower },
    { work: `${of}: waited for the disk or the host in that push`, unit: 'ms', ours: elsewhere, limit: 'all of it', limitValue: longest, ratio: elsewhere / longest, ...lower },
    { work: `${of}: longest push beside it, against the longest before it began`, unit: 'ms', ours: longest, limit: 'longest alone', limitValue: alone, ratio: longest / alone, ...lower },
    { work: `${of}: p99 of pushes beside it`, unit: 'ms', ours: p99, limit: `${HELD} ms`, limitValue: HELD, ratio: p99 / HELD, ...lower },
    { work: `${of}: in all`, unit: 's', ours: ms / 1000, limit: 'a µs for each entry dropped', limitValue: (large - documents) / 1e6, ratio: ms * 1000 / (large - documents), ...lower },
    { work: `${of}: size of the file`, unit: 'MB', ours: after / 1e6, limit: 'before', limitValue: before / 1e6, ratio: after / before, ...lower }
  ]
}
