import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { post, pushOf, startApp } from '../support/app.ts'
import { examined } from '../support/examine.ts'
import { badGateway, startGateway } from '../support/gateway.ts'
import { startTls } from '../support/tls.ts'

/** As long as those of identity providers. */
const TOKEN = randomBytes(300).toString('base64url')
const authenticate = (token: string): { id: string } | null => token === TOKEN ? { id: 'alice' } : null

interface Test { teardown (action: () => unknown): void }

/** Another server than ours. */
async function startOther (t: Test, listener: RequestListener): Promise<{ url: string, seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    listener(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

t.test('a healthy server is told healthy, over TLS, with a token and for pages of another origin', async t => {
  const { url } = await startTls(t, { authenticate, cors: { origins: ['https://app.example'] } })
  const { told, ...outcome } = await examined(url, { token: TOKEN, origin: 'https://app.example' })
  t.match(told.filter(({ level }) => level !== 'ok'), [{ check: 'idle', level: 'skipped' }])
  t.match(outcome, { reached: true, problems: 0, notes: 0, way: [] })
  t.strictSame(told.map(({ check }) => check), ['reachable', 'TLS', 'HTTP', 'server', 'health', 'clock', 'token', 'stream', 'HTTP/2', 'headers', 'compression', 'resume', 'paths', 'large push', 'caching', 'cookies', 'CORS', 'idle'])
})

t.test('promise 6 (Private): it writes nothing into the log, the journal or the records of pushes, and reads no document', async t => {
  const changeLog = new MemoryChangeLog()
  const { url } = await startApp(t, { changeLog, authenticate })
  await post(`${url}/sync/push`, pushOf('todos', [{ documentId: 'a', document: { _id: 'a', secret: 'canary' } }]), { authorization: `Bearer ${TOKEN}` })
  const commits: unknown[] = []
  const { commit } = changeLog
  changeLog.commit = async (...push) => {
    commits.push(push)
    return await commit.apply(changeLog, push)
  }
  const before = await changeLog.getCurrentSequence()
  const { told } = await examined(url, { token: TOKEN, origin: 'https://app.example' })
  t.equal(told.find(({ check }) => check === 'large push')?.level, 'ok')
  t.strictSame(commits, [])
  t.equal(await changeLog.getCurrentSequence(), before)
  t.notMatch(JSON.stringify(told), 'canary')
})

t.test('promise 6 (Private): the token goes to the host that was named and nowhere else, and is never told', async t => {
  const elsewhere = await startOther(t, (_request, response) => { response.end('{}') })
  const { port } = await startApp(t, { authenticate })
  const gateway = await startGateway(t, `http://127.0.0.1:${port}`)
  // What asks for a token is sent on, and shown what it sent.
  const relay = await startOther(t, (request, response) => {
    const { authorization } = request.headers
    if (authorization?.includes(TOKEN) === true) {
      response.writeHead(307, { location: `${elsewhere.url}/?t=${TOKEN}`, 'set-cookie': `${TOKEN}=${TOKEN}`, server: TOKEN, 'content-type': TOKEN }).end(TOKEN)
      return
    }
    fetch(`${gateway.url}${request.url!}`, { method: request.method!, ...authorization !== undefined && { headers: { authorization } }, ...request.method === 'POST' && { body: '{}' } })
      .then(async answer => { response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(await answer.text()) }, () => response.destroy())
  })
  const { told, way } = await examined(relay.url, { token: TOKEN, timeoutMs: 3000 })
  t.match(told.find(({ check }) => check === 'token'), { level: 'problem', text: /307/ })
  t.ok(relay.seen.some(({ headers }) => headers.authorization === `Bearer ${TOKEN}`), 'the host that was named')
  t.strictSame(elsewhere.seen, [], 'and no other')
  const text = JSON.stringify([told, way])
  t.ok(text.includes('(token)'), 'what shows it to us is told')
  for (let at = 0; at + 12 <= TOKEN.length; at++) if (text.includes(TOKEN.slice(at, at + 12))) t.fail('a part of it is told')
})

t.test('a wrong address is told as one, with what to do', async t => {
  const html = await startOther(t, (_request, response) => { response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>nginx</h1>') })
  t.match((await examined(html.url)).of('server'), { level: 'problem', text: `GET ${html.url}/sync/info answers 404 text/html`, advice: [/not our server/, /pass \/sync\//] })
  t.match(await examined(html.url), { problems: 1, reached: true }, 'and nothing else is asked')
  const moved = await startOther(t, (_request, response) => { response.writeHead(301, { location: 'https://sync.example/' }).end() })
  t.match((await examined(moved.url)).of('server'), { level: 'problem', advice: [/https:\/\/sync\.example\//, /clients too/] })
  const down = await startGateway(t, 'http://127.0.0.1:1')
  down.answers.push(...Array.from({ length: 9 }, () => badGateway))
  t.match((await examined(down.url)).of('server'), { level: 'problem', text: /502 text\/html/, advice: [/behind it does not/] })
})

t.test('a server that needs a token says so, and what can be looked at without is', async t => {
  const { url } = await startApp(t, { authenticate })
  const none = await examined(url)
  t.match(none.of('token'), { level: 'problem', text: 'the server wants to know who asks', advice: [/POCKET_TOKEN/, /large pushes/] })
  t.strictSame([none.names('problem'), none.names('skipped')], [['token'], ['streams', 'CORS']])
  const wrong = await examined(url, { token: 'another' })
  t.match(wrong.of('token'), { level: 'problem', text: 'refused by the server', advice: [/expired/] })
})

t.test('a server that lets everybody in is told so where it is not on this machine', async t => {
  const { url } = await startApp(t, { open: true })
  t.match((await examined(url)).of('token'), { level: 'ok' })
  t.match((await examined(url.replace('127.0.0.1', '0.0.0.0'))).of('token'), { level: 'note', text: /everybody may read and write/ })
})

t.test('a clock that is wrong is told, whichever of the two it is', async t => {
  const { url } = await startApp(t)
  t.match((await examined(url, { now: () => Date.now() + 90_000 })).of('clock'), { level: 'problem', text: /is 90 s behind/ })
})

t.test('streams that are held back are told, with the line for whatever holds them', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  gateway.buffers = true
  const found = await examined(gateway.url, { timeoutMs: 1000, idleMs: 1000 })
  t.match(found.of('stream'), { level: 'problem', text: /nothing arrived within 1.0 s/, mends: [{ proxy: 'nginx', lines: ['proxy_buffering off;'] }] })
  t.equal(new Set(found.of('stream').mends.map(({ proxy }) => proxy)).size, 4, 'of each that can, since which one it is cannot be seen')
  t.strictSame(found.names('problem'), ['stream'])
  t.equal(found.of('long poll').level, 'ok', 'which clients fall back to')
})

t.test('a body that is refused on the way is told from one that the server refuses', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  gateway.maxBody = 2 ** 20
  t.match((await examined(gateway.url)).of('large push'), { level: 'problem', text: /on the way refuses/ })
  const small = await startApp(t, { limits: { bodyBytes: 2 ** 20 } })
  t.match((await examined(small.url)).of('large push'), { level: 'note', text: /server itself/ })
})

t.test('examinations end when they are asked to, at any moment', async t => {
  const { url } = await startApp(t)
  for (const ms of [0, 20, 60, 200]) {
    const signal = AbortSignal.timeout(ms)
    const { told } = await examined(url, { signal, idleMs: undefined })
    t.notOk(told.some(({ check }) => check === 'idle'), `after ${ms} ms`)
  }
})
