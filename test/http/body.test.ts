import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import * as zlib from 'node:zlib'
import t from 'tap'
import type { Test } from 'tap'
import fc from 'fast-check'
import { acceptedCodings, checkLength, discardRest, readBody } from '../../src/http/body.ts'
import { BytesInFlight } from '../../src/http/in-flight.ts'
import type { BodyLimits } from '../../src/http/body.ts'
import { SyncError } from '../../src/errors.ts'

const MIB = 1 << 20
const limits: BodyLimits = { bodyBytes: 16 * MIB, decodedBytes: 64 * MIB }
const zstdCompress = (zlib as { zstdCompressSync?: (data: Buffer) => Buffer }).zstdCompressSync

/** Chunks as a socket would bring them. */
function chunked (body: Buffer, size: number): Readable {
  const chunks: Buffer[] = []
  for (let i = 0; i < body.length; i += size) chunks.push(body.subarray(i, i + size))
  return Readable.from(chunks, { objectMode: false })
}

/** The SyncError that reading ends with; everything taken must have been given back. */
async function refusal (stream: Readable, coding?: string, how: { limits?: BodyLimits, inFlight?: BytesInFlight } = {}): Promise<SyncError> {
  const inFlight = how.inFlight ?? new BytesInFlight(256 * MIB)
  const before = inFlight.used
  try {
    await readBody(stream, coding, how.limits ?? limits, inFlight)
  } catch (error) {
    if (!(error instanceof SyncError)) throw error
    if (inFlight.used !== before) throw new Error(`${inFlight.used} bytes are still held`)
    return error
  }
  throw new Error('the body was taken')
}

t.test('any body comes out as it went in, in every coding and any chunks', async () => {
  const codings: Array<[string | undefined, (data: Buffer) => Buffer]> = [
    [undefined, (data) => data], ['', (data) => data], ['identity', (data) => data], [' GZIP ', zlib.gzipSync],
    ['x-gzip', zlib.gzipSync], ['br', (data) => zlib.brotliCompressSync(data, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } })]]
  if (zstdCompress !== undefined) codings.push(['zstd', zstdCompress])
  const data = fc.oneof(fc.uint8Array({ maxLength: 2_000 }), fc.nat(300_000).map((n) => new Uint8Array(n).fill(97)))
  await fc.assert(fc.asyncProperty(data, fc.constantFrom(...codings), fc.integer({ min: 1, max: 5_000 }), async (bytes, [coding, encode], size) => {
    const sent = Buffer.from(bytes)
    const inFlight = new BytesInFlight(MIB)
    const { body, release } = await readBody(chunked(encode(sent), size), coding, limits, inFlight)
    if (!body.equals(sent)) throw new Error('altered')
    if (inFlight.used !== sent.length) throw new Error(`${inFlight.used} in flight for ${sent.length}`)
    release()
    release()
    if (inFlight.used !== 0) throw new Error('not given back exactly once')
  }), { numRuns: 300 })
})

t.test('promise 9 (Clear): other codings, and more than one, are refused with the list of those taken', async (t) => {
  t.match(acceptedCodings, /^gzip, br(, zstd)?$/)
  for (const coding of ['deflate', 'gzip, br', 'gzip,gzip', 'identity, gzip', 'constructor', 'zstd'.repeat(2)]) {
    const { code, facts } = await refusal(chunked(Buffer.from('{}'), 1), coding)
    t.match({ code, facts }, { code: 'unsupported_media_type', facts: { headers: { 'Accept-Encoding': acceptedCodings } } }, coding)
  }
})

t.test('promise 7 (Isolated): a body over the limit on the wire stops there, whatever it claims', async (t) => {
  const small = { bodyBytes: 1000, decodedBytes: 5000 }
  const inFlight = new BytesInFlight(MIB)
  const fits = await readBody(chunked(Buffer.alloc(1000), 300), undefined, small, inFlight)
  t.equal(fits.body.length, 1000)
  const endless = new Readable({ read () { this.push(Buffer.alloc(300)) } })
  for (const coding of [undefined, 'gzip']) {
    const stream = coding === undefined ? endless : chunked(zlib.gzipSync(Buffer.alloc(3000), { level: 0 }), 300)
    const { code, facts } = await refusal(stream, coding, { limits: small, inFlight })
    t.match({ code, facts }, { code: 'too_large', facts: { limit: { name: 'bodyBytes', max: 1000 }, headers: { Connection: 'close' } } })
  }
  t.ok(endless.isPaused())
  endless.destroy()
})

