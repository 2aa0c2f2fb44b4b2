/** Proxies that are restarted, and killed, while clients write and follow through them. */
import t from 'tap'
import { startConforming } from '../support/conformance.ts'
import { requireProgram } from '../support/programs.ts'
import { kinds } from '../support/proxies/kinds.ts'
import { Load } from '../support/proxies/load.ts'
import { startProxy } from '../support/proxies/program.ts'

// The proxies' certificate is signed by nobody.
process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
t.jobs = 8

for (const kind of Object.values(kinds)) {
  t.test(`promise 5 (Live is pull): ${kind.name} is restarted and killed under load, and nothing is lost, written twice or told twice`, { buffered: true }, async t => {
    if (!requireProgram(t, kind.program, `apt-get install ${kind.packageName}`)) return
    const { port, pocket } = await startConforming(t)
    const proxy = await startProxy(t, kind, port)
    const load = new Load(proxy.url)
    t.teardown(() => load.stop())
    await load.more(30)
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await proxy.restart(signal)
      await load.more(30)
    }
    await load.settle()
    const written = [...load.applied.values()].sort((a, b) => a - b)
    t.strictSame(written, written.map((_, index) => index + 1), 'each document has a sequence of its own, and none is left over')
    t.equal((await pocket.history('load', 'w0-0')).versions.length, 1)
    for (const sequences of [...load.followed, load.pulled]) t.strictSame(sequences, written, 'each came once, in order')
    t.ok(load.cuts >= 2, 'and the streams were cut')
  })
}
