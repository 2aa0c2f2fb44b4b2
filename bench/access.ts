/** Rules of access: what a reader pays for what others own, and what asking the rules costs. */
import { join } from 'node:path'
import type { AccessServer } from './support/access-server.ts'
import type { AudienceQuestion, FanLoad, FanResult } from './support/fan-loads.ts'
import type { PullLoad } from './support/loads.ts'
import { Helper, type Target } from './support/processes.ts'
import type { Row } from './support/report.ts'
import { medianOf, type Rounds } from './support/stats.ts'
import type { Suite, Work } from './support/suite.ts'
import { READER, tokenOf, WRITER } from './support/tokens.ts'

export const access: Work = {
  name: 'access',
  async run (suite) {
    return [...await beside(suite), ...await asked(suite), ...await fan(suite), ...await pushed(suite)]
  }
}

const everybody = Array.from({ length: 1000 }, (_, number) => `u${number}`)
/** At most: what is compared is CPU, which is steadier than the time. */
const ROUNDS = 3
/** Documents of each. */
const EACH = 100
/** What a reader missed, and what others wrote between each two of these. */
const MISSED = 10
const BETWEEN = 99

let files = 0

function start (suite: Suite, rules: AccessServer['rules'], documents = 0, owners: readonly string[] = [READER]): Promise<Target> {
  return suite.target('access-server.ts', JSON.stringify({ db: join(suite.folder, `access-${++files}.db`), rules, documents, owners } satisfies AccessServer))
}

async function post<T> ({ port }: Target, path: string, token: string, message: object): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ id: `m-${Date.now()}-${Math.random()}`, timestamp: Date.now(), checkpoint: { global: 0 }, ...message })
  })
  if (!response.ok) throw new Error(`${path} failed: ${response.status} ${await response.text()}`)
  return await response.json() as T
}

type Place = Pick<PullLoad, 'checkpoint' | 'epoch'>

/** Where the reader is once it has everything. @throws Error when that is not as much as it owns */
async function atEnd (server: Target, documents: number): Promise<Place> {
  let place: Place = { checkpoint: { global: 0 } }
  for (let count = 0, hasMore = true; hasMore;) {
    const page = await post<Required<Place> & { hasMore: boolean, changes: { todos?: unknown[] } }>(server, '/sync/pull', READER, { type: 'pull', collections: ['todos'], limit: 1000, ...place })
    place = { checkpoint: page.checkpoint, epoch: page.epoch }
    count += page.changes.todos?.length ?? 0
    hasMore = page.hasMore
    if (!hasMore && count !== documents) throw new Error(`a reader of ${documents} documents was given ${count}`)
  }
  return place
}

async function miss (server: Target, between: number): Promise<void> {
  for (let n = 0; n < MISSED; n++) {
    const owners = [READER, ...everybody.filter(owner => owner !== READER).slice(0, between)]
    const changes = owners.map(owner => ({ operation: 'insert', documentId: `later-${n}-${owner}`, document: { owner, n }, timestamp: Date.now() }))
    await post(server, '/sync/push', WRITER, { type: 'push', collection: 'todos', changes })
  }
}

/** One user's pulls among a thousand users, against those on a server that has only that user's documents. */
async function beside (suite: Suite): Promise<Row[]> {
  const servers = {
    crowd: await start(suite, 'channels', everybody.length * EACH, everybody),
    alone: await start(suite, 'channels', EACH)
  }
  const { ms } = suite.settings
  const pulls = async (places: Readonly<Record<keyof typeof servers, Place>>): Promise<Rounds<'crowd' | 'alone'>> => {
    const pull = (name: keyof typeof servers) => () => suite.load({ kind: 'pull', ...servers[name], ...places[name], token: READER, ms, connections: 8, limit: 1000, follow: true, whole: true })
    const contenders = { crowd: pull('crowd'), alone: pull('alone') }
    return await suite.compare('one of 1,000 users', contenders, ROUNDS)
  }
  const beginning = { checkpoint: { global: 0 } }
  const full = await pulls({ crowd: beginning, alone: beginning })
  const places = { crowd: await atEnd(servers.crowd, EACH), alone: await atEnd(servers.alone, EACH) }
  await miss(servers.crowd, BETWEEN)
  await miss(servers.alone, 0)
  const catchUp = await pulls(places)
  const compared = { ours: 'crowd', limit: 'alone', title: 'only these documents in the log', bar: 2 } as const
  return [
    costRow(full, { ...compared, work: 'channels, 1,000 users of 100 documents: first pull of one' }),
    costRow(catchUp, { ...compared, work: 'channels, 1,000 users: catch-up of 10 among 1,000 changes' })
  ]
}

const DOCUMENTS = 10_000