t.test('a Content-Length over the limit is refused at once', async (t) => {
  checkLength(undefined, limits)
  checkLength(String(16 * MIB), limits)
  t.throws(() => { checkLength(String(16 * MIB + 1), limits) }, { code: 'too_large', facts: { limit: { name: 'bodyBytes', max: 16 * MIB } } })
  t.throws(() => { checkLength('9'.repeat(400), limits) }, { code: 'too_large' })
})

t.test('promise 7 (Isolated): a bomb is stopped at the decoded limit, not after it', async (t) => {
  const bomb = zlib.gzipSync(Buffer.alloc(65 * MIB))
  t.ok(bomb.length < 80_000)
  const inFlight = new BytesInFlight(256 * MIB)
  let most = 0
  const take = inFlight.take.bind(inFlight)
  inFlight.take = (n) => { const taken = take(n); most = Math.max(most, inFlight.used); return taken }
  const early = await refusal(chunked(bomb, 16_384), 'gzip', { limits: { bodyBytes: 16 * MIB, decodedBytes: MIB }, inFlight })
  t.match(early, { code: 'too_large', facts: { limit: { name: 'decodedBytes', max: MIB } } })
  t.ok(most <= MIB + bomb.length, `${most} bytes held at most`)
  t.match(await refusal(chunked(bomb, 16_384), 'gzip'), { code: 'too_large', facts: { limit: { name: 'decodedBytes', max: 64 * MIB } } })
  const br = zlib.brotliCompressSync(Buffer.alloc(4 * MIB), { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } })
  t.match(await refusal(chunked(br, 16_384), 'br', { limits: { bodyBytes: MIB, decodedBytes: MIB } }), { code: 'too_large' })
})

t.test('promise 7 (Isolated): over the bytes in flight of all requests a body is refused for later, and the others keep theirs', async (t) => {
  const inFlight = new BytesInFlight(1000)
  const first = await readBody(chunked(Buffer.alloc(600), 100), undefined, limits, inFlight)
  t.match(await refusal(chunked(Buffer.alloc(600), 100), undefined, { inFlight }), { code: 'overloaded', retryable: true, facts: { headers: { 'Retry-After': /^\d+$/ } } })
  t.match(await refusal(chunked(zlib.gzipSync(Buffer.alloc(600)), 100), 'gzip', { inFlight }), { code: 'overloaded' }, 'decoded bytes count')
  t.equal(inFlight.used, 600)
  first.release()
  const next = await readBody(chunked(Buffer.alloc(600), 100), undefined, limits, inFlight)
  next.release()
  t.equal(inFlight.used, 0)
})

t.test('promise 9 (Clear): a corrupt, truncated or continued coded body is a bad request that says so', async (t) => {
  const data = Buffer.from(JSON.stringify({ text: 'x'.repeat(500), n: Math.random() }))
  for (const [coding, coded] of [['gzip', zlib.gzipSync(data)], ['br', zlib.brotliCompressSync(data)]] as const) {
    t.match(await refusal(chunked(coded.subarray(0, -3), 10), coding), { code: 'bad_request', message: `The ${coding} body ends before its data is complete.` })
    t.match(await refusal(chunked(data, 10), coding), { code: 'bad_request', message: `The ${coding} body is corrupt.` })
    t.match(await refusal(chunked(Buffer.concat([coded, data]), 1e6), coding), { code: 'bad_request' }, 'something behind its end')
    const behind = new PassThrough()
    behind.write(coded)
    setTimeout(() => { behind.end('garbage') }, 50)
    t.match(await refusal(behind, coding), { code: 'bad_request' }, 'something behind its end, later')
  }
  const flipped = zlib.gzipSync(data)
  flipped[flipped.length - 6]! ^= 1
  t.match(await refusal(chunked(flipped, 10), 'gzip'), { code: 'bad_request' }, 'a wrong checksum')
})

t.test('promise 7 (Isolated): millions of tiny chunks are joined as they come', async (t) => {
  const n = 200_000
  let left = n
  const drip = new Readable({ read () { this.push(left-- > 0 ? Buffer.allocUnsafeSlow(1).fill(120) : null) } })
  const { body } = await readBody(drip, undefined, limits, new BytesInFlight(MIB))
  t.equal(body.length, n)
  t.ok(body.every((byte) => byte === 120))
})

t.test('a sender that vanishes rejects the reading and gives back its bytes, before and while it is read', async (t) => {
  for (const coding of [undefined, 'gzip']) {
    const stream = new PassThrough()
    stream.write(zlib.gzipSync('x'.repeat(500)).subarray(0, 20))
    setTimeout(() => stream.destroy(new Error('aborted')), 20)
    t.match(await refusal(stream, coding), { code: 'bad_request', message: 'The body ended early.' })
    t.match(await refusal(stream, coding), { code: 'bad_request' }, 'already gone')
  }
})

