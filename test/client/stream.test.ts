import fc from 'fast-check'
import t from 'tap'
import type { Client } from '../../src/client/client.ts'
import { startApp } from '../support/app.ts'
import { clientAt, follow, Log, put, quick } from '../support/follow.ts'
import { startGateway } from '../support/gateway.ts'
import { startProxy } from '../support/proxy.ts'

const RUNS = Number(process.env['POCKET_RUNS'] ?? 10)
async function documentsOf (client: Client): Promise<Map<string, unknown>> {
  const log = new Log()
  for await (const page of client.pullAll({ collections: ['todos'] })) log.add(page)
  return log.documents
}

t.test('promise 5 (Live is pull): cut anywhere, again and again, a stream has every sequence once, rising, and ends with the documents of a pull', async t => {
  const { url, port } = await startApp(t)
  const writer = clientAt(url)
  for (let i = 0; i < 40; i++) await put(writer, `d${i}`, 'x'.repeat(i * 20))
  const proxy = await startProxy({ target: port })
  t.teardown(() => proxy.close())
  const client = clientAt(`http://127.0.0.1:${proxy.port}`)
  let count = 40
  await fc.assert(fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 8 }), async cuts => {
    const waiting = [...cuts]
    proxy.cutAfter(waiting.shift()!)
    const live = count++
    let pushed = false
    const log = await follow(client, log => {
      // A connection that says hello is there to be cut again.
      if (log.types.at(-1) === 'hello' && waiting.length > 0) proxy.cutAfter(waiting.shift()!)
      if (log.sequences.length === live && !pushed) {
        pushed = true
        // Once with something to lose: most cuts are before a first whole frame.
        proxy.cutAfter(1)
        put(writer, `d${live}`, 'live').catch(t.fail)
      }
      return log.sequences.length > live
    })
    t.strictSame(log.sequences, Array.from({ length: count }, (_, i) => i + 1), 'without gap or repeat')
    t.strictSame(log.documents, await documentsOf(writer))
  }), { numRuns: RUNS, endOnFailure: true })
})

t.test('a stream without a past begins with everything, says when it is live, and goes on from a checkpoint', async t => {
  const { url } = await startApp(t)
  const client = clientAt(url)
  for (let i = 0; i < 3; i++) await put(client, `d${i}`)
  const { events, sequences } = await follow(client, ({ events }) => { const last = events.at(-1); return last?.type === 'pull-response' && !last.hasMore })
  t.strictSame(sequences, [1, 2, 3])
  t.equal(events[0]?.type, 'hello')
  const { checkpoint, epoch } = events.at(-1)!
  await put(client, 'd3')
  const later = await follow(client, ({ sequences }) => sequences.length > 0, { checkpoint: { global: checkpoint.global! }, epoch: epoch! })
  t.strictSame(later.sequences, [4])
  t.strictSame(later.events.at(-1)?.checkpoint, { global: 4 })
})

t.test('a history that is gone is told as resync, and everything comes again on the same stream', async t => {
  const { url } = await startApp(t)
  const client = clientAt(url)
  await put(client, 'd0')
  const { events, types } = await follow(client, ({ sequences }) => sequences.length > 0, { checkpoint: { global: 1 }, epoch: 'gone' })
  const resync = events.find(({ type }) => type === 'resync')
  t.match(resync, { reason: 'epoch-changed', checkpoint: { global: 0 }, epoch: events.at(-1)!.epoch! })
  t.equal(types.indexOf('resync') < types.lastIndexOf('pull-response'), true)
  t.notOk(types.includes('disconnected'))
})

t.test('where streams are held back it polls, and streams again when they get through', async t => {
  const { url } = await startApp(t)
  const gateway = await startGateway(t, url)
  gateway.buffers = true
  const writer = clientAt(url)
  await put(writer, 'd0')
  const client = clientAt(gateway.url, { timing: { ...quick.timing, helloMs: 60, waitMs: 300, streamAgainMs: 400 } })
  let step = 0
  const { types, sequences, documents } = await follow(client, ({ sequences, types }) => {
    if (step === 0 && sequences.length === 1) {
      step = 1
      put(writer, 'd1').catch(t.fail)
    } else if (step === 1 && sequences.length === 2) {
      step = 2
      gateway.buffers = false
    } else if (step === 2 && types.at(-1) === 'hello') {
      step = 3
      put(writer, 'd2').catch(t.fail)
    }
    return sequences.length === 3
  })
  t.strictSame(types.slice(0, 4), ['disconnected', 'disconnected', 'disconnected', 'pull-response'], 'three greetings that did not come')
  t.strictSame(sequences, [1, 2, 3])
  t.strictSame(documents, await documentsOf(writer))
  t.ok(gateway.seen.some(({ path }) => path === '/sync/pull'))
  const streams = gateway.seen.filter(({ path }) => path.startsWith('/sync/stream'))
  t.equal(new Set(streams.map(({ path }) => new URL(path, url).searchParams.get('c'))).size, streams.length, 'each request is its own, whatever coalesces')
})

t.test('a consumer that stops, by leaving the loop, by return or by the signal, closes the connection', async t => {
  const { url, pocket } = await startApp(t)
  const client = clientAt(url)
  const streams = async (count: number): Promise<void> => {
    while ((await pocket.healthCheck()).clientCount !== count) await new Promise(resolve => setTimeout(resolve, 5))
  }
  await follow(client, ({ types }) => types.at(-1) === 'hello')
  await streams(0)

  const events = client.stream({ collections: [] })
  t.equal((await events.next()).value?.type, 'hello')
  t.equal((await events.next()).value?.type, 'pull-response')
  const waiting = events.next()
  await events.return?.()
  t.ok((await waiting).done, 'also one that waits')
  await streams(0)

  const controller = new AbortController()
  const seen: string[] = []
  for await (const { type } of client.stream({ collections: [], signal: controller.signal })) if (seen.push(type) === 2) controller.abort()
  t.strictSame(seen, ['hello', 'pull-response'], 'the loop ends without an error')
  await streams(0)
  t.ok((await client.stream({ collections: [], signal: controller.signal }).next()).done)
})

t.test('what trying again cannot mend ends the stream with the server\'s reason', async t => {
  const { url } = await startApp(t)
  await t.rejects(clientAt(url).stream({ collections: ['no name'] }).next(), { name: 'SyncProblem', code: 'invalid_message', status: 400 })
})
