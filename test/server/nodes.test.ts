/** Several nodes over one log within this process, whose hints are all lost. */
import t, { type Test } from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { PocketServer } from '../../src/server.ts'
import type { PubSub } from '../../src/pubsub/pubsub.ts'
import { post, pullOf, pushOf } from '../support/app.ts'
import { readOwnWrites } from '../support/own-writes.ts'
import { SseClient } from '../support/sse-client.ts'

const silent: PubSub = {
  subscribe: async () => async () => {},
  publish () {},
  close: async () => {}
}

async function threeNodes (t: Test, pollInterval: number): Promise<string[]> {
  const changeLog = new MemoryChangeLog()
  const nodes = Array.from({ length: 3 }, () => new PocketServer({ changeLog, pubsub: silent, pollInterval, rateLimit: false }))
  t.teardown(() => Promise.all(nodes.map(node => node.close())))
  return await Promise.all(nodes.map(async node => (await node.listen(0)).url))
}

t.test('promise 4 (Safe checkpoints): what one node answered holds at every other, though no hint reaches them', async t => {
  const urls = await threeNodes(t, 60_000)
  // A stream keeps each node's tail awake, and behind.
  const streams = await Promise.all(urls.map(url => SseClient.connect(`${url}/sync/stream`)))
  for (const stream of streams) await stream.next('hello')
  const { broken } = await readOwnWrites(urls, 80)
  t.strictSame(broken, [])
  for (const stream of streams) stream.close()
})

t.test('promise 5 (Live is pull): a stream learns of what another node wrote without a hint, when the node looks again', async t => {
  const [one, two] = await threeNodes(t, 50) as [string, string]
  const stream = await SseClient.connect(`${two}/sync/stream?since=0`)
  t.match(await stream.next('message'), { data: /"changes":{}/ })
  for (let n = 1; n <= 5; n++) {
    await post(`${one}/sync/push`, pushOf('todos', [{ documentId: `d${n}` }]))
    const frame = await stream.next('message')
    t.equal(frame?.id?.split('~')[0], String(n))
  }
  stream.close()
})

t.test('promise 5 (Live is pull): a long poll at one node ends with what another one wrote, without a hint', async t => {
  const [one, two] = await threeNodes(t, 50) as [string, string]
  const waiting = post(`${two}/sync/pull`, { ...pullOf(), waitMs: 3000 })
  // Answered behind it: so that one waits by now.
  for (let i = 0; i < 3; i++) await post(`${two}/sync/pull`, pullOf())
  await post(`${one}/sync/push`, pushOf('todos', [{ documentId: 'a' }]))
  t.match((await waiting).json, { changes: { todos: [{ documentId: 'a' }] } })
})
