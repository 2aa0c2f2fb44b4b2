/** What is large goes through whole, in both directions. */
import assert from 'node:assert/strict'
import { promise, put, type Promised } from './harness.ts'

/** More than nginx takes unless it is told to (1 MiB), and than any buffer on the way holds. */
const LARGE = 3 * 1024 * 1024
const DOCUMENT = 100_000

export const sizePromises: readonly Promised[] = [
  promise('sizes: a push of some megabytes is taken whole, and comes back whole in large answers and on a stream', async ({ alice, bob, info }) => {
    const start = await alice.head()
    const bytes = Math.min(LARGE, info.limits['bodyBytes']! * 0.9)
    const changes = put(Math.floor(bytes / (DOCUMENT + 300)), { text: 'ü'.repeat(DOCUMENT / 2) })
    await alice.push(changes)
    const seen = await bob.pullAll({ ...start, limit: 1000 })
    const pulled = new Map(seen.map(({ documentId, document }) => [documentId, document?.text]))
    for (const { documentId, document } of changes) assert.equal(pulled.get(documentId), document!['text'])
    const reader = await bob.stream({ since: `${start.checkpoint.global}~e${start.epoch}` })
    const pages = await reader.until(changes.at(-1)!.documentId)
    assert.ok(pages.length > 1)
  })
]
