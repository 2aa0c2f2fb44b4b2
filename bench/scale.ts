/** Whether work stays as cheap as it was while the log grows, and how soon a large one is ready. */
import { join } from 'node:path'
import type { Target } from './support/processes.ts'
import { startServer } from './support/processes.ts'
import type { Row } from './support/report.ts'
import { interleave, median, medianOf, type Contenders } from './support/stats.ts'
import { caughtUp, headOf, type Suite, type Work } from './support/suite.ts'

const SMALL = 10_000

export const scale: Work = {
  name: 'scale',
  async run (suite) {
    const { large, ms } = suite.settings
    await suite.sqlite({ work: 'load', path: 'small.db', documents: SMALL })
    await suite.sqlite({ work: 'load', path: 'large.db', documents: large })
    const starts = await startTimes(suite)
    const small = await suite.server('small.db')
    const large_ = await suite.server('large.db')
    const of = { size: `${named(large)} documents`, small: named(SMALL) }
    return [
      starts,
      await growth(suite, { work: 'catch-up of 10', ...of }, both(small, large_, server => caughtUp(suite, server, ms / 2))),
      await growth(suite, { work: 'push 64×1', ...of }, both(small, large_, server => pushed(suite, server, { connections: 64, changes: 1 }))),
      await growth(suite, { work: 'push 8×100', ...of }, both(small, large_, server => pushed(suite, server, { connections: 8, changes: 100 })))
    ]
  }
}

/** From the start of the program to the first answer of /health. */
async function startTimes (suite: Suite): Promise<Row> {
  const time = (db: string) => async () => {
    const start = performance.now()
    const server = await startServer(join(suite.folder, db), suite.settings.serverArgs)
    const { status } = await fetch(`http://127.0.0.1:${server.port}/health`)
    const ms = performance.now() - start
    await server.stop()
    if (status !== 200) throw new Error(`/health says ${status}`)
    return { rate: ms, cpuMicros: NaN }
  }
  const rounds = await interleave(Math.min(suite.settings.rounds, 3), { large: time('large.db'), small: time('small.db') })
  const ours = medianOf(rounds, ({ large }) => large.rate)
  return { work: `start to ready, ${named(suite.settings.large)} documents`, unit: 'ms', ours, limit: 'bar of 1 s', limitValue: 1000, ratio: ours / 1000, bar: 1, aim: 0.5, lowerIsBetter: true }
}

type Pair = Contenders<'small' | 'large'>

function both (small: Target, large: Target, work: (server: Target) => ReturnType<Pair['small']>): Pair {
  return { small: () => work(small), large: () => work(large) }
}

async function pushed (suite: Suite, server: Target, shape: { connections: number, changes: number }) {
  const head = await headOf(server)
  return await suite.load({ kind: 'push', ...server, ...shape, ...head, ms: suite.settings.ms, resume: `push ${server.port} ${shape.connections}` })
}

/** Times per operation compare as rates do the other way round. */
export async function growth (suite: Suite, { work, size, small }: { work: string, size: string, small: string }, pair: Pair): Promise<Row> {
  const rounds = await suite.compare(work, pair)
  return {
    work: `growth, ${work}: ${size}`,
    unit: 'µs each',
    ours: medianOf(rounds, ({ large }) => 1e6 / large.rate),
    limit: `the same with ${small}`,
    limitValue: medianOf(rounds, ({ small }) => 1e6 / small.rate),
    ratio: medianOf(rounds, ({ small, large }) => small.rate / large.rate),
    bar: 1.5,
    lowerIsBetter: true,
    cpuMicros: medianOf(rounds, ({ large }) => large.cpuMicros),
    limitCpuMicros: medianOf(rounds, ({ small }) => small.cpuMicros),
    generator: median(rounds.map(({ large }) => large.generator ?? NaN))
  }
}

export function named (documents: number): string {
  return documents >= 1e6 ? `${documents / 1e6} M` : `${documents / 1e3} k`
}
