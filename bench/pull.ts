/** Pulls, against SQLite reading the same rows and HTTP alone. */
import { peerPulls } from './peers.ts'
import type { PullLoad } from './support/loads.ts'
import type { Target } from './support/processes.ts'
import { rateRow, type Row } from './support/report.ts'
import { headOf, type Suite, type Work } from './support/suite.ts'

const DOCUMENTS = 100_000
const PAGE = 1000

export const pull: Work = {
  name: 'pull',
  async run (suite) {
    await suite.sqlite({ work: 'load', path: 'pull.db', documents: DOCUMENTS })
    await suite.sqlite({ work: 'load', path: 'raw.db', documents: DOCUMENTS })
    const server = await suite.server('pull.db')
    await checkFirstPull(server)
    const rows = [...await firstPulls(suite, server), ...await nothingNew(suite, server)]
    return [...rows, ...suite.settings.peers ? await peerPulls(suite, server) : []]
  }
}

/** @throws Error when a first pull does not bring every document once */
async function checkFirstPull ({ port }: Target): Promise<void> {
  const ids = new Set<string>()
  let checkpoint: object = { global: 0 }
  for (let hasMore = true; hasMore;) {
    const response = await fetch(`http://127.0.0.1:${port}/sync/pull`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'pull', id: `check-${ids.size}`, timestamp: Date.now(), collections: ['todos'], checkpoint, limit: PAGE })
    })
    const page = await response.json() as { changes: { todos?: Array<{ documentId: string }> }, checkpoint: object, hasMore: boolean }
    for (const { documentId } of page.changes.todos ?? []) ids.add(documentId)
    checkpoint = page.checkpoint
    hasMore = page.hasMore
  }
  if (ids.size !== DOCUMENTS) throw new Error(`a first pull of ${DOCUMENTS} documents brought ${ids.size}`)
}

async function firstPulls (suite: Suite, server: Target): Promise<Row[]> {
  const { ms } = suite.settings
  const prepared = await suite.target('raw-http.ts', 'page', String(PAGE))
  const first = { kind: 'pull', ms, limit: PAGE, checkpoint: { global: 0 }, follow: true } as const
  const contenders = {
    twenty: () => suite.load({ ...server, ...first, connections: 20, resume: 'twenty' }),
    apart: () => suite.load({ ...server, ...first, connections: 20, apart: true, resume: 'apart' }),
    read: () => suite.sqlite({ work: 'read', path: 'raw.db', ms, limit: PAGE }),
    page: () => suite.load({ ...prepared, ...first, kind: 'page', connections: 20 }),
    one: () => suite.load({ ...server, ...first, connections: 1, resume: 'one' }),
    onePage: () => suite.load({ ...prepared, ...first, kind: 'page', connections: 1 })
  }
  const rounds = await suite.compare('first pull', contenders)
  const unit = 'documents/s'
  const read = 'SQLite reading, as text'
  return [
    rateRow({ work: 'first pull, 20 clients, no two questions equal', unit, limit: read, bar: 0.3 }, { rounds, ours: 'apart', limit: 'read' }),
    rateRow({ work: 'first pull, 20 clients, equal questions', unit, limit: 'prepared page', aim: 0.5 }, { rounds, ours: 'twenty', limit: 'page' }),
    rateRow({ work: 'first pull, 1 client, again and again', unit, limit: read }, { rounds, ours: 'one', limit: 'read' }),
    rateRow({ work: 'first pull, 1 client, again and again', unit, limit: 'prepared page' }, { rounds, ours: 'one', limit: 'onePage' })
  ]
}

async function nothingNew (suite: Suite, server: Target): Promise<Row[]> {
  const { ms } = suite.settings
  const fastify = await suite.target('raw-http.ts', 'fastify')
  const atHead: Pick<PullLoad, 'ms' | 'connections' | 'limit' | 'checkpoint' | 'epoch' | 'follow' | 'expect'> = {
    ms, connections: 64, limit: 100, follow: false, expect: 0, ...await headOf(server)
  }
  const contenders = {
    server: () => suite.load({ kind: 'pull', ...server, ...atHead }),
    fastify: () => suite.load({ kind: 'echo-pull', ...fastify, ...atHead })
  }
  const rounds = await suite.compare('nothing new', contenders)
  return [rateRow({ work: 'pull with nothing new', unit: 'pulls/s', limit: 'Fastify echo', bar: 0.6, aim: 0.8 }, { rounds, ours: 'server', limit: 'fastify' })]
}
