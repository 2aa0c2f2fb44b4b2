/** Doctor before real proxies: what it finds, and that each line it prints mends what it says. */
import t from 'tap'
import { examined, type Examined } from '../support/examine.ts'
import { faulty, follow, kindOf } from '../support/faulty-proxies.ts'
import { startApp } from '../support/app.ts'
import { requireProgram } from '../support/programs.ts'
import { startProxy } from '../support/proxies/program.ts'

// Most of the time is spent in waiting.
t.jobs = 5

const ORIGIN = 'https://app.example'
const TOKEN = 'token-of-alice'

for (const proxy of faulty) {
  t.test(`doctor: who does what it says has a healthy server in the end (${proxy.name})`, { buffered: true }, async t => {
    if (!requireProgram(t, proxy.program, `apt-get install ${proxy.packageName}`)) return
    const { port } = await startApp(t, { authenticate: token => token === TOKEN ? { id: 'alice' } : null, cors: { origins: [ORIGIN] }, heartbeatInterval: 5000, limits: { waitMs: 4000 } })
    const look = async (lines: typeof proxy.faults, idleMs: number): Promise<Examined> => {
      const { url, stop } = await startProxy(t, kindOf(proxy, lines), port)
      const found = await examined(url, { token: TOKEN, origin: ORIGIN, timeoutMs: 2000, idleMs })
      await stop()
      return found
    }
    const seen = new Set<string>()
    let lines = proxy.faults
    let found = await look(lines, 3000)
    for (let round = 0; round < 8; round++) {
      const wrong = found.told.filter(({ level, check }) => level === 'problem' || (level === 'note' && check !== 'idle'))
      if (process.env['DOCTOR_DEBUG']) console.error(proxy.name, round, wrong.map(w => [w.check, w.text, ...(w.advice ?? []), ...w.mends.filter(m => m.proxy === proxy.proxy).map(m => m.where + ': ' + m.lines.join('|'))].join(' # ')))
      for (const { check } of wrong) seen.add(check)
      if (wrong.length === 0) break
      for (const mend of wrong.flatMap(({ mends }) => mends)) if (mend.proxy === proxy.proxy) lines = follow(lines, mend)
      found = await look(lines, 3000)
    }
    t.strictSame(proxy.checks.filter(check => !seen.has(check)), [], 'every fault was found')
    found = await look(lines, -1)
    t.strictSame([...found.names('problem'), ...found.names('note')], [], JSON.stringify(found.told.filter(({ level }) => level !== 'ok')))
  })
}
