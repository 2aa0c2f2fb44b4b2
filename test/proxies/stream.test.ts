/** The two proxies that hold an event back when a header or the framing of a stream is another. */
import t from 'tap'
import { ground, play } from '../../src/conformance/server/harness.ts'
import { streamPromises } from '../../src/conformance/server/stream.ts'
import { AS_USERS, startConforming } from '../support/conformance.ts'
import { requireProgram } from '../support/programs.ts'
import { kinds } from '../support/proxies/kinds.ts'
import { startProxy, type Kind } from '../support/proxies/program.ts'
import { tlsOf } from '../support/tls.ts'

const atOnce = streamPromises.find(({ title }) => title.startsWith('stream: it greets at once'))!

/** Over HTTP/2 it does not. */
const haproxy: Kind = { ...kinds.haproxy, tls: false, rewrite: text => text.replace(/ ssl crt .*$/m, '') }

for (const kind of [haproxy, kinds.nginx]) {
  t.test(`no event is held back by ${kind.name}`, async t => {
    if (!requireProgram(t, kind.program, `apt-get install ${kind.packageName}`)) return
    const { port } = await startConforming(t)
    const { url } = await startProxy(t, kind, port)
    const options = { test: () => {}, baseUrl: url, ca: String(tlsOf('localhost').cert), ...AS_USERS }
    const { info } = await ground(options)
    await t.resolves(play(atOnce, info, options))
  })
}
