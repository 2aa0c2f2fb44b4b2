/** Durable pushes, against what HTTP and SQLite alone can do. */
import { peerPushes } from './peers.ts'
import type { PushLoad } from './support/loads.ts'
import type { Target } from './support/processes.ts'
import { rateRow, type Row } from './support/report.ts'
import type { Sample } from './support/stats.ts'
import { headOf, type Suite, type Work } from './support/suite.ts'

/** A server and how many of its changes were acknowledged, to be compared with its log in the end. */
class Counted {
  readonly #suite: Suite
  readonly #server: Target
  #acknowledged = 0

  constructor (suite: Suite, server: Target) {
    this.#suite = suite
    this.#server = server
  }

  async push (load: Pick<PushLoad, 'connections' | 'changes' | 'updates' | 'randomIds'>, ms = this.#suite.settings.ms) {
    const { port, pid } = this.#server
    const resume = `push ${port} ${load.connections} ${load.changes} ${load.updates === true} ${load.randomIds === true}`
    const head = await headOf(this.#server)
    const result = await this.#suite.load({ kind: 'push', port, pid, ms, resume, ...head, ...load })
    this.#acknowledged += result.acknowledged
    return result
  }

  /** @throws Error when an acknowledged change is not in the log, or one is there twice */
  async check (): Promise<void> {
    const { checkpoint: { global } } = await headOf(this.#server)
    if (global !== this.#acknowledged) throw new Error(`${this.#acknowledged} changes were acknowledged, the log has ${global}`)
  }
}

export const push: Work = {
  name: 'push',
  async run (suite) {
    const server = await suite.server('push.db')
    const pushes = new Counted(suite, server)
    // Of its own: the pages that random ids leave behind would be paid for by the others.
    const random = new Counted(suite, await suite.server('random.db'))
    const rows = [...await oneByOne(suite, { pushes, random }), ...await byHundreds(suite, pushes), ...await alone(suite, pushes)]
    for (const counted of [pushes, random]) await counted.check()
    return [...rows, ...suite.settings.peers ? await peerPushes(suite, server) : []]
  }
}

async function oneByOne (suite: Suite, { pushes, random }: { pushes: Counted, random: Counted }): Promise<Row[]> {
  const { ms } = suite.settings
  const node = await suite.target('raw-http.ts', 'node')
  const fastify = await suite.target('raw-http.ts', 'fastify')
  const shape = { connections: 64, changes: 1 }
  const contenders = {
    server: () => pushes.push(shape),
    random: () => random.push({ ...shape, randomIds: true }),
    node: () => suite.load({ kind: 'echo', ...node, ms, ...shape }),
    fastify: () => suite.load({ kind: 'echo', ...fastify, ms, ...shape })
  }
  const rounds = await suite.compare('64×1', contenders)
  const of = { work: 'push 64×1', unit: 'documents/s' }
  return [
    rateRow({ ...of, limit: 'node:http echo', bar: 0.3, aim: 0.5 }, { rounds, ours: 'server', limit: 'node' }),
    rateRow({ ...of, limit: 'Fastify echo' }, { rounds, ours: 'server', limit: 'fastify' }),
    rateRow({ ...of, work: 'push 64×1, random message ids', limit: 'ids that grow with time' }, { rounds, ours: 'random', limit: 'server' })
  ]
}

async function byHundreds (suite: Suite, pushes: Counted): Promise<Row[]> {
  const { ms } = suite.settings
  const shape = { connections: 8, changes: 100 }
  const contenders = {
    inserts: () => pushes.push(shape),
    rawInserts: () => suite.sqlite({ work: 'insert', path: 'raw.db', ms }),
    updates: () => pushes.push({ ...shape, updates: true }),
    rawUpdates: () => suite.sqlite({ work: 'update', path: 'raw.db', ms })
  }
  const rounds = await suite.compare('8×100', contenders)
  const of = { unit: 'documents/s', limit: 'SQLite, same rows', bar: 0.5, aim: 0.7 }
  return [
    rateRow({ ...of, work: 'push 8×100, inserts' }, { rounds, ours: 'inserts', limit: 'rawInserts' }),
    rateRow({ ...of, work: 'push 8×100, updates' }, { rounds, ours: 'updates', limit: 'rawUpdates' })
  ]
}

async function alone (suite: Suite, pushes: Counted): Promise<Row[]> {
  const ms = suite.settings.ms / 2
  const node = await suite.target('raw-http.ts', 'node')
  const shape = { connections: 1, changes: 1 }
  const contenders = {
    server: () => pushes.push(shape, ms),
    commit: () => suite.sqlite({ work: 'commit', path: 'bare.db', ms }),
    rows: () => suite.sqlite({ work: 'single', path: 'single.db', ms }),
    echo: () => suite.load({ kind: 'echo', ...node, ms, ...shape })
  }
  // What nobody can do without who is asked over HTTP and keeps what DESIGN 4 asks for.
  const rounds = (await suite.compare('1×1', contenders)).map(round => ({ ...round, bare: oneAfterTheOther(round.echo, round.commit), floor: oneAfterTheOther(round.echo, round.rows) }))
  const of = { work: 'push 1×1', unit: 'documents/s' }
  const [bare, floor] = ['node:http echo, then bare FULL commit', 'node:http echo, then FULL commit of the same rows']
  return [
    rateRow({ ...of, limit: 'bare FULL commit', bar: 0.5, aim: 0.8 }, { rounds, ours: 'server', limit: 'commit' }),
    rateRow({ ...of, limit: bare }, { rounds, ours: 'server', limit: 'bare' }),
    rateRow({ ...of, limit: floor }, { rounds, ours: 'server', limit: 'floor' }),
    rateRow({ ...of, work: bare, limit: 'bare FULL commit' }, { rounds, ours: 'bare', limit: 'commit' }),
    rateRow({ ...of, work: floor, limit: 'bare FULL commit' }, { rounds, ours: 'floor', limit: 'commit' })
  ]
}

function oneAfterTheOther (first: Sample, second: Sample): Sample {
  return { rate: 1 / (1 / first.rate + 1 / second.rate), cpuMicros: first.cpuMicros + second.cpuMicros }
}
