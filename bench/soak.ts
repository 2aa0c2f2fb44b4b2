/**
 * Mixed load over a long time: `npm run soak -- [--minutes 20]`. Writers, pullers, streams, newcomers, readers of
 * what can be cached, connections cut once in a while. In the end every replica must hold the same, and nothing may
 * creep: not the memory, the descriptors, the files, the CPU of a change, or what a client feels.
 */
import { mkdtempSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cpuMs, Helper, residentBytes, startTarget } from './support/processes.ts'
import type { Finish, LoadSample, SoakQuestion } from './support/soak-load.ts'
import { Probe } from './support/soak-probe.ts'
import { creeping, soakChart, verdicts, verdictText, type SoakResults, type SoakSample } from './support/soak-results.ts'
import type { Inside, SoakServer } from './support/soak-server.ts'

const SAMPLES = 40
/** Connections are cut after every so many samples. */
const CUT = 3
/** Part of the time for which the server keeps history, so that its file comes to rest well before the middle. */
const KEPT = 1 / 12
const MiB = 1024 * 1024

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '20' }, out: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) } } })
const minutes = Number(values.minutes)
if (!(minutes >= 1)) throw new TypeError('--minutes must be 1 or more: a trend needs samples')

const folder = mkdtempSync(join(tmpdir(), 'pocket-soak-'))
const db = join(folder, 'log.db')
const server = Helper.start('soak-server.ts', [JSON.stringify({ db, kept: minutes * 60_000 * KEPT } satisfies SoakServer)])
const { port } = await server.said<{ port: number }>()
const load = Helper.start('soak-load.ts', [String(port)])
await load.said()
const echo = await startTarget('raw-http.ts', ['node'])
const probe = await Probe.open(port, echo.port)
const samples: SoakSample[] = []
const before = { cpu: 0, acknowledged: 0 }

const ask = async <T> (what: SoakQuestion): Promise<T> => await load.ask<T>({ ask: what })

async function sample (started: number): Promise<SoakSample> {
  const { acknowledged } = await ask<LoadSample>('sample')
  const { heap, delay } = await server.ask<Inside>({})
  const cpu = cpuMs(server.pid)
  const each = (cpu - before.cpu) * 1000 / (acknowledged - before.acknowledged)
  Object.assign(before, { cpu, acknowledged })
  return {
    minute: (performance.now() - started) / 60_000,
    rss: residentBytes(server.pid) / MiB,
    heap: heap / MiB,
    wal: statSync(`${db}-wal`).size / MiB,
    file: statSync(db).size / MiB,
    descriptors: readdirSync(`/proc/${server.pid}/fd`).length,
    ...await probe.feel(),
    delay,
    cpu: each
  }
}

async function soak (): Promise<void> {
  const started = performance.now()
  const pause = minutes * 60_000 / SAMPLES
  for (let slot = 1; slot <= SAMPLES; slot = Math.floor((performance.now() - started) / pause) + 1) {
    await sleep(started + slot * pause - performance.now())
    const one = await sample(started)
    samples.push(one)
    process.stdout.write(`${slot}/${SAMPLES} ${Object.entries(one).map(([name, value]) => `${name} ${Number((value as number).toPrecision(3))}`).join('  ')}\n`)
    if (samples.length % CUT === 0) await ask('cut')
  }
}

function write (end: string, failed: boolean): void {
  const results: SoakResults = { date: new Date().toISOString(), command: `npm run soak -- --minutes ${minutes}`, minutes, samples, end, failed }
  mkdirSync(values.out, { recursive: true })
  writeFileSync(join(values.out, 'soak.json'), `${JSON.stringify(results, null, 1)}\n`)
  writeFileSync(join(values.out, 'soak.svg'), soakChart(results))
}

try {
  await soak()
  const { documents, replicas } = await ask<Finish>('finish')
  const end = `${before.acknowledged} changes; ${documents} documents, the same on all ${replicas} replicas`
  write(end, false)
  process.stdout.write(`\n${end}\n`)
  for (const verdict of verdicts(samples)) process.stdout.write(`${verdict.label.padEnd(36)} ${verdictText(verdict)}\n`)
  const bad = creeping(samples)
  process.stdout.write(bad.length === 0 ? '\nFLAT: nothing creeps\n' : `\nCREEPS: ${bad.map(({ label }) => label).join(', ')}\n`)
  if (bad.length > 0) process.exitCode = 1
} catch (error) {
  if (samples.length > 0) write(`Failed: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`, true)
  process.stderr.write(`FAILED: ${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
} finally {
  probe.close()
  await load.stop()
  await echo.stop()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
