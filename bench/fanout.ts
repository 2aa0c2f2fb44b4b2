/** Streams, against a node:http server that writes one ready buffer to all, and against nginx with nchan. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AudienceQuestion, FanLoad, FanQuestion, FanResult } from './support/fan-loads.ts'
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
        const rows = [...await thousand(arena), ...await crowd(arena)]
        await arena.end()
        return [...rows, ...await stalled(suite)]
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
    this.#listeners.clear()
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

const FULL_HOUSE = 10_000
const STALLED = FULL_HOUSE / 100
/** More than the sockets' buffers on both sides take: then a reader who stalls is one whose socket is full. */
const BULK = { documents: 40, bytes: 200_000 }

/** As many streams as the limits allow, all of them read, and the same where one in a hundred reads nothing. */
async function stalled (suite: Suite): Promise<Row[]> {
  const listeners: Helper[] = []
  const memory = { whole: 0, stalled: 0 }
  const listen = async (name: keyof typeof memory, stalls: number): Promise<Target & { round: () => Promise<FanResult> }> => {
    const server = await suite.server(`${name}.db`)
    const listener = Helper.start('streams.ts')
    listeners.push(listener)
    const before = residentBytes(server.pid)
    await listener.ask({ audience: name, port: server.port, path: '/sync/stream?collections=todos', count: FULL_HOUSE, stalled: stalls } satisfies AudienceQuestion)
    await fill(server)
    memory[name] = (residentBytes(server.pid) - before) / FULL_HOUSE / 1024
    const load: FanLoad = { audience: name, kind: 'push', port: server.port, pid: server.pid, path: '/sync/push', ahead: 0, rate: 5, changes: 1, ms: suite.settings.ms, reaches: FULL_HOUSE - stalls }
    return { ...server, round: () => listener.ask<FanResult>(load) }
  }
  try {
    const whole = await listen('whole', 0)
    const some = await listen('stalled', STALLED)
    const rounds = await interleave(suite.settings.rounds, { whole: whole.round, stalled: some.round })
    const { clients } = await (await fetch(`http://127.0.0.1:${some.port}/health`)).json() as { clients: number }
    if (clients !== FULL_HOUSE) throw new Error(`${FULL_HOUSE - clients} streams are gone: those that stall were to stay`)
    const row = (work: string, figure: 'p50' | 'p99' | 'cpuMicros'): Row => {
      const of = (name: keyof typeof memory): number => medianOf(rounds, round => (round[name] as FanResult)[figure])
      const generator = Math.max(...(['whole', 'stalled'] as const).map(name => medianOf(rounds, round => round[name].generator!)))
      return { work: `10,000 streams, 1 % stalled, 5 changes/s: ${work}`, unit: figure === 'cpuMicros' ? 'µs' : 'ms', ours: of('stalled'), limit: 'none stalled', limitValue: of('whole'), ratio: medianOf(rounds, round => (round.stalled as FanResult)[figure] / (round.whole as FanResult)[figure]), lowerIsBetter: true, generator, bar: 1.2, aim: 1 }
    }
    const ratio = memory.stalled / memory.whole
    return [
      row('p50', 'p50'), row('p99', 'p99'), row('CPU per event', 'cpuMicros'),
      { work: '10,000 streams, 1 % stalled: memory per stream', unit: 'KiB', ours: memory.stalled, limit: 'none stalled', limitValue: memory.whole, ratio, lowerIsBetter: true, bar: 1.2, aim: 1 }
    ]
  } finally {
    for (const listener of listeners) await listener.stop()
  }
}

/** Both are written the same: what is kept of it is the log's, not the readers'. */
async function fill ({ port }: Target): Promise<void> {
  for (let n = 0; n < BULK.documents; n++) {
    const now = Date.now()
    const body = JSON.stringify({ type: 'push', id: `bulk-${n}`, timestamp: now, collection: 'bulk', changes: [{ operation: 'insert', documentId: `bulk-${n}`, document: { text: 'x'.repeat(BULK.bytes) }, timestamp: now }] })
    const response = await fetch(`http://127.0.0.1:${port}/sync/push`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (!response.ok) throw new Error(`a push failed: ${response.status}`)
    await response.arrayBuffer()
  }
  await sleep(500)
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
