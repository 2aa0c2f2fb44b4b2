import { once } from 'node:events'
import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { get as httpsGet } from 'node:https'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import * as zlib from 'node:zlib'
import { Ajv } from 'ajv'
import t from 'tap'
import { Checkpoint } from '../../schema/checkpoint.ts'
import { SnapshotDocument, SnapshotEnd, SnapshotStart } from '../../schema/snapshot.ts'
import { exchangeRaw, post, pullOf, pushOf, request, startApp } from '../support/app.ts'
import { ann, bob, numbered, startReads } from '../support/reads.ts'
import { startTls, tlsOf } from '../support/tls.ts'

const ajv = new Ajv({ strict: false, schemas: [Checkpoint] })
const isLine = ajv.compile({ oneOf: [SnapshotStart, SnapshotDocument, SnapshotEnd].map(schema => ({ ...schema, $id: undefined })) })

function linesOf (text: string): any[] {
  return text.trimEnd().split('\n').map(line => JSON.parse(line))
}

t.test('promise 4 (Safe checkpoints): a snapshot has every live document once and none that is deleted, and pulls go on where it ends', async t => {
  const { url } = await startApp(t)
  const push = (changes: Array<{ documentId: string, [member: string]: unknown }>) => post(`${url}/sync/push`, pushOf('c', changes))
  await push(numbered(5, 'x'))
  await push([{ documentId: 'x-1', operation: 'delete', document: null, base: 2 }, { documentId: 'x-0', operation: 'update', document: { text: 'again\n' }, base: 1, timestamp: Date.now() + 10 }])
  const { status, headers, text } = await request(`${url}/sync/snapshot?collections=c`)
  t.match([status, headers.get('content-type'), headers.get('cache-control'), headers.get('vary')], [200, 'application/x-ndjson', 'private, no-store', 'authorization, cookie, accept-encoding'])
  const lines = linesOf(text)
  for (const line of lines) t.ok(isLine(line), JSON.stringify(line))
  const [first, ...documents] = lines
  const last = documents.pop()
  t.strictSame(documents.map(({ documentId, sequence }) => [documentId, sequence]), [['x-2', 3], ['x-3', 4], ['x-4', 5], ['x-0', 7]])
  t.strictSame(documents[3], { type: 'document', collection: 'c', documentId: 'x-0', document: { text: 'again\n' }, timestamp: documents[3].timestamp, sequence: 7 })
  t.strictSame([first.checkpoint, last.checkpoint, last.epoch], [{ global: 7 }, { global: 7 }, first.epoch])
  const pull = pullOf({ collections: ['c'], checkpoint: last.checkpoint, epoch: last.epoch })
  t.match((await post(`${url}/sync/pull`, pull)).json, { changes: {}, hasMore: false })
  const resumed = linesOf((await request(`${url}/sync/snapshot?collections=c&after=4~e${first.epoch}~s7`)).text)
  t.strictSame(resumed, [documents[2], documents[3], last], 'goes on behind any line, without a first one')
  t.strictSame(linesOf((await request(`${url}/sync/snapshot?collections=none`)).text).map(({ type }) => type), ['snapshot', 'snapshot-end'])
  await push([{ documentId: 'x-9' }])
  t.strictSame(linesOf((await request(`${url}/sync/snapshot?collections=c&after=4~e${first.epoch}~s7`)).text).at(-1), last, 'to the end that it had')
})

t.test('documents come as they were written, wherever their text is cut on its way', async t => {
  const { url } = await startApp(t)
  // One of them has half a character where a piece ends.
  for (const start of ['', 'x']) {
    const text = start + '😀'.repeat(100_000)
    await post(`${url}/sync/push`, pushOf(`c${start.length}`, [{ documentId: 'a', document: { text } }]))
    const [, { document }] = linesOf((await request(`${url}/sync/snapshot?collections=c${start.length}`)).text)
    t.ok(document.text === text)
  }
})

