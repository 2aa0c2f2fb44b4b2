/** The suite of a server through real proxies, with Debian's settings and the README's configurations. */
import t from 'tap'
import { serverSuite } from '../../src/conformance/server.ts'
import { AS_USERS, startConforming } from '../support/conformance.ts'
import { requireProgram } from '../support/programs.ts'
import { balancers, kinds } from '../support/proxies/kinds.ts'
import { startNodes } from '../support/proxies/nodes.ts'
import { startProxy } from '../support/proxies/program.ts'
import { tlsOf } from '../support/tls.ts'

// Most of the time is spent in waiting.
t.jobs = 10

for (const kind of Object.values(kinds)) {
  t.test(`${kind.name} passes on what the server says, at once and to whom it is said`, { buffered: true }, async t => {
    if (!requireProgram(t, kind.program, `apt-get install ${kind.packageName}`)) return
    const { port } = await startConforming(t)
    const { url } = await startProxy(t, kind, port)
    await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url, ca: String(tlsOf('localhost').cert), ...AS_USERS })
  })
}

for (const kind of Object.values(balancers)) {
  t.test(`${kind.name}, each request at the next one, passes on what one server would say`, { buffered: true }, async t => {
    if (!requireProgram(t, kind.program, `apt-get install ${kind.packageName}`)) return
    const { ports } = await startNodes(t, 4)
    const { url } = await startProxy(t, kind, ...ports)
    await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url, ca: String(tlsOf('localhost').cert), ...AS_USERS })
  })
}
