/** Changes in, a result for each. */
import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { fresh, promise, put, pushOf, type Promised } from './harness.ts'

export const pushPromises: readonly Promised[] = [
  promise('push: each change gets its result, and a pull brings what was stored', async ({ alice, collection }) => {
    const message = pushOf(collection, [{ documentId: fresh('doc'), document: { title: 'ünï ☃ 😀' } }, { documentId: '', document: {} }])
    const { status, headers, json, text } = await alice.post('/sync/push', message)
    assert.equal(status, 200, text)
    assert.match(headers.get('cache-control') ?? '', /no-store/)
    const [stored, refused] = json.results
    assert.equal(stored.status, 'applied')
    assert.equal(refused.status, 'rejected')
    const { changes } = await alice.pull({ checkpoint: { global: stored.sequence - 1 }, epoch: json.epoch })
    const found = changes[collection].find((change: { documentId: string }) => change.documentId === stored.documentId)
    assert.deepEqual([found?.sequence, found?.document.title], [stored.sequence, 'ünï ☃ 😀'])
  }),

  promise('promise 3 (Once): the same message again, five times at once and once more, takes effect once', async ({ alice, collection }) => {
    const message = pushOf(collection, put(2))
    const answers = await Promise.all(Array.from({ length: 5 }, () => alice.post('/sync/push', message)))
    answers.push(await alice.post('/sync/push', message))
    const sequences = answers.map(({ json }) => JSON.stringify(json.results.map((result: { sequence: number }) => result.sequence)))
    assert.equal(new Set(sequences).size, 1, sequences.join(' '))
  }),

  promise('push: a body in gzip is taken', async ({ alice, collection }) => {
    const body = gzipSync(JSON.stringify(pushOf(collection, put(3))))
    const { status, json, text } = await alice.ask({ path: '/sync/push', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' }, body })
    assert.equal(status, 200, text)
    assert.equal(json.success, true)
  })
]
