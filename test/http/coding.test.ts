import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import * as zlib from 'node:zlib'
import t from 'tap'
import { codingOf } from '../../src/http/coding.ts'
import { post, pullOf, pushOf, startApp } from '../support/app.ts'
import { numbered } from '../support/reads.ts'

const zstd = 'zstdCompressSync' in zlib
const best = zstd ? 'zstd' : 'br'

t.test('a coding is chosen as Accept-Encoding weighs them, the best for both sides where it does not', async t => {
  const cases: Array<[accept: string | undefined, coding: string | null, plain?: boolean]> = [
    [undefined, null], ['', null], ['identity', null], ['gzip', 'gzip'], ['GZIP', 'gzip'], ['x-gzip', 'gzip'], ['br', 'br'], ['deflate, compress', null],
    ['gzip, deflate', 'gzip'], ['gzip, deflate, br', 'br'], ['gzip, deflate, br, zstd', best], ['*', best], ['gzip;q=0.5, *;q=0.1', 'gzip'],
    ['gzip;q=1.0, br;q=0.5', 'gzip'], ['gzip;q=0.5,br;q=0.500', 'br'], ['gzip ; q=0.2 , br ; q=0.1', 'gzip'], ['gzip;Q=0, br', 'br'],
    ['gzip;q=0', null], ['gzip;q=0.000', null], ['*;q=0', null], ['*;q=0, gzip', 'gzip', false], ['gzip;q=0, *', zstd ? 'zstd' : 'br'],
    ['identity;q=0', null], ['identity;q=0, gzip', 'gzip', false], ['identity;q=0.5, gzip;q=0.2', null], ['identity;q=0.2, gzip;q=0.5', 'gzip'], ['identity, gzip;q=0.5', null],
    ['gzip;q=2', null], ['gzip;q=-1', null], ['gzip;q=x', null], ['gzip;q=', null], ['gzip;q=0.1234', null], ['gzip;x=1', 'gzip'], [',,;,gzip,', 'gzip'], ['gzipp, xbr', null],
    [`${'x,'.repeat(5000)}gzip`, 'gzip'], ['__proto__, constructor;q=0.1', null]
  ]
  for (const [accept, coding, plain = true] of cases) t.strictSame(codingOf(accept), { coding, plain }, String(accept).slice(0, 40))
})

async function asked (url: string, body: object, headers: Record<string, string>): Promise<{ answer: IncomingMessage, coded: Buffer }> {
  const sent = httpRequest(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }).end(JSON.stringify(body))
  const [answer] = await once(sent, 'response') as [IncomingMessage]
  return { answer, coded: Buffer.concat(await answer.toArray() as Buffer[]) }
}

t.test('answers are coded over 1 KiB, below only for who refuses plain text, and whoever takes nothing is answered all the same', async t => {
  const { url } = await startApp(t)
  await post(`${url}/sync/push`, pushOf('c', numbered(50, 'x')))
  const decoders: Record<string, (coded: Buffer) => Buffer> = { gzip: zlib.gunzipSync, br: zlib.brotliDecompressSync, ...zstd && { zstd: (zlib as unknown as { zstdDecompressSync: (coded: Buffer) => Buffer }).zstdDecompressSync } }
  for (const [coding, decode] of Object.entries(decoders)) {
    const { answer, coded } = await asked(`${url}/sync/pull`, pullOf(), { 'accept-encoding': coding })
    t.match([answer.headers['content-encoding'], answer.headers['vary'], answer.headers['content-length']], [coding, 'accept-encoding', String(coded.length)])
    t.equal(JSON.parse(decode(coded).toString()).changes.c.length, 50)
  }
  const small = { collections: ['none'] }
  t.equal((await asked(`${url}/sync/pull`, pullOf(small), { 'accept-encoding': 'gzip' })).answer.headers['content-encoding'], undefined)
  for (const accept of ['identity;q=0', '*;q=0']) t.match(await asked(`${url}/sync/pull`, pullOf(), { 'accept-encoding': accept }), { answer: { statusCode: 200, headers: { 'content-encoding': undefined } } })
})

t.test('bodies are taken in every coding that this runtime has, and 415 names these', async t => {
  const { url } = await startApp(t)
  const coders: Record<string, (plain: string) => Buffer> = { gzip: zlib.gzipSync, 'x-gzip': zlib.gzipSync, br: zlib.brotliCompressSync, ...zstd && { zstd: (zlib as unknown as { zstdCompressSync: (plain: string) => Buffer }).zstdCompressSync } }
  for (const [coding, code] of Object.entries(coders)) {
    t.match((await post(`${url}/sync/push`, code(JSON.stringify(pushOf('c', [{ documentId: coding }]))), { 'content-encoding': coding })).json, { results: [{ status: 'applied' }] }, coding)
  }
  for (const coding of ['deflate', 'gzip, gzip', 'compress', ...zstd ? [] : ['zstd']]) {
    const { status, headers, json } = await post(`${url}/sync/push`, 'x', { 'content-encoding': coding })
    t.strictSame([status, json.code, headers.get('accept-encoding')], [415, 'unsupported_media_type', zstd ? 'gzip, br, zstd' : 'gzip, br'], coding)
  }
})
