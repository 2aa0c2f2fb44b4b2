/** What caches between spare the server, counted where it is asked, and what they must not spare it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { openEntrance } from '../../src/conformance/server/entrance.ts'
import { put, Speaker } from '../../src/conformance/server/harness.ts'
import { PocketServer } from '../../src/server.ts'
import { AS_USERS, CONFORMING } from '../support/conformance.ts'
import { requireProgram } from '../support/programs.ts'
import { kinds } from '../support/proxies/kinds.ts'
import { startProxy, type Kind } from '../support/proxies/program.ts'
import { tlsOf } from '../support/tls.ts'

const READERS = 50
const DOCUMENTS = 1000
const LIMIT = 100

t.jobs = 3

/** The server, with each request for a page that reaches it. */
async function startOrigin (t: Test): Promise<{ port: number, asked: string[] }> {
  const asked: string[] = []
  const pocket = new PocketServer({ ...CONFORMING, changeLog: new MemoryChangeLog() })
  const server = createServer((request, response) => {
    if (request.method === 'GET') asked.push(request.url!)
    pocket.handler(request, response, () => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    await pocket.close()
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, asked }
}

/** Somebody with a connection of their own. */
async function speaker (t: Test, url: string, token?: string): Promise<Speaker> {
  const entrance = await openEntrance(url, String(tlsOf('localhost').cert))
  t.teardown(() => entrance.close())
  return new Speaker(entrance, 'news', token)
}

/** All pages from the beginning. @returns their URLs and documents */
async function readAll (reader: Speaker, collection: string): Promise<{ lasting: string[], documents: string[], requests: number }> {
  const read = { lasting: [] as string[], documents: [] as string[], requests: 0 }
  for (let since = '0', more = true; more; read.requests++) {
    const path = `/sync/changes?collections=${collection}&limit=${LIMIT}&since=${since}`
    const { status, json, headers, text } = await reader.ask({ path })
    if (status !== 200) throw new Error(`${status}: ${text}`)
    if (headers.get('cache-control')!.includes('immutable')) read.lasting.push(path)
    read.documents.push(...json.changes[collection].map(({ documentId }: { documentId: string }) => documentId))
    const { checkpoint: { global, scope, snapshot }, epoch } = json
    since = `${global}~e${epoch}${scope === undefined ? '' : `~c${scope}`}${snapshot === undefined ? '' : `~s${snapshot}`}`
    more = json.hasMore
  }
  return read
}

/** The README's, told to keep whatever it may rather than what no token asked for. */
const greedyNginx: Kind = { ...kinds.nginxCache, name: 'nginx that keeps what it may', rewrite: text => text.replace('proxy_cache $sync_cache;', 'proxy_cache sync;') }

for (const kind of [kinds.varnish, kinds.nginxCache]) {
  t.test(`${READERS} readers behind ${kind.name} cost the server what one of them costs`, { buffered: true }, async t => {
    if (!requireProgram(t, kind.program, `apt-get install ${kind.packageName}`)) return
    const { port, asked } = await startOrigin(t)
    const { url } = await startProxy(t, kind, port)
    const alice = await speaker(t, url, AS_USERS.users![0].token)
    const written = put(DOCUMENTS)
    await alice.push(written)
    const readers = await Promise.all(Array.from({ length: READERS }, () => speaker(t, url)))
    const start = performance.now()
    const reads = await Promise.all(readers.map(reader => readAll(reader, 'news')))
    const seconds = Math.ceil((performance.now() - start) / 1000)
    for (const { documents } of reads) if (documents.join() !== written.map(({ documentId }) => documentId).join()) t.fail('a reader lacks documents')
    const { lasting, requests } = reads[0]!
    t.ok(lasting.length >= DOCUMENTS / LIMIT - 2, 'all pages but the first and the last are kept')
    for (const path of lasting) t.equal(asked.filter(one => one === path).length, 1, 'asked for once')
    // The first page and the last are good for a second each.
    const others = asked.filter(path => !lasting.includes(path)).length
    t.ok(others <= 2 * (seconds + 1), `${others} more requests in ${seconds} s`)
    t.comment(`${READERS * requests} requests of readers, ${asked.length} reached the server; one reader makes ${requests}`)
  })
}

for (const kind of [kinds.varnish, kinds.nginxCache, greedyNginx, kinds.squid]) {
  t.test(`promise 6 (Private): ${kind.name} hands nobody what was answered to a token`, { buffered: true }, async t => {
    if (!requireProgram(t, kind.program, `apt-get install ${kind.packageName}`)) return
    const { port, asked } = await startOrigin(t)
    const { url } = await startProxy(t, kind, port)
    const [alice, bob] = await Promise.all(AS_USERS.users!.map(({ token }) => speaker(t, url, token)))
    const nobody = await speaker(t, url)
    await alice!.push(put(3, { owner: 'alice' }), 'mine')
    await bob!.push(put(2, { owner: 'bob' }), 'mine')
    await alice!.push(put(250))
    // Page by page the same URLs, first with a token: what a cache keeps of it would answer the next.
    for (const [round, one] of [alice!, bob!, alice!, bob!].entries()) {
      t.equal((await readAll(one, 'mine')).documents.length, one === alice ? 3 : 2)
      const { documents, requests } = await readAll(one, 'news')
      t.equal(documents.length, 250)
      t.equal(asked.splice(0).length, 1 + requests, `round ${round}: each request of theirs reached the server`)
    }
    t.equal((await readAll(nobody, 'news')).documents.length, 250)
    t.ok(asked.splice(0).length >= 3, 'nor is nobody answered with what was theirs')
    t.equal((await nobody.ask({ path: `/sync/changes?collections=mine&limit=${LIMIT}&since=0` })).status, 401)
    await readAll(alice!, 'news')
    t.equal(asked.filter(path => path.includes('news')).length, 3, 'nor they with what is everybody\'s')
  })
}
