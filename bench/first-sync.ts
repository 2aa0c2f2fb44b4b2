/** Everything there is, for clients that have nothing yet: by one snapshot, page by page, and as rxdb-server gives it. */
import { gunzipSync } from 'node:zlib'
import { fillRxdb, startRxdb } from './peers.ts'
import type { WholeLoad } from './support/loads.ts'
import type { Target } from './support/processes.ts'
import { rateRow, type Row } from './support/report.ts'
import { interleave, type Contenders } from './support/stats.ts'
import { headOf, type Work } from './support/suite.ts'

const DOCUMENTS = 100_000
const PAGE = 1000
const ROUNDS = 3

type Name = 'snapshot' | 'pages' | 'snapshotGzip' | 'pagesGzip' | 'rxdb'

export const firstSync: Work = {
  name: 'first-sync',
  async run (suite) {
    await suite.sqlite({ work: 'load', path: 'first.db', documents: DOCUMENTS })
    const server = await suite.server('first.db')
    await checkSnapshot(server, 'identity')
    await checkSnapshot(server, 'gzip')
    const peer = suite.settings.peers ? await startRxdb(suite) : undefined
    const filled = peer === undefined ? 0 : await fillRxdb(suite, peer, DOCUMENTS)
    const { epoch } = await headOf(server)
    const contenders = (connections: number): Contenders<Name> => {
      const read = (load: Pick<WholeLoad, 'kind' | 'coding'>) => () => suite.whole({ ...server, ...load, connections, epoch, documents: DOCUMENTS, limit: PAGE })
      return {
        snapshot: read({ kind: 'snapshot' }),
        pages: read({ kind: 'paged' }),
        snapshotGzip: read({ kind: 'snapshot', coding: 'gzip' }),
        pagesGzip: read({ kind: 'paged', coding: 'gzip' }),
        ...peer !== undefined && { rxdb: () => suite.whole({ kind: 'rxdb-whole', ...peer, connections, documents: filled, limit: PAGE }) }
      } as Contenders<Name>
    }
    const one = await suite.compare('1 client', contenders(1), ROUNDS)
    const twenty = await interleave(1, contenders(20))
    return [...rowsOf('1 client', one, peer !== undefined), ...rowsOf('20 clients', twenty, peer !== undefined)]
  }
}

function rowsOf (clients: string, rounds: Awaited<ReturnType<typeof interleave<Name>>>, peers: boolean): Row[] {
  const of = { work: `first sync of 100,000, ${clients}`, unit: 'documents/s' }
  const bounds = clients === '1 client' ? {} : { bar: 5, aim: 25 }
  return [
    ...peers
      ? [
          rateRow({ ...of, work: `${of.work}: snapshot`, limit: 'rxdb-server, in memory', ...bounds }, { rounds, ours: 'snapshot', limit: 'rxdb' }),
          rateRow({ ...of, work: `${of.work}: pages`, limit: 'rxdb-server, in memory' }, { rounds, ours: 'pages', limit: 'rxdb' })
        ]
      : [],
    rateRow({ ...of, work: `${of.work}: snapshot`, limit: 'pages' }, { rounds, ours: 'snapshot', limit: 'pages' }),
    rateRow({ ...of, work: `${of.work}: snapshot, gzip`, limit: 'pages, gzip' }, { rounds, ours: 'snapshotGzip', limit: 'pagesGzip' }),
    rateRow({ ...of, work: `${of.work}: snapshot, gzip`, limit: 'snapshot, plain' }, { rounds, ours: 'snapshotGzip', limit: 'snapshot' })
  ]
}

/** @throws Error when a snapshot does not bring every document once */
async function checkSnapshot ({ port }: Target, coding: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/sync/snapshot?collections=todos`, { headers: { 'accept-encoding': coding } })
  if (response.status !== 200) throw new Error(`a snapshot was answered ${response.status}: ${await response.text()}`)
  const bytes = Buffer.from(await response.arrayBuffer())
  const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString()
  const ids = new Set(text.split('\n').map(line => /"documentId":"([^"]+)"/.exec(line)?.[1]).filter(id => id !== undefined))
  if (ids.size !== DOCUMENTS || !text.trimEnd().split('\n').at(-1)!.includes('"checkpoint"')) throw new Error(`a snapshot of ${DOCUMENTS} documents brought ${ids.size}`)
}
