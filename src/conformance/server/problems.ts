/** Refusals arrive as the server words them: as problems, never stored, also where it reads no further. */
import assert from 'node:assert/strict'
import { promise, put, pushOf, where, type Answer, type Promised } from './harness.ts'

function isProblem ({ status, headers, text, json }: Answer, expected: number, code: string): void {
  assert.equal(status, expected, text.slice(0, 300))
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/, `answered by something on the way: ${text.slice(0, 300)}`)
  assert.equal(json.code, code)
  assert.match(headers.get('cache-control') ?? '', /no-store/)
}

export const problemPromises: readonly Promised[] = [
  promise('promise 9 (Clear): a message that is wrong gets its problem', async ({ alice }) => {
    isProblem(await alice.post('/sync/push', { type: 'pull' }), 400, 'invalid_message')
    isProblem(await alice.post('/sync/pull', {}, { 'content-type': 'text/plain' }), 415, 'unsupported_media_type')
    isProblem(await alice.ask({ path: '/sync/nothing-here' }), 404, 'not_found')
  }),

  promise('promise 9 (Clear): a checkpoint of another history gets 410 with where to start over', async ({ alice }) => {
    const answer = await alice.post('/sync/pull', { type: 'pull', id: 'a', timestamp: 0, collections: [], checkpoint: { global: 1 }, epoch: 'nobodysepoch' })
    isProblem(answer, 410, 'resync_required')
    assert.deepEqual([answer.json.reason, answer.json.checkpoint], ['epoch-changed', { global: 0 }])
  }),

  promise('promise 9 (Clear): a body over the limit gets 413 that names the limit', async ({ alice, info, collection }) => {
    const body = Buffer.alloc(info.limits['bodyBytes']! + 1, ' ')
    const answer = await alice.ask({ path: '/sync/push', headers: { 'content-type': 'application/json' }, body })
    isProblem(answer, 413, 'too_large')
    assert.equal(answer.json.limit.max, info.limits['bodyBytes'])
    const { status } = await alice.post('/sync/push', pushOf(collection, put(1)))
    assert.equal(status, 200, 'and the way is clear again')
  }),

  ...where(({ options: { users } }) => users !== undefined, [
    promise('promise 6 (Private): without a valid token there is 401 that says so, and nothing else', async ({ alice, nobody }) => {
      await alice.push(put(1))
      for (const headers of [{}, { authorization: 'Bearer nobodys.token.atall' }]) {
        const code = 'authorization' in headers ? 'invalid_token' : 'not_authenticated'
        const refusals = [
          await nobody.post('/sync/pull', { type: 'pull', id: 'a', timestamp: 0, collections: [] }, headers),
          await nobody.post('/sync/push', {}, headers),
          await nobody.ask({ path: '/sync/stream', headers: { accept: 'text/event-stream', ...headers } })
        ]
        for (const refusal of refusals) {
          isProblem(refusal, 401, code)
          assert.match(refusal.headers.get('www-authenticate') ?? '', /^Bearer /)
        }
      }
    })
  ])
]