/** A pull of everything by its owner. */
async function asked (suite: Suite): Promise<Row[]> {
  const { ms } = suite.settings
  const pull = async (rules: AccessServer['rules']) => {
    const server = await start(suite, rules, DOCUMENTS)
    await atEnd(server, DOCUMENTS)
    return () => suite.load({ kind: 'pull', ...server, ms, connections: 4, limit: 1000, checkpoint: { global: 0 }, follow: true, apart: true, resume: `asked ${rules}`, ...rules !== 'none' && { token: READER } })
  }
  const contenders = { none: await pull('none'), sync: await pull('authorize'), async: await pull('async'), channels: await pull('channels') }
  const found = await suite.compare('pull', contenders, ROUNDS)
  const title = 'without rules'
  return [
    costRow(found, { work: 'pull of 10,000 documents, authorize', ours: 'sync', limit: 'none', title }),
    costRow(found, { work: 'pull of 10,000 documents, authorize async', ours: 'async', limit: 'none', title }),
    costRow(found, { work: 'pull of 10,000 documents, channels', ours: 'channels', limit: 'none', title })
  ]
}

/** A change that one of a thousand users with a stream each may see, against one that is sent to all. */
async function fan (suite: Suite): Promise<Row[]> {
  const { ms } = suite.settings
  const streams = everybody.length
  const listeners: Helper[] = []
  const listen = async (rules: AccessServer['rules']) => {
    const { port, pid } = await start(suite, rules)
    const listener = Helper.start('streams.ts')
    listeners.push(listener)
    const audience = { audience: rules, port, path: '/sync/stream?collections=todos', count: streams, users: rules !== 'none' }
    await listener.ask(audience satisfies AudienceQuestion)
    const load = { audience: rules, kind: 'push', port, pid, path: '/sync/push', ahead: 0, rate: 20, changes: 1, ms: 2 * ms, ...rules !== 'none' && { token: WRITER, reaches: 1 } } as const
    return async (): Promise<FanResult> => {
      const result = await listener.ask<FanResult>(load satisfies FanLoad)
      return rules === 'none' ? { ...result, cpuMicros: result.cpuMicros * streams } : result
    }
  }
  try {
    const contenders = { none: await listen('none'), channels: await listen('channels'), authorize: await listen('authorize') }
    const found = await suite.compare('streams', contenders, ROUNDS)
    const title = 'without rules, sent to all'
    return [
      costRow(found, { work: '1,000 streams, a change for one of them, channels', ours: 'channels', limit: 'none', title }),
      costRow(found, { work: '1,000 streams, a change for one of them, authorize alone', ours: 'authorize', limit: 'none', title })
    ]
  } finally {
    for (const listener of listeners) await listener.stop()
  }
}

async function pushed (suite: Suite): Promise<Row[]> {
  const { ms } = suite.settings
  const push = async (rules: AccessServer['rules']) => {
    const server = await start(suite, rules)
    const token = rules.startsWith('jwt') ? { token: tokenOf(WRITER) } : rules === 'none' ? {} : { token: WRITER }
    return () => suite.load({ kind: 'push', ...server, ...token, ms, connections: 64, changes: 1 })
  }
  const contenders = { none: await push('none'), known: await push('known'), limited: await push('limited'), authorize: await push('authorize'), jwt: await push('jwt'), both: await push('jwt and authorize') }
  const found = await suite.compare('push', contenders, ROUNDS)
  const title = 'without rules'
  return [
    costRow(found, { work: 'push, 64 × 1 change, authorize', ours: 'authorize', limit: 'none', title }),
    costRow(found, { work: 'push, 64 × 1 change, rate limits', ours: 'limited', limit: 'known', title: 'the same users without limits' }),
    costRow(found, { work: 'push, 64 × 1 change, jwt', ours: 'jwt', limit: 'none', title }),
    costRow(found, { work: 'push, 64 × 1 change, jwt and authorize', ours: 'both', limit: 'none', title })
  ]
}

interface Comparison<Name> { readonly work: string, readonly ours: Name, readonly limit: Name, readonly title: string, readonly bar?: number }

/** Compares what the servers spend on the same work: time would hide it where they wait for each other. */
function costRow<Name extends string> (rounds: Rounds<Name>, { work, ours, limit, title, bar }: Comparison<NoInfer<Name>>): Row {
  const cost = (name: Name): number => medianOf(rounds, round => round[name].cpuMicros)
  return {
    work,
    unit: 'µs CPU',
    ours: cost(ours),
    limit: title,
    limitValue: cost(limit),
    ratio: medianOf(rounds, round => round[ours].cpuMicros / round[limit].cpuMicros),
    lowerIsBetter: true,
    generator: Math.max(medianOf(rounds, round => round[ours].generator ?? NaN), medianOf(rounds, round => round[limit].generator ?? NaN)),
    ...bar !== undefined && { bar }
  }
}
