/**
 * Mixed load over a long time: `npm run soak -- [--minutes 20]`. Writers, pullers and streams, connections cut
 * once a minute; every 30 s the server's memory, descriptors, WAL and the latency of a push. Nothing may creep.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Follower, Puller, Writer } from '../test/support/crowd.ts'
import { startProxy } from '../test/support/proxy.ts'
import { cpuMs, residentBytes, startServer } from './support/processes.ts'

const STREAMS = 40
const SAMPLE_MS = 30_000
const MiB = 1024 * 1024
/** How much the last third of the run may lie above the second one: the first fills caches. */
const CREEP = 1.25

interface Sample { minute: number, rss: number, fds: number, wal: number, p50: number, p99: number, cpu: number, answered: number }

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '20' } } })
const minutes = Number(values.minutes)
if (!(minutes >= 2)) throw new TypeError('--minutes must be 2 or more: a trend needs samples')
const folder = mkdtempSync(join(tmpdir(), 'pocket-soak-'))
const db = join(folder, 'log.db')
const server = await startServer(db)
const proxy = await startProxy({ target: server.port, halves: false })
const target = { url: `http://127.0.0.1:${proxy.port}` }
const writers = ['ann', 'ben', 'cleo', 'dan'].map(name => new Writer(target, name))
const pullers = [new Puller(target), new Puller(target)]
const followers = Array.from({ length: STREAMS }, () => new Follower(target))
const clients = [...writers, ...pullers, ...followers]
const samples: Sample[] = []

/** Round trips of a push that writes nothing, straight to the server, ms. */
async function latencies (): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < 100; i++) {
    const start = performance.now()
    const change = { operation: 'delete', documentId: 'nothing', timestamp: 1 }
    await fetch(`http://127.0.0.1:${server.port}/sync/push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'push', id: `probe-${Date.now()}-${i}`, timestamp: Date.now(), collection: 'probe', changes: [change] })
    }).then(response => response.arrayBuffer())
    times.push(performance.now() - start)
  }
  return times.sort((a, b) => a - b)
}

async function sample (started: number): Promise<Sample> {
  const times = await latencies()
  return {
    minute: Math.round((performance.now() - started) / 6000) / 10,
    rss: residentBytes(server.pid) / MiB,
    fds: readdirSync(`/proc/${server.pid}/fd`).length,
    wal: statSync(`${db}-wal`).size / MiB,
    p50: times[50]!,
    p99: times[98]!,
    cpu: cpuMs(server.pid) / 1000,
    answered: writers.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)
  }
}

function median (numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[numbers.length >> 1]!
}

/** Whether a figure is no higher at the end than it was in the middle. */
function judge (name: keyof Sample, slack: number): boolean {
  const third = Math.floor(samples.length / 3)
  const middle = median(samples.slice(third, 2 * third).map(one => one[name]))
  const end = median(samples.slice(-third).map(one => one[name]))
  const flat = end <= middle * CREEP + slack
  process.stdout.write(`${name.padEnd(9)} middle ${middle.toFixed(1)}, end ${end.toFixed(1)}: ${flat ? 'flat' : 'CREEPS'}\n`)
  return flat
}

try {
  for (const client of clients) client.start()
  const started = performance.now()
  for (let i = 1; performance.now() - started < minutes * 60_000; i++) {
    await sleep(SAMPLE_MS)
    samples.push(await sample(started))
    process.stdout.write(`${JSON.stringify(samples.at(-1), (_, value: unknown) => typeof value === 'number' ? Math.round(value * 10) / 10 : value)}\n`)
    if (i % 2 === 0) proxy.cut()
  }
  for (const writer of writers) await writer.stop()
  const truth = new Puller(target)
  await truth.catchUp()
  for (const client of [...pullers, ...followers]) {
    for (let i = 0; i < 100 && client.documents.size !== truth.documents.size; i++) await sleep(100)
    await client.stop()
    if (client instanceof Puller) await client.catchUp()
    for (const [id, text] of truth.documents) if (client.documents.get(id) !== text) throw new Error(`a replica differs in ${id}`)
  }
  process.stdout.write(`${truth.documents.size} documents, the same on all ${pullers.length + followers.length} replicas\n`)
  const flat = [judge('rss', 16), judge('fds', 8), judge('wal', 8), judge('p50', 5), judge('p99', 25)]
  process.exitCode = flat.every(Boolean) ? 0 : 1
} finally {
  await proxy.close()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
