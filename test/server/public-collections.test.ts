import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import type { PocketServerOptions } from '../../src/config.ts'
import { PocketServer } from '../../src/server.ts'
import { post, pullOf, pushOf, request, startApp } from '../support/app.ts'
import { ann, bob, numbered, startReads } from '../support/reads.ts'
import { SseClient } from '../support/sse-client.ts'

const authenticate = (token: string) => token.startsWith('token-') ? { id: token.slice(6) } : null

t.test('publicCollections are names of collections', async t => {
  for (const publicCollections of ['posts', [''], ['a b'], ['__proto__'], [1], [null], ['posts', 'x'.repeat(129)]]) {
    t.throws(() => new PocketServer({ publicCollections: publicCollections as string[] }), { name: 'TypeError', message: /publicCollections/ }, JSON.stringify(publicCollections))
  }
})

t.test('what is public is for every user too, beside what rules and channels show them, and written by the rules', async t => {
  const filed = { channels: (_: string, document: Record<string, any>) => [document['owner'] as string], channelsOf: (user: { id: string }) => [user.id] }
  for (const rules of [{}, { authorize: undefined, ...filed }, filed]) {
    const { url, push } = await startReads(t, { authorize: (user, _collection, _operation, document) => document['owner'] === user.id, ...rules })
    await push('posts', numbered(2, 'post', { owner: 'ann' }))
    await push('todos', numbered(2, 'todo', { owner: 'ann' }))
    const shown = async (headers: Record<string, string>): Promise<unknown> => (await post(`${url}/sync/pull`, pullOf(), headers)).json.changes
    t.match(await shown(bob), { posts: [{ documentId: 'post-0' }, { documentId: 'post-1' }], todos: undefined })
    t.match(await shown(ann), { posts: { length: 2 }, todos: { length: 2 } })
    const stream = await SseClient.connect(`${url}/sync/stream?since=0`, { headers: bob })
    t.teardown(() => stream.close())
    t.match(JSON.parse((await stream.next('message'))!.data), { changes: { posts: { length: 2 }, todos: undefined } })
    const theirs = { operation: 'update', documentId: 'post-0', document: { owner: 'ann', text: 'of bob' }, base: 1, timestamp: Date.now() + 10 }
    t.match((await post(`${url}/sync/push`, pushOf('posts', [theirs]), bob)).json.results, [{ status: 'rejected', error: { code: 'write_forbidden' } }])
  }
})

t.test('promise 4 (Safe checkpoints): a pull goes on from what a user read of public collections by URL, and nobody else is told of their rights', async t => {
  const filed = { authorize: undefined, channels: (_: string, document: Record<string, any>) => [document['owner'] as string], channelsOf: (user: { id: string }) => [user.id] }
  const all: PocketServerOptions[] = [filed as unknown as PocketServerOptions, { accessVersion: () => 'v1' }, {}]
  for (const rules of all) {
    const { url, get, push } = await startReads(t, rules)
    await push('posts', numbered(2, 'post', { owner: 'ann' }))
    const lines = (await get('/sync/snapshot?collections=posts', bob)).text.trim().split('\n')
    const read = (await get('/sync/changes?collections=posts&limit=1', bob)).json
    for (const { checkpoint, epoch } of [JSON.parse(lines.at(-1)!), read]) {
      const pulled = await post(`${url}/sync/pull`, pullOf({ collections: ['posts'], checkpoint, epoch }), bob)
      t.match(pulled, { status: 200, json: { hasMore: false, checkpoint: { global: 2 } } })
    }
    t.equal((await get('/sync/changes?collections=posts')).json.checkpoint.scope, undefined)
  }
})