/** A server whose one handler gets each request; its URL is on a free port of loopback. */
async function serve (t: Test, handler: (request: IncomingMessage) => Promise<string>): Promise<number> {
  const server = createServer({ keepAlive: true }, (request, response) => {
    handler(request).then((text) => response.end(text), () => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return (server.address() as AddressInfo).port
}

async function dial (port: number, head: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`)
  return socket
}

t.test('over a socket: bodies with and without a length arrive, and a client that dies in its body is noticed', async (t) => {
  const inFlight = new BytesInFlight(MIB)
  const died: Array<Promise<SyncError>> = []
  const port = await serve(t, async (request) => {
    if (request.headers['x-dies'] !== undefined) { const refused = refusal(request, undefined, { inFlight }); died.push(refused); return (await refused).code }
    const { body, release } = await readBody(request, request.headers['content-encoding'], limits, inFlight)
    release()
    return String(body.length)
  })
  for (const headers of [{ 'Content-Length': '100000' }, { 'Transfer-Encoding': 'chunked' }]) {
    const client = request({ port, method: 'POST', headers }).end(Buffer.alloc(100_000))
    const [response] = await once(client, 'response') as [IncomingMessage]
    t.equal(String((await response.toArray())[0]), '100000')
  }
  const socket = await dial(port, 'X-Dies: 1\r\nContent-Length: 100\r\n\r\nbegin')
  while (died.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  socket.destroy()
  t.match(await died[0], { code: 'bad_request' })
  t.equal(inFlight.used, 0)
})

t.test('promise 7 (Isolated): a body that came whole with its head is held to the same limits, and counted', async (t) => {
  const inFlight = new BytesInFlight(100)
  const within = { bodyBytes: 50, decodedBytes: 40 }
  const port = await serve(t, async (request) => {
    try {
      const { body, release } = await readBody(request, undefined, within, inFlight)
      const { used } = inFlight
      release()
      release()
      return `${body.toString()} ${used} ${inFlight.used}`
    } catch (error) {
      return `${(error as SyncError).code} ${inFlight.used}`
    }
  })
  const socket = connect(port, '127.0.0.1')
  const said = async (message: string): Promise<string> => {
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${message}`)
    const [answer] = await once(socket, 'data') as [Buffer]
    return answer.toString().split('\r\n\r\n')[1]!
  }
  t.equal(await said('Content-Length: 5\r\n\r\nhello'), 'hello 5 0')
  t.equal(await said('Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n'), 'hello 5 0')
  t.equal(await said('Content-Length: 0\r\n\r\n'), ' 0 0')
  inFlight.take(96)
  t.equal(await said('Content-Length: 5\r\n\r\nhello'), 'overloaded 96')
  inFlight.give(96)
  t.equal(await said(`Content-Length: 45\r\n\r\n${'x'.repeat(45)}`), 'too_large 0', 'decoded')
  t.equal(await said(`Transfer-Encoding: chunked\r\n\r\n33\r\n${'x'.repeat(51)}\r\n0\r\n\r\n`), 'too_large 0', 'on the wire')
  socket.destroy()
})

t.test('promise 9 (Clear): a client that reads nothing before it has sent everything still gets its refusal', async (t) => {
  const port = await serve(t, async (request) => {
    const { code } = await refusal(request, undefined, { limits: { bodyBytes: 1000, decodedBytes: 1000 } })
    return `${code} ${await discardRest(request)}`
  })
  const client = request({ port, method: 'POST', headers: { 'Content-Length': String(4 * MIB) } }).end(Buffer.alloc(4 * MIB))
  const [response] = await once(client, 'response') as [IncomingMessage]
  t.equal(String((await response.toArray())[0]), 'too_large true')
})

t.test('promise 7 (Isolated): the rest of a refused body is read for so many bytes and so long only', async (t) => {
  const endless = new Readable({ read () { this.push(Buffer.alloc(1000)) } })
  t.equal(await discardRest(endless, { bytes: 5000 }), false)
  endless.destroy()
  t.equal(await discardRest(endless), false, 'destroyed')
  const silent = new PassThrough()
  const began = performance.now()
  t.equal(await discardRest(silent, { ms: 50 }), false)
  t.ok(performance.now() - began < 1000)
  setTimeout(() => silent.destroy(new Error('reset')), 10)
  t.equal(await discardRest(silent), false, 'a reset is no exception')
  const done = chunked(Buffer.alloc(5000), 100)
  t.equal(await discardRest(done), true)
  t.equal(await discardRest(done), true, 'ended before')
})
