/** Caches that no program of Debian's is, or only when it is made to be. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startApp } from '../support/app.ts'
import { examined, type Examined } from '../support/examine.ts'

interface Test { teardown (action: () => unknown): void }

interface Kept { status: number, headers: Array<[string, string]>, body: Buffer }

interface Rule {
  /** Under which name an answer is kept; null for not at all. */
  readonly key: (url: URL, headers: IncomingHttpHeaders) => string | null
  readonly keeps: (status: number) => boolean
}

const TOKEN = 'token-of-alice'
const passed = ['authorization', 'sync-protocol', 'last-event-id', 'content-type', 'accept', 'origin', 'access-control-request-method']

async function startCache (t: Test, target: string, { key, keeps }: Rule): Promise<string> {
  const kept = new Map<string, Kept>()
  const server = createServer((request, response) => {
    const serve = async (): Promise<void> => {
      const url = new URL(request.url!, target)
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const name = request.method === 'GET' && url.pathname !== '/sync/stream' ? key(url, request.headers) : null
      const found = name === null ? undefined : kept.get(name)
      if (found !== undefined) {
        response.writeHead(found.status, found.headers.flat()).end(found.body)
        return
      }
      const gone = new AbortController()
      response.on('close', () => gone.abort())
      const headers = Object.fromEntries(passed.flatMap(header => request.headers[header] === undefined ? [] : [[header, String(request.headers[header])]]))
      const answer = await fetch(url, { method: request.method!, headers, signal: gone.signal, ...chunks.length > 0 && { body: Buffer.concat(chunks) } })
      const told = [...answer.headers].filter(([header]) => !['connection', 'keep-alive', 'transfer-encoding', 'content-encoding'].includes(header))
      response.writeHead(answer.status, told.flat())
      const body: Uint8Array[] = []
      for await (const chunk of answer.body ?? []) {
        response.write(chunk)
        body.push(chunk)
      }
      if (name !== null && keeps(answer.status)) kept.set(name, { status: answer.status, headers: told, body: Buffer.concat(body) })
      response.end()
    }
    serve().catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function behind (t: Test, rule: Rule): Promise<Examined> {
  const { url } = await startApp(t, { authenticate: token => token === TOKEN ? { id: 'alice' } : null })
  return await examined(await startCache(t, url, rule), { token: TOKEN })
}

const own = (url: URL, { authorization, 'sync-protocol': protocol }: IncomingHttpHeaders): string => `${url.pathname}${url.search} ${authorization} ${protocol}`

t.test('promise 6 (Private): a cache that hands the answer to one user to others is found, whatever it says of itself', async t => {
  const found = await behind(t, { key: ({ pathname, search }) => pathname === '/sync/changes' ? pathname + search : null, keeps: status => status === 200 })
  t.match(found.of('caching'), { level: 'problem', text: /handed to others/ })
  t.strictSame(found.names('problem'), ['caching'])
})

t.test('a cache of errors, one of answers that say no-store, and one that ignores queries are found', async t => {
  const errors = await behind(t, { key: ({ pathname, search }) => pathname + search, keeps: status => status >= 400 })
  t.match(errors.of('caching'), { level: 'problem', text: /an error is kept/ })
  const info = await behind(t, { key: ({ pathname, search }) => pathname === '/sync/info' ? pathname + search : null, keeps: status => status === 200 })
  t.match(info.of('caching'), { level: 'problem', text: /no-store/ })
  const gone = await behind(t, { key: ({ pathname }, { authorization }) => `${pathname} ${authorization}`, keeps: status => status === 410 })
  t.match(gone.of('caching'), { level: 'problem', text: /regard to the query/ })
})

t.test('a cache that keeps for each what is theirs is no danger', async t => {
  const found = await behind(t, { key: own, keeps: status => status < 400 })
  t.match(found.of('caching'), { level: 'ok' })
})