t.test('a snapshot is coded for who takes that, and HEAD answers its headers', async t => {
  const { url, port } = await startApp(t)
  await post(`${url}/sync/push`, pushOf('c', numbered(2000, 'x')))
  const plain = (await request(`${url}/sync/snapshot?collections=c`, { headers: { 'accept-encoding': 'identity' } })).text
  const decoders: Record<string, (coded: Buffer) => Buffer> = { gzip: zlib.gunzipSync, br: zlib.brotliDecompressSync, ...'zstdDecompressSync' in zlib && { zstd: zlib.zstdDecompressSync as (coded: Buffer) => Buffer } }
  for (const [coding, decode] of Object.entries(decoders)) {
    const [answer] = await once(get(`${url}/sync/snapshot?collections=c`, { headers: { 'accept-encoding': coding } }), 'response') as [IncomingMessage]
    const coded = Buffer.concat(await answer.toArray())
    t.equal(answer.headers['content-encoding'], coding)
    t.equal(decode(coded).toString(), plain)
    t.ok(coded.length < plain.length / 3)
  }
  const head = await exchangeRaw(port, 'HEAD /sync/snapshot HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  t.match(head, /^HTTP\/1.1 200[\s\S]*application\/x-ndjson[\s\S]*\r\n\r\n$/)
})

t.test('promise 6 (Private): a snapshot shows each reader their own, and nobody without a token more than what is public', async t => {
  const { get, push } = await startReads(t)
  await push('todos', numbered(5, 'of-ann', { owner: 'ann' }))
  await push('todos', numbered(5, 'of-bob', { owner: 'bob' }))
  await push('posts', numbered(2, 'post'))
  const shown = async (query: string, headers?: Record<string, string>): Promise<string[]> => linesOf((await get(`/sync/snapshot${query}`, headers)).text).flatMap(({ documentId }) => documentId ?? [])
  t.strictSame(await shown('?collections=todos', ann), [0, 1, 2, 3, 4].map(n => `of-ann-${n}`))
  t.strictSame(await shown('', bob), [...[0, 1, 2, 3, 4].map(n => `of-bob-${n}`), 'post-0', 'post-1'], 'all that he may read')
  t.strictSame(await shown('?collections=posts'), ['post-0', 'post-1'])
  t.equal((await get('/sync/snapshot?collections=posts')).headers.get('cache-control'), 'public, max-age=60')
  for (const headers of [ann, { cookie: 'a=b' }]) t.equal((await get('/sync/snapshot?collections=posts', headers)).headers.get('cache-control'), 'private, no-store')
  for (const query of ['', '?collections=todos', '?collections=posts,todos']) t.match(await get(`/sync/snapshot${query}`), { status: 401, json: { code: 'not_authenticated' } }, query)
})

t.test('promise 9 (Clear): a cursor that no snapshot goes on from is refused before a line is sent', async t => {
  const { get, push } = await startReads(t)
  await push('posts', numbered(5, 'post'))
  const { epoch } = linesOf((await get('/sync/snapshot?collections=posts')).text)[0]
  for (const after of ['', '0', '3', `3~e${epoch}`, '3~s5', '-1', `3~e${epoch}~s-5`, `3~s5~e${epoch}`, 'now', `3~e${epoch}~s9007199254740992`]) t.match(await get(`/sync/snapshot?collections=posts&after=${after}`), { status: 400, json: { code: 'invalid_cursor' } }, after)
  for (const after of [`3~e${epoch}~s6`, `0~e${epoch}~s6`, '3~eother~s5', `9~e${epoch}~s5`]) {
    const { status, json, headers } = await get(`/sync/snapshot?collections=posts&after=${after}`)
    t.match([status, json.code, headers.get('cache-control')], [410, 'resync_required', 'no-store'], after)
  }
  t.equal((await get(`/sync/snapshot?collections=posts&after=1~e${epoch}~s5&after=2~e${epoch}~s5`)).status, 400)
})

/** Reads a snapshot and then nothing more, until told. */
async function stalled (port: number, headers = ''): Promise<{ read: () => Promise<string>, destroy: () => void }> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET /sync/snapshot HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`)
  await once(socket, 'readable')
  return {
    read: async () => {
      let text = ''
      socket.on('error', () => {}).setEncoding('utf8').on('data', (part: string) => { text += part })
      await new Promise(resolve => socket.once('close', resolve))
      return text
    },
    destroy: () => { socket.destroy() }
  }
}

async function large (url: string, headers: Record<string, string> = {}): Promise<void> {
  for (let i = 0; i < 12; i++) await post(`${url}/sync/push`, pushOf('c', numbered(40, `x${i}`, { fill: 'y'.repeat(50_000) })), headers)
}

t.test('promise 7 (Isolated): who takes a snapshot slowly holds a step of it, not all, and keeps nobody from writing', async t => {
  const { url, port } = await startApp(t)
  await large(url)
  const before = process.memoryUsage().rss
  for (const reader of await Promise.all(Array.from({ length: 10 }, () => stalled(port)))) t.teardown(() => reader.destroy())
  for (let i = 0; i < 20; i++) t.equal((await post(`${url}/sync/push`, pushOf('other', [{ documentId: `o${i}` }]))).status, 200)
  t.ok(process.memoryUsage().rss - before < 200e6, '24 MB for each would be 240 MB')
})

t.test('promise 7 (Isolated): only so many snapshots are read at once, and who takes nothing is cut in the end, without a last line', async t => {
  const { url, port } = await startApp(t, { limits: { stallMs: 1000, inFlightBytesPerUser: 2 << 20 } })
  await large(url)
  const reader = await stalled(port)
  t.match(await request(`${url}/sync/snapshot`), { status: 503, json: { code: 'overloaded' } })
  while ((await request(`${url}/sync/snapshot`, { method: 'HEAD' })).status !== 200) await sleep(50)
  t.notMatch(await reader.read(), /snapshot-end/)
})

t.test('promise 7 (Isolated): no address takes the share of all readers whom nobody knows', async t => {
  const { url, port } = await startApp(t, { open: true, trustProxy: true, limits: { inFlightBytesPerUser: 7 << 20 } })
  await large(url)
  for (let i = 0; i < 4; i++) {
    const reader = await stalled(port, 'X-Forwarded-For: 192.0.2.1\r\n')
    t.teardown(() => reader.destroy())
  }
  const asked = async (address: string): Promise<number> => (await request(`${url}/sync/snapshot`, { method: 'HEAD', headers: { 'x-forwarded-for': address } })).status
  t.equal(await asked('192.0.2.1'), 503)
  t.equal(await asked('192.0.2.2'), 200)
})

t.test('a snapshot under way ends without a last line when the server drains, and nobody waits for it', async t => {
  const { url, port, pocket } = await startApp(t, { limits: { graceMs: 60_000 } })
  await large(url)
  const reader = await stalled(port)
  await pocket.close()
  t.notMatch(await reader.read(), /snapshot-end/)
})

t.test('promise 6 (Private): a snapshot ends with the credential, and with the rights under which it began', async t => {
  let version = 1
  const credential: { exp?: number } = {}
  const { url, port } = await startApp(t, { authenticate: () => ({ id: 'ann', ...credential }), accessVersion: () => version })
  await large(url)
  const one = await stalled(port)
  version++
  const exp = credential.exp = Date.now() / 1000 + 1
  const another = await stalled(port)
  while (Date.now() / 1000 < exp) await sleep(50)
  for (const reader of [one, another]) t.notMatch(await reader.read(), /snapshot-end/)
})

t.test('over TLS and HTTP/2 a snapshot comes whole, and one that is cut is an error there', async t => {
  let version = 1
  const tls = await startTls(t, { authenticate: () => ({ id: 'ann' }), accessVersion: () => version })
  t.match(linesOf((await tls.ask({ ':path': '/sync/snapshot' })).text).map(({ type }) => type), ['snapshot', 'snapshot-end'])
  for (let i = 0; i < 16; i++) t.equal((await tls.ask({ ':path': '/sync/push', ':method': 'POST', 'content-type': 'application/json' }, JSON.stringify(pushOf('c', numbered(20, `x${i}`, { fill: 'y'.repeat(50_000) }))))).status, 200)
  t.equal(linesOf((await tls.ask({ ':path': '/sync/snapshot' })).text).length, 322)
  const stream = tls.session.request({ ':path': '/sync/snapshot' })
  await once(stream, 'response')
  version++
  let text = ''
  stream.setEncoding('utf8').on('data', (part: string) => { text += part })
  await t.rejects(once(stream, 'end'), { code: 'ERR_HTTP2_STREAM_ERROR' })
  t.notMatch(text, /snapshot-end/)
  const sent = httpsGet(`${tls.url}/sync/snapshot`, { ca: tlsOf('localhost').cert })
  const [answer] = await once(sent, 'response') as [IncomingMessage]
  version++
  await t.rejects(answer.toArray(), { code: 'ECONNRESET' }, 'and over HTTP/1.1')
})
