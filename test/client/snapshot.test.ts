import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import type { Client, PullAllOptions, SnapshotInput } from '../../src/client/client.ts'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { PocketServer } from '../../src/server.ts'
import { startApp } from '../support/app.ts'
import { clientAt, Log, put } from '../support/follow.ts'
import { startGateway } from '../support/gateway.ts'
import { startProxy } from '../support/proxy.ts'

const RUNS = Number(process.env['POCKET_RUNS'] ?? 10)

async function gather (client: Client, input: Partial<SnapshotInput> = {}, options: PullAllOptions & { seen?: (log: Log) => unknown } = {}): Promise<Log> {
  const log = new Log()
  for await (const page of client.snapshot({ collections: ['todos'], ...input }, options)) {
    log.add(page)
    await options.seen?.(log)
  }
  return log
}

async function documentsOf (client: Client): Promise<Map<string, unknown>> {
  const log = new Log()
  for await (const page of client.pullAll({ collections: ['todos'] })) log.add(page)
  return log.documents
}

t.test('promise 4 (Safe checkpoints): a snapshot that is cut anywhere goes on behind its last line, and ends with the documents of a pull', async t => {
  const { url, port } = await startApp(t)
  const writer = clientAt(url)
  // Of what is coded little would be left to cut.
  for (let i = 0; i < 60; i++) await put(writer, `d${i}`, randomBytes(i * 10).toString('base64'))
  const proxy = await startProxy({ target: port })
  t.teardown(() => proxy.close())
  let version = 0
  await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 25_000 }), { minLength: 1, maxLength: 5 }), async cuts => {
    const waiting = [...cuts]
    proxy.cutAfter(waiting.shift()!)
    const log = await gather(clientAt(`http://127.0.0.1:${proxy.port}`, { retries: 20 }), {}, {
      seen: async ({ events }) => {
        const page = events.at(-1)
        if (waiting.length === 0 || page?.type !== 'pull-response' || !page.hasMore) return
        proxy.cutAfter(waiting.shift()!)
        const documentId = `d${version % 60}`
        if (version++ % 5 === 4) await writer.push({ collection: 'todos', changes: [{ operation: 'delete', documentId }] })
        else await put(writer, documentId, `v${version}`)
      }
    })
    t.match(log.events.at(-1), { hasMore: false })
    t.strictSame(log.documents, await documentsOf(writer))
  }), { numRuns: RUNS, endOnFailure: true, examples: [[[9000, 8000]]] })
})

t.test('an app that was stopped midway goes on from the checkpoint of its last page, by a snapshot or by pulls', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  const client = clientAt(gateway.url)
  for (let i = 0; i < 1500; i += 100) await client.push({ collection: 'todos', changes: Array.from({ length: 100 }, (_, k) => ({ operation: 'insert' as const, documentId: `d${i + k}`, document: { value: 'x'.repeat(300) } })) })
  const pages = client.snapshot({ collections: ['todos'] })
  const { checkpoint, epoch, changes, hasMore } = (await pages.next()).value!
  await pages.return!()
  const first = changes['todos']!.length
  t.ok(hasMore && first < 1500, 'it comes in pages')
  const rest = await gather(client, { checkpoint, epoch })
  t.equal(rest.documents.size, 1500 - first)
  t.match(gateway.seen.at(-2)?.path, /^\/sync\/snapshot\?collections=todos&after=\d+~e\w+~s1500$/)
  const pulled = new Log()
  for await (const page of client.pullAll({ collections: ['todos'], checkpoint, epoch })) pulled.add(page)
  t.strictSame(pulled.documents, rest.documents)
})

t.test('a history that is gone is told, and the snapshot begins anew', async t => {
  const { url } = await startApp(t)
  const client = clientAt(url)
  await put(client, 'd1')
  const gone = { checkpoint: { global: 1, snapshot: 9 }, epoch: 'elsewhere' }
  await t.rejects(gather(client, gone), { name: 'ResyncRequired', reason: 'epoch-changed' })
  const reasons: string[] = []
  const { documents } = await gather(client, gone, { onResync: ({ reason }) => { reasons.push(reason) } })
  t.strictSame(reasons, ['epoch-changed'])
  t.strictSame([...documents.keys()], ['d1'])
})

t.test('an empty server, and one of before there were snapshots, serve a first sync all the same', async t => {
  const { url } = await startApp(t)
  t.match((await gather(clientAt(url))).events, [{ hasMore: false, checkpoint: { global: 0 } }])
  const gateway = await startGateway(t, url)
  await put(clientAt(url), 'd1')
  gateway.answers.push({ status: 404, headers: { 'content-type': 'application/problem+json' }, body: '{"code":"not_found","status":404,"detail":"","retryable":false}' })
  t.strictSame([...(await gather(clientAt(gateway.url))).documents.keys()], ['d1'])
})

t.test('what trying again cannot mend is thrown, and a token that is over replaced', async t => {
  const tokens = ['stale', 'fresh']
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), authenticate: token => token === 'fresh' ? { id: 'ada' } : null })
  t.teardown(() => pocket.close())
  const { url } = await pocket.listen(0)
  t.match((await gather(clientAt(url, { token: () => tokens.length > 1 ? tokens.shift()! : tokens[0]! }))).events, [{ hasMore: false }])
  await t.rejects(gather(clientAt(url, { token: () => 'wrong' })), { code: 'invalid_token' })
  await t.rejects(gather(clientAt(url, { token: () => 'fresh' }), { collections: ['no name'] }), { code: 'invalid_message' })
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  await t.rejects(gather(clientAt(url, { token: () => 'fresh' }), {}, { signal: controller.signal }), { message: 'enough' })
})
