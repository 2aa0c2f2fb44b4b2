/** What changed after a checkpoint, page by page, at once or when there is something. */
import assert from 'node:assert/strict'
import { changesOf } from './events.ts'
import { promise, put, type Promised } from './harness.ts'
import { median, within } from './time.ts'

/** How many polls wait at once: what answers them one after the other is noticed. */
const POLLS = 6

export const pullPromises: readonly Promised[] = [
  promise('promise 4 (Safe checkpoints): pages lead from checkpoint to checkpoint to all that was written, each once', async ({ alice }) => {
    const start = await alice.head()
    const written = put(25)
    await alice.push(written)
    const seen = await alice.pullAll({ ...start, limit: 10 })
    const ours = seen.map(change => change.documentId).filter(id => written.some(({ documentId }) => documentId === id))
    assert.deepEqual(ours, written.map(({ documentId }) => documentId))
  }),

  promise('pull: a coded answer is what the plain one is, and nobody is sent the coding of another', async ({ alice, collection }) => {
    const start = await alice.head()
    await alice.push(put(20, { text: 'x'.repeat(200) }))
    const message = { type: 'pull', id: 'same', timestamp: 0, collections: [collection], ...start }
    const plain = await alice.post('/sync/pull', message)
    const coded = await alice.post('/sync/pull', message, { 'accept-encoding': 'gzip' })
    assert.equal(plain.headers.get('content-encoding'), undefined)
    assert.equal(coded.headers.get('content-encoding'), 'gzip')
    assert.deepEqual(coded.json.changes, plain.json.changes)
    assert.match(coded.headers.get('cache-control') ?? '', /no-store/)
  }),

  promise('pull: polls that wait are answered when there is something, all at once', async ({ alice, bob }) => {
    const start = await alice.head()
    const polls = Array.from({ length: POLLS }, async () => {
      const page = await bob.pull({ ...start, waitMs: 20_000 })
      return { page, at: performance.now() }
    })
    const answered = Promise.all(polls)
    // Where something before fails, the test is over before they are.
    answered.catch(() => {})
    // So that they wait by then.
    await within(10_000, 'requests beside waiting polls are answered', () => Promise.all([alice.pull(start), bob.pull(start), alice.head()]))
    const written = put(1)
    const before = performance.now()
    await alice.push(written)
    const answers = await within(15_000, 'every poll is answered', () => answered)
    for (const { page } of answers) assert.ok(changesOf(page).some(({ documentId }) => documentId === written[0]!.documentId))
    assert.ok(median(answers.map(({ at }) => at - before)) < 1000, 'within a second')
  }),

  promise('pull: a poll that waits in vain ends with an empty page', async ({ alice }) => {
    const start = await alice.head()
    const page = await within(10_000, 'the poll ends', () => alice.pull({ ...start, waitMs: 300 }))
    assert.deepEqual([changesOf(page), page.hasMore], [[], false])
    assert.ok(page.checkpoint.global >= start.checkpoint.global)
  })
]
