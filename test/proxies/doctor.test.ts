/** Doctor before real proxies: what it finds, and that each line it prints mends what it says. */
import t from 'tap'
import type { Told } from '../../src/doctor/chart.ts'
import { startApp } from '../support/app.ts'
import { examined } from '../support/examine.ts'
import { faulty, follow, kindOf, type Lines } from '../support/faulty-proxies.ts'
import { requireProgram } from '../support/programs.ts'
import { startProxy } from '../support/proxies/program.ts'

// Most of the time is spent in waiting.
t.jobs = 5

const ORIGIN = 'https://app.example'
const TOKEN = 'token-of-alice'
const authenticate = (token: string): { id: string } | null => token === TOKEN ? { id: 'alice' } : null
/** Faults hide others: what cannot be reached cannot be seen. */
const ROUNDS = 8

for (const proxy of faulty) {
  t.test(`doctor: who follows what it prints has a healthy server in the end (${proxy.name})`, { buffered: true, timeout: 120_000 }, async t => {
    if (!requireProgram(t, proxy.program, `apt-get install ${proxy.packageName}`)) return
    const { port } = await startApp(t, { authenticate, cors: { origins: [ORIGIN] }, heartbeatInterval: 5000, limits: { waitMs: 5000 } })
    const stopped: Array<Promise<void>> = []
    const look = async (lines: Lines, idleMs: number | undefined): Promise<Told[]> => {
      const { url, stop } = await startProxy(t, kindOf(proxy, lines), port)
      const { told } = await examined(url, { token: TOKEN, origin: ORIGIN, timeoutMs: 3000, idleMs })
      // Some take their time.
      stopped.push(stop())
      return told.filter(({ check, level }) => check !== proxy.stays && (level === 'problem' || level === 'note'))
    }
    const seen = new Set<string>()
    const mend = (lines: Lines, wrong: readonly Told[]): Lines => {
      for (const { check } of wrong) seen.add(check)
      const told = wrong.flatMap(({ mends }) => mends).filter(one => one.proxy === proxy.proxy)
      return [...new Map(told.map(one => [JSON.stringify(one), one])).values()].reduce(follow, lines)
    }
    let lines = proxy.faults
    for (let round = 0, idleMs: number | undefined = 0; round < ROUNDS; round++) {
      const wrong = await look(lines, idleMs)
      if (wrong.length === 0 && idleMs === undefined) break
      if (wrong.length === 0) idleMs = undefined
      lines = mend(lines, wrong)
      t.not(round, ROUNDS - 1, `still: ${JSON.stringify(wrong)}`)
    }
    await Promise.all(stopped)
    t.strictSame(proxy.checks.filter(check => !seen.has(check)), [], 'every fault was found')
  })
}

t.test('doctor: HTTP/2 that answers few requests of a connection at a time is found, as Apache has it', { buffered: true, timeout: 120_000 }, async t => {
  const apache = faulty.find(({ proxy }) => proxy === 'apache')!
  if (!requireProgram(t, apache.program, `apt-get install ${apache.packageName}`)) return
  const { port } = await startApp(t, { authenticate })
  const { url } = await startProxy(t, kindOf(apache, { server: [], 'the VirtualHost': ['Protocols h2 http/1.1', 'AllowEncodedSlashes NoDecode'] }), port)
  const { told } = await examined(url, { token: TOKEN, timeoutMs: 3000 })
  t.match(told.filter(({ level }) => level === 'problem'), [{ check: 'HTTP/2', text: /streams over one connection|nothing else/ }])
})
