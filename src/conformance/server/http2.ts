/** HTTP/2 at the entrance: no stream of a browser's takes one of six connections. */
import assert from 'node:assert/strict'
import { promise, put, where, type Promised } from './harness.ts'
import { within } from './time.ts'

export const http2Promises: readonly Promised[] = where(({ http2 }) => http2, [
  promise('HTTP/2: twelve streams on one connection are live, and requests go between them', async ({ alice, bob, http2 }) => {
    assert.ok(http2)
    const readers = await within(10_000, 'the streams open', () => Promise.all(Array.from({ length: 12 }, (_, n) => (n % 2 ? alice : bob).stream({ since: 'now' }))))
    await Promise.all(readers.map(reader => reader.next('hello')))
    const [change] = put(1)
    await within(5000, 'a push between them is answered', () => alice.push([change!]))
    await Promise.all(readers.map(reader => reader.until(change!.documentId)))
  })
])