t.test('promise 6 (Private): what is public no more is filed anew, and no channel of the application is taken for it', async t => {
  const path = join(t.testdir(), 'log.db')
  const rules = { authenticate, channels: (_: string, document: Record<string, any>) => document['in'] as string[], channelsOf: (user: { id: string }) => [user.id] }
  const open = async (publicCollections: string[]): Promise<{ url: string, close: () => Promise<void> }> => {
    const changeLog = new SqliteChangeLog(path, { ballastBytes: 0 })
    const { pocket, url } = await startApp(t, { changeLog, ...rules, publicCollections })
    return { url, close: async () => { await pocket.close(); await changeLog.close() } }
  }
  const shown = async (url: string): Promise<string[]> => Object.keys((await post(`${url}/sync/pull`, pullOf(), bob)).json.changes)
  const first = await open(['posts', 'news'])
  for (const collection of ['posts', 'news']) await post(`${first.url}/sync/push`, pushOf(collection, numbered(1, 'x', { in: ['ann'] })), ann)
  const taken = await post(`${first.url}/sync/push`, pushOf('todos', numbered(1, 'y', { in: ['ann', '*public*'] })), ann)
  t.match(taken.json.results, [{ status: 'rejected', error: { code: 'validation_failed' } }])
  t.strictSame(await shown(first.url), ['posts', 'news'])
  await first.close()
  const second = await open(['news'])
  t.strictSame(await shown(second.url), ['news'])
  t.equal((await request(`${second.url}/sync/changes?collections=posts`)).status, 401)
  await second.close()
})

t.test('promise 7 (Isolated): readers whom nobody knows are only so many at once, and keep no user out', async t => {
  const { url, get, push } = await startReads(t, { limits: { anonymousRequests: 3 } })
  await push('posts', numbered(1, 'post'))
  const over = new AbortController()
  const waiting = Array.from({ length: 3 }, () => fetch(`${url}/sync/changes?collections=posts&since=1&wait=25`, { signal: over.signal }))
  let refused = await get('/sync/changes?collections=posts')
  while (refused.status === 200) refused = await get('/sync/changes?collections=posts')
  t.match([refused.status, refused.json.code, refused.headers.get('cache-control')], [429, 'rate_limited', 'no-store'])
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  t.equal((await get('/sync/changes?collections=posts', ann)).status, 200)
  over.abort()
  await Promise.allSettled(waiting)
  while (refused.status === 429) refused = await get('/sync/changes?collections=posts')
  t.equal(refused.status, 200)
})

t.test('threat: to be handed the cookie that a host sets on somebody\'s answer', async t => {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), publicCollections: ['posts'], open: true })
  t.teardown(() => pocket.close())
  const server = createServer((request, response) => {
    if (request.url!.includes('cookie')) response.setHeader('set-cookie', 'session=of-one')
    response.setHeader('vary', 'X-Tenant')
    pocket.handler(request, response, () => response.end())
  }).listen(0)
  t.teardown(() => { server.closeAllConnections(); server.close() })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const path of ['/sync/changes?collections=posts', '/sync/snapshot?collections=posts']) {
    const { headers } = await request(`${url}${path}`)
    t.match([headers.get('cache-control'), headers.get('vary')], [/^public/, 'X-Tenant, authorization, cookie, accept-encoding'])
    t.match((await request(`${url}${path}&x=cookie`)).headers.get('cache-control'), /^private/)
  }
})

t.test('reads by URL are there in a Fastify app too, and an open server shows as public only what was named so', async t => {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), publicCollections: ['posts'], open: true })
  t.teardown(() => pocket.close())
  const app = Fastify()
  await app.register(pocket.plugin)
  const url = await app.listen({ port: 0 })
  t.teardown(() => app.close())
  await post(`${url}/sync/push`, pushOf('posts', numbered(1, 'post')))
  for (const path of ['/sync/changes', '/sync/snapshot']) {
    t.match((await request(`${url}${path}?collections=posts`)).headers.get('cache-control'), /^public/)
    for (const query of ['', '?collections=todos', '?collections=posts,todos']) {
      const { status, headers } = await request(`${url}${path}${query}`)
      t.match([status, headers.get('cache-control')], [200, /^private/], query)
    }
    t.match((await request(`${url}${path}?collections=posts`, { headers: { authorization: 'Bearer anything' } })).headers.get('cache-control'), /^private/)
  }
})
