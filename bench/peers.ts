/**
 * The same work against servers that apps use today: rxdb-server in memory, express-pouchdb on disk. Neither syncs what
 * it answered to the disk, as this server does.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Target } from './support/processes.ts'
import { rateRow, type Row } from './support/report.ts'
import type { Suite } from './support/suite.ts'

const folder = fileURLToPath(new URL('peers', import.meta.url))
/** What a peer is filled with before it is pulled from. */
const DOCUMENTS = 20_000
/** At most: peers are slow, and their ratios large. */
const ROUNDS = 3

/** By the lockfile of their own: nobody else needs their 150 MB. */
function install (): void {
  if (existsSync(`${folder}/node_modules`)) return
  console.error('installing the peers …')
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

export async function startRxdb (suite: Suite): Promise<Target> {
  install()
  return await suite.target('../peers/rxdb-server.js')
}

async function start (suite: Suite): Promise<{ rxdb: Target, pouch: Target }> {
  return { rxdb: await startRxdb(suite), pouch: await suite.target('../peers/express-pouchdb.js', `${suite.folder}/pouch-${Date.now()}`) }
}

export async function peerPushes (suite: Suite, server: Target): Promise<Row[]> {
  const { rxdb, pouch } = await start(suite)
  const { ms } = suite.settings
  const rows: Row[] = []
  for (const { connections, changes, bar, aim } of [{ connections: 64, changes: 1, bar: 10, aim: 20 }, { connections: 8, changes: 100, bar: 3, aim: 5 }]) {
    const shape = { connections, changes, ms }
    const contenders = {
      server: () => suite.load({ kind: 'push', ...server, ...shape }),
      rxdb: () => suite.load({ kind: 'rxdb-push', ...rxdb, ...shape }),
      pouch: () => suite.load({ kind: 'pouch-push', ...pouch, ...shape })
    }
    const rounds = await suite.compare(`${connections}×${changes} beside peers`, contenders, ROUNDS)
    const of = { work: `push ${connections}×${changes}`, unit: 'documents/s' }
    rows.push(
      rateRow({ ...of, limit: 'express-pouchdb, on disk, no fsync', bar, aim }, { rounds, ours: 'server', limit: 'pouch' }),
      rateRow({ ...of, limit: 'rxdb-server, in memory' }, { rounds, ours: 'server', limit: 'rxdb' }))
  }
  return rows
}

export async function peerPulls (suite: Suite, server: Target): Promise<Row[]> {
  const { rxdb, pouch } = await start(suite)
  const { ms } = suite.settings
  await fillRxdb(suite, rxdb, DOCUMENTS)
  await fill(suite, { kind: 'pouch-push', peer: pouch, atLeast: DOCUMENTS })
  const shape = { connections: 20, limit: 1000, ms: 2 * ms, checkpoint: { global: 0 }, follow: true }
  const contenders = {
    server: () => suite.load({ kind: 'pull', ...server, ...shape }),
    apart: () => suite.load({ kind: 'pull', ...server, ...shape, apart: true }),
    rxdb: () => suite.load({ kind: 'rxdb-pull', ...rxdb, ...shape }),
    pouch: () => suite.load({ kind: 'pouch-pull', ...pouch, ...shape })
  }
  const rounds = await suite.compare('first pull beside peers', contenders, ROUNDS)
  const of = { work: 'first pull, 20 clients', unit: 'documents/s' }
  return [
    rateRow({ ...of, limit: 'rxdb-server, in memory', bar: 5, aim: 25 }, { rounds, ours: 'server', limit: 'rxdb' }),
    rateRow({ ...of, work: `${of.work}, no two questions equal`, limit: 'rxdb-server, in memory' }, { rounds, ours: 'apart', limit: 'rxdb' }),
    rateRow({ ...of, limit: 'express-pouchdb, on disk, no fsync' }, { rounds, ours: 'server', limit: 'pouch' })
  ]
}

/** @returns how many documents it holds then */
export async function fillRxdb (suite: Suite, peer: Target, atLeast: number): Promise<number> {
  return await fill(suite, { kind: 'rxdb-push', peer, atLeast })
}

async function fill (suite: Suite, { kind, peer, atLeast }: { kind: 'rxdb-push' | 'pouch-push', peer: Target, atLeast: number }): Promise<number> {
  let documents = 0
  while (documents < atLeast) {
    const { acknowledged } = await suite.load({ kind, ...peer, connections: 8, changes: 100, ms: 200 })
    documents += acknowledged
  }
  return documents
}
