/** Proxies and nodes that are restarted, and proxies that are killed, while clients write and follow through them. */
import t, { type Test } from 'tap'
import { startConforming } from '../support/conformance.ts'
import { requireProgram } from '../support/programs.ts'
import { balancers, kinds } from '../support/proxies/kinds.ts'
import { Load } from '../support/proxies/load.ts'
import { startNodes } from '../support/proxies/nodes.ts'
import { startProxy } from '../support/proxies/program.ts'

// The proxies' certificate is signed by nobody.
process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
t.jobs = 10

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
    assertFollowed(t, load)
    t.equal((await pocket.history('load', 'w0-0')).versions.length, 1)
    t.ok(load.cuts >= 2, 'and the streams were cut')
  })
}

for (const kind of Object.values(balancers)) {
  t.test(`promise 5 (Live is pull): ${kind.name}: each is replaced under load, and nothing is lost, written twice or told twice`, { buffered: true }, async t => {
    if (!requireProgram(t, kind.program, `apt-get install ${kind.packageName}`)) return
    const nodes = await startNodes(t, 4)
    const proxy = await startProxy(t, kind, ...nodes.ports)
    const load = new Load(proxy.url)
    t.teardown(() => load.stop())
    await load.more(20)
    for (const index of nodes.ports.keys()) {
      await nodes.replace(index)
      await load.more(20)
    }
    await load.settle()
    assertFollowed(t, load)
    t.equal(await nodes.versions('load', 'w0-0'), 1)
    t.ok(load.cuts >= 3, 'and each stream lost its node')
  })
}

function assertFollowed (t: Test, { applied, followed, pulled }: Load): void {
  const written = [...applied.values()].sort((a, b) => a - b)
  t.strictSame(written, written.map((_, index) => index + 1), 'each document has a sequence of its own, and none is left over')
  for (const sequences of [...followed, pulled]) t.strictSame(sequences, written, 'each came once, in order')
}
