/** Streams, against a node:http server that writes one ready buffer to all, and against nginx with nchan. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FanLoad, FanQuestion, FanResult } from './support/fan-loads.ts'
import { hasNchan, startNchan } from './support/nchan.ts'
import { Helper, residentBytes, type Target } from './support/processes.ts'
import type { Row } from './support/report.ts'
import { interleave, medianOf, type Contenders, type Rounds } from './support/stats.ts'
import type { Suite, Work } from './support/suite.ts'

type Name = 'server' | 'node' | 'nchan'

interface Contender {
  readonly target: Target
  readonly listen: string
  readonly publish: Pick<FanLoad, 'kind' | 'path'>
}

type Contest = Readonly<Partial<Record<Name, Contender>>>

export const fanout: Work = {
  name: 'fanout',
  async run (suite) {
    const nchan = hasNchan() ? await startNchan(suite.folder) : undefined
    try {
      const contest: Contest = {
        server: { target: await suite.server('fanout.db'), listen: '/sync/stream?collections=todos', publish: { kind: 'push', path: '/sync/push' } },
        node: { target: await suite.target('raw-stream.ts'), listen: '/', publish: { kind: 'frame', path: '/' } },
        ...nchan !== undefined && { nchan: { target: nchan, listen: '/listen', publish: { kind: 'data', path: '/publish' } } }
      }
      if (nchan === undefined) process.stderr.write('  without nchan: apt-get install nginx libnginx-mod-nchan\n')
      const arena = new Arena(suite, contest)
      try {
        return [...await thousand(arena), ...await crowd(arena)]
      } finally {
        await arena.end()
      }
    } finally {
      await nchan?.stop()
    }
  }
}

class Arena {
  readonly suite: Suite
  readonly contest: Contest
  /** One for each: together their streams are more than a process may have open. */
  readonly #listeners = new Map<string, Helper>()

  constructor (suite: Suite, contest: Contest) {
    this.suite = suite
    this.contest = contest
  }

  async end (): Promise<void> {
    for (const listener of this.#listeners.values()) await listener.stop()
  }

  async each (action: (name: Name, contender: Contender) => Promise<void>): Promise<void> {
    for (const [name, contender] of Object.entries(this.contest)) await action(name as Name, contender)
  }

  async audience (name: Name, count: number): Promise<void> {
    const { target, listen } = this.contest[name]!
    await this.#ask({ audience: name, port: target.port, path: listen, count })
  }

  async rounds (load: Pick<FanLoad, 'changes' | 'rate' | 'ahead'>): Promise<Rounds<Name>> {
    const { rounds, ms } = this.suite.settings
    const contenders = Object.fromEntries(Object.entries(this.contest).map(([name, { target, publish }]) => [
      name,
      () => this.#ask<FanResult>({ ...load, ...publish, audience: name, port: target.port, pid: target.pid, ms })
    ])) as unknown as Contenders<Name>
    return await interleave(rounds, contenders)
  }

  async #ask<T> (question: FanQuestion): Promise<T> {
    const listener = this.#listeners.get(question.audience) ?? Helper.start('streams.ts')
    this.#listeners.set(question.audience, listener)
    return await listener.ask<T>(question)
  }
}

const STREAMS = 1000

async function thousand (arena: Arena): Promise<Row[]> {
  await arena.each(name => arena.audience(name, STREAMS))
  const steady = await arena.rounds({ changes: 1, rate: 50, ahead: 0 })
  const flood = await arena.rounds({ changes: 1, ahead: 100 })
  await arena.each(name => arena.audience(name, 0))
  return [
    ...rowsOf(arena, steady, { work: '1,000 streams, 50 changes/s: CPU per event', figure: 'cpuMicros', bars: { nchan: { bar: 1.3, aim: 1 } } }),
    ...rowsOf(arena, flood, { work: '1,000 streams, full speed: CPU per event', figure: 'cpuMicros', bars: { nchan: { bar: 0.5, aim: 0.2 } } }),
    ...rowsOf(arena, flood, { work: '1,000 streams, full speed', figure: 'rate', bars: {} })
  ]
}

const CROWD = 8000

async function crowd (arena: Arena): Promise<Row[]> {
  const memory: Partial<Record<Name, number>> = {}
  await arena.each(async (name, { target }) => {
    const before = residentBytes(target.pid)
    await arena.audience(name, CROWD)
    await sleep(300)
    memory[name] = (residentBytes(target.pid) - before) / CROWD / 1024
  })
  const rounds = await arena.rounds({ changes: 1, rate: 5, ahead: 0 })
  await arena.each(name => arena.audience(name, 0))
  const perStream = memory.server!
  return [
    ...rowsOf(arena, rounds, { work: '8,000 streams, 5 changes/s: p99', figure: 'p99', bars: { node: { bar: 2.5, aim: 1.5 } } }),
    { work: 'memory per stream at 8,000', unit: 'KiB', ours: perStream, limit: 'bar: 25 KiB', limitValue: 25, ratio: perStream / 25, bar: 1, aim: 12 / 25, lowerIsBetter: true },
    ...(['node', 'nchan'] as const).filter(name => memory[name] !== undefined).map((name): Row => ({
      work: 'memory per stream at 8,000', unit: 'KiB', ours: perStream, limit: titles[name], limitValue: memory[name]!, ratio: perStream / memory[name]!, lowerIsBetter: true
    }))
  ]
}

const titles = { node: 'node:http, one ready buffer', nchan: 'nginx with nchan' } as const
const units = { cpuMicros: 'µs', rate: 'events/s', p99: 'ms' } as const

interface Comparison {
  readonly work: string
  readonly figure: keyof typeof units
  readonly bars: Partial<Record<keyof typeof titles, { bar: number, aim: number }>>
}

function rowsOf ({ contest }: Arena, rounds: Rounds<Name>, { work, figure, bars }: Comparison): Row[] {
  const others = (['node', 'nchan'] as const).filter(name => contest[name] !== undefined)
  const of = (name: Name, what: keyof FanResult): number => medianOf(rounds, round => (round[name] as FanResult)[what]!)
  return others.map(other => ({
    work,
    unit: units[figure],
    ours: of('server', figure),
    limit: titles[other],
    limitValue: of(other, figure),
    ratio: medianOf(rounds, round => (round.server as FanResult)[figure] / (round[other] as FanResult)[figure]),
    lowerIsBetter: figure !== 'rate',
    cpuMicros: of('server', 'cpuMicros'),
    limitCpuMicros: of(other, 'cpuMicros'),
    generator: Math.max(of('server', 'generator'), of(other, 'generator')),
    ...bars[other]
  }))
}
