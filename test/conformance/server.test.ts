import t from 'tap'
import { serverSuite } from '../../src/conformance/server.ts'
import { AS_USERS, startConforming } from '../support/conformance.ts'
import { startApp } from '../support/app.ts'
import { tlsOf } from '../support/tls.ts'

t.jobs = 3

t.test('the server holds what its own suite asks, to two users', { buffered: true }, async t => {
  const { url } = await startConforming(t)
  await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url, ...AS_USERS })
})

t.test('the server holds what its own suite asks, over TLS and HTTP/2', { buffered: true }, async t => {
  const tls = tlsOf('localhost')
  const { url } = await startConforming(t, { tls })
  await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url, ca: String(tls.cert), ...AS_USERS })
})

t.test('the server holds what its own suite asks, without authentication', { buffered: true }, async t => {
  const { url } = await startApp(t, { limits: { bodyBytes: 2 * 1024 * 1024 }, heartbeatInterval: 5000 })
  await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url })
})
