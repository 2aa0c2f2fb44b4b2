/** Live changes: each at once, as they are, to whom they are for. */
import assert from 'node:assert/strict'
import { EventReader, changesOf, type Event } from './events.ts'
import { fresh, promise, put, where, type Promised, type Scene, type Speaker } from './harness.ts'
import { median, within } from './time.ts'

const EVENTS = 8
/** What no stage on the way may add to each event: HAProxy holds back the chunks of a chunked body for 200 ms. */
const DELAY_MS = 150

/** Sends changes one by one, each when the one before has come. @returns how long each took to come, and each push, in ms */
async function pingPong (writer: Speaker, reader: EventReader): Promise<{ events: number[], pushes: number[] }> {
  const events: number[] = []
  const pushes: number[] = []
  for (let n = 0; n < EVENTS; n++) {
    const [change] = put(1)
    const start = performance.now()
    const [pages] = await Promise.all([
      reader.until(change!.documentId),
      writer.push([change!]).then(() => pushes.push(performance.now() - start))
    ])
    events.push(pages.at(-1)!.at - start)
  }
  return { events, pushes }
}

function sequencesOf (pages: readonly Event[]): number[] {
  return pages.flatMap(({ data }) => changesOf(data)).map(({ sequence }) => sequence)
}

async function resume ({ alice, bob }: Scene): Promise<void> {
  const first = await bob.stream({ since: 'now' })
  const hello = await first.next('hello')
  const written: number[] = []
  const write = async (count: number): Promise<string> => {
    const changes = put(count)
    const { results } = await alice.push(changes)
    written.push(...results.map(({ sequence }: { sequence: number }) => sequence))
    return changes.at(-1)!.documentId
  }
  const seen: number[] = []
  let id = hello.id!
  for (let reader = first, round = 0; round < 4; round++) {
    const pages = await reader.until(await write(3))
    seen.push(...sequencesOf(pages))
    id = pages.at(-1)!.id!
    reader.close()
    await write(2)
    // A browser that reconnects still has the old `since` in its URL: the header wins.
    reader = await bob.stream({ since: '0' }, { 'last-event-id': id })
    assert.equal((await reader.next()).name, 'hello')
  }
  const last = await bob.stream({}, { 'last-event-id': id })
  seen.push(...sequencesOf(await last.until(await write(1))))
  assert.deepEqual(seen.filter(sequence => written.includes(sequence)), written)
  assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b), 'each once, in order')
}

export const streamPromises: readonly Promised[] = [
  promise('stream: it greets at once, uncoded and not to be stored, and passes each event on as it comes', async ({ alice, bob }) => {
    const start = performance.now()
    const reader = await bob.stream({ since: 'now' }, { 'accept-encoding': 'gzip, br, deflate' })
    const hello = await reader.next('hello', 3000)
    assert.ok(hello.at - start < 1000, 'the greeting comes within a second')
    const { headers } = reader.opened
    assert.match(headers.get('content-type') ?? '', /^text\/event-stream/)
    assert.match(headers.get('cache-control') ?? '', /no-store/)
    assert.equal(headers.get('content-encoding'), undefined, 'never coded')
    const { events, pushes } = await pingPong(alice, reader)
    const took = `events took ${events.map(Math.round).join(', ')} ms`
    assert.ok(median(events) < 1000, `within a second: ${took}`)
    assert.ok(Math.min(...events) < Math.min(...pushes) + DELAY_MS, `nothing holds every event back: ${took}`)
  }),

  promise('promise 5 (Live is pull): after each cut a stream goes on from Last-Event-ID without gap or repeat', resume),

  promise('promise 5 (Live is pull): a stream from a checkpoint catches up and goes on live', async ({ alice, bob }) => {
    const { checkpoint, epoch } = await alice.head()
    const { results } = await alice.push(put(150, { text: 'x'.repeat(1000) }))
    const reader = await bob.stream({ since: `${checkpoint.global}~e${epoch}` })
    const pages = await reader.untilLive()
    const [change] = put(1)
    const last = await alice.push([change!])
    const seen = sequencesOf([...pages, ...await reader.until(change!.documentId)])
    const written = [...results, ...last.results].map(({ sequence }: { sequence: number }) => sequence)
    assert.deepEqual(seen.filter(sequence => written.includes(sequence)), written)
  }),

  promise('stream: a ping comes when nothing else does, and moves the place', async ({ bob }) => {
    const reader = await bob.stream({ since: 'now' })
    const { data: { heartbeatMs } } = await reader.next('hello')
    // Of a longer one nobody waits for the end here.
    if (heartbeatMs > 6000) return
    const ping = await reader.next('ping', heartbeatMs + 3000)
    assert.ok(ping.id !== undefined && ping.data.checkpoint.global >= 0)
  }),

  promise('stream: many at once on the same address hold up neither each other nor requests', async ({ alice, bob }) => {
    const same = { since: 'now', c: fresh('shared') }
    const readers = await within(5000, 'the streams open', () => Promise.all(Array.from({ length: 6 }, () => bob.stream(same))))
    await Promise.all(readers.map(reader => reader.next('hello', 5000)))
    const [change] = put(1)
    await within(5000, 'a push beside them is answered', () => alice.push([change!]))
    await Promise.all(readers.map(reader => reader.until(change!.documentId)))
  }),

  ...where(({ options: { users } }) => users?.[0].owns !== undefined, [
    promise('promise 6 (Private): two users on the same address get streams of their own', async ({ alice, bob, users }) => {
      const same = { since: 'now', c: fresh('shared') }
      const [hers, his] = await Promise.all([alice.stream(same), bob.stream(same)])
      await Promise.all([hers.next('hello'), his.next('hello')])
      const [secret] = put(1, users![0].owns)
      await alice.push([secret!])
      await hers.until(secret!.documentId)
      const [shared] = put(1)
      await alice.push([shared!])
      const seen = (await his.until(shared!.documentId)).flatMap(({ data }) => changesOf(data))
      assert.ok(!seen.some(({ documentId, operation }) => documentId === secret!.documentId && operation !== 'delete'))
    })
  ]),

  ...where(({ info, options: { users } }) => users !== undefined && info.features.includes('stream.ticket'), [
    promise('stream: a ticket opens one stream, once', async ({ alice, nobody }) => {
      const { json: { ticket } } = await alice.ask({ method: 'POST', path: '/sync/stream/ticket' })
      const reader = await nobody.stream({ since: 'now', ticket })
      await reader.next('hello')
      const { status } = await nobody.ask({ path: `/sync/stream?ticket=${ticket}`, headers: { accept: 'text/event-stream' } })
      assert.equal(status, 401)
    })
  ])
]
