import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { post, pushOf } from '../support/app.ts'
import { TestReplica } from '../support/feed.ts'
import { startServer } from '../support/process.ts'
import { SseClient, type SseFrame } from '../support/sse-client.ts'

async function database (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pocket-stream-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'log.db')
}

async function write (url: string, documentId: string): Promise<void> {
  const { json } = await post(`${url}/sync/push`, pushOf('todos', [{ documentId, operation: 'update', document: { at: documentId } }]))
  if (json.success !== true) throw new Error(JSON.stringify(json))
}

/** Follows until it has been told up to a sequence, or the stream ends. */
async function follow (replica: TestReplica, client: SseClient, until = Infinity): Promise<SseFrame | undefined> {
  let last: SseFrame | undefined
  while (replica.reached < until || !replica.live) {
    const frame = await client.next()
    if (frame === undefined) break
    replica.take([frame])
    last = frame
  }
  return last
}

t.test('promise 5 (Live is pull): a stream goes on across a shutdown and a kill, without gap or repeat', async t => {
  const db = await database(t)
  const replica = new TestReplica()
  let server = await startServer({ db })
  t.teardown(() => server.stop('SIGKILL'))
  const connect = async (): Promise<SseClient> => {
    const client = await SseClient.connect(`${server.url}/sync/stream?collections=todos`, { lastEventId: replica.lastId })
    t.teardown(() => client.close())
    return client
  }

  let client = await connect()
  await write(server.url, 'a')
  await follow(replica, client, 1)
  const stopping = server.stop()
  const bye = await follow(replica, client)
  t.equal(bye?.event, 'bye')
  t.match(JSON.parse(bye!.data), { reason: 'shutdown', checkpoint: { global: 1 } })
  t.equal((await stopping).code, 0)

  server = await startServer({ db })
  await write(server.url, 'b')
  client = await connect()
  await write(server.url, 'c')
  await follow(replica, client, 3)
  await server.stop('SIGKILL')
  await follow(replica, client)

  server = await startServer({ db })
  client = await connect()
  await write(server.url, 'd')
  await follow(replica, client, 4)
  t.strictSame([replica.faults, [...replica.documents.keys()]], [[], ['todos/a', 'todos/b', 'todos/c', 'todos/d']])
})

t.test('promise 7 (Isolated): hundreds of streams see the same, while most of them come and go', async t => {
  const db = await database(t)
  const server = await startServer({ db })
  t.teardown(() => server.stop('SIGKILL'))
  const connect = (): Promise<SseClient> => SseClient.connect(`${server.url}/sync/stream?since=0`)
  const staying = await Promise.all(Array.from({ length: 100 }, connect))
  const writing = (async () => { for (let n = 0; n < 40; n++) await write(server.url, `d${n}`) })()
  for (let round = 0; round < 5; round++) for (const client of await Promise.all(Array.from({ length: 40 }, connect))) client.close()
  await writing
  for (const client of staying) {
    const replica = new TestReplica()
    await follow(replica, client, 40)
    client.close()
    t.strictSame([replica.faults, replica.documents.size], [[], 40])
  }
})
