import t from 'tap'
import { serverSuite, type ServerSuiteOptions } from '../../src/conformance/server.ts'
import { AS_USERS, CONFORMING, startConforming } from '../support/conformance.ts'
import { startApp } from '../support/app.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { tlsOf } from '../support/tls.ts'

t.jobs = 3

t.test('the server holds what its own suite asks, to two users', { buffered: true }, async t => {
  const { url } = await startConforming(t)
  await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url, ...AS_USERS })
})

t.test('the server holds what its own suite asks, over TLS and HTTP/2', { buffered: true }, async t => {
  const tls = tlsOf('localhost')
  const { url } = await startConforming(t, { tls, heartbeatInterval: 15_000 })
  await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url, ca: String(tls.cert), ...AS_USERS })
})

t.test('the server holds what its own suite asks, to two users of one tenant', { buffered: true }, async t => {
  const { publicCollections, ...options } = CONFORMING
  const { url } = await startApp(t, { ...options, tenant: () => 'acme' })
  const { users } = AS_USERS
  await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url, users: users! })
})

t.test('the server holds what its own suite asks, without authentication', { buffered: true }, async t => {
  const { url } = await startApp(t, { limits: { bodyBytes: 2 * 1024 * 1024 } })
  await serverSuite({ test: (title, run) => t.test(title, run), baseUrl: url })
})

const FAULTS: ReadonlyArray<{ fault: string, set: (gateway: Gateway) => void, titles: readonly RegExp[] }> = [
  { fault: 'holds streams back', set: gateway => { gateway.buffers = true }, titles: [/^stream: it greets at once/] },
  { fault: 'answers from what it kept for others', set: gateway => { gateway.keeps = true }, titles: [/^promise 6 .* nobody is served what/, /^changes: an answer is confirmed/] },
  { fault: 'takes no large body', set: gateway => { gateway.maxBody = 1024 * 1024 }, titles: [/^sizes: /, /^promise 9 .* over the limit gets 413/] },
  { fault: 'words refusals on its own', set: gateway => { gateway.answers.push(null, { status: 400, headers: { 'content-type': 'text/html' }, body: '<h1>Bad Request</h1>' }) }, titles: [/^promise 9 .* message that is wrong/] }
]

t.test('the suite notices what stands between and does harm', { buffered: true }, async t => {
  const { url } = await startConforming(t)
  const titlesOf = async (options: Omit<ServerSuiteOptions, 'test'>): Promise<Map<string, () => Promise<void>>> => {
    const registered = new Map<string, () => Promise<void>>()
    await serverSuite({ ...options, test: (title, run) => registered.set(title, run) })
    return registered
  }
  await Promise.all(FAULTS.map(async ({ fault, set, titles }) => {
    const gateway = await startGateway(t, url)
    set(gateway)
    const registered = await titlesOf({ baseUrl: gateway.url, ...AS_USERS })
    for (const wanted of titles) {
      const [, run] = [...registered].find(([title]) => wanted.test(title))!
      await t.rejects(run(), `${fault}: ${String(wanted)}`)
    }
  }))
})
