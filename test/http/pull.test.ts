import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { post, pullOf, pushOf, startApp } from '../support/app.ts'

t.test('promise 4 (Safe checkpoints): pages by any limit add up to the same whole', async (t) => {
  const { url } = await startApp(t)
  for (const collection of ['a', 'b', 'c']) await post(`${url}/sync/push`, pushOf(collection, [1, 2, 3].map(n => ({ documentId: `${collection}${n}` }))))
  const whole = (await post(`${url}/sync/pull`, pullOf())).json
  t.equal(whole.hasMore, false)
  t.strictSame(whole.checkpoint, { global: 9 })
  for (const limit of [1, 2, 4]) {
    const seen: unknown[] = []
    let page: any = { checkpoint: { global: 0 }, hasMore: true }
    while (page.hasMore) {
      page = (await post(`${url}/sync/pull`, pullOf({ checkpoint: page.checkpoint, limit }))).json
      for (const list of Object.values<any>(page.changes)) seen.push(...list)
    }
    t.strictSame(seen, Object.values(whole.changes).flat(), `limit ${limit}`)
    t.equal(page.checkpoint.global, 9)
  }
})

t.test('a pull of some collections leaves the others out, also their names', async (t) => {
  const { url } = await startApp(t)
  await post(`${url}/sync/push`, pushOf('mine', [{ documentId: '1' }]))
  await post(`${url}/sync/push`, pushOf('theirs', [{ documentId: '2' }]))
  const { json } = await post(`${url}/sync/pull`, pullOf({ collections: ['mine', 'none'] }))
  t.strictSame(Object.keys(json.changes), ['mine'])
  t.strictSame(json.checkpoint, { global: 2 })
})

t.test('a long poll is answered by the first change, at once when there already is one', async (t) => {
  const { url } = await startApp(t)
  const waiting = post(`${url}/sync/pull`, pullOf({ waitMs: 20_000 }))
  await sleep(100)
  await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]))
  t.match((await waiting).json, { changes: { c: [{ documentId: 'a' }] }, checkpoint: { global: 1 }, hasMore: false })
  t.match((await post(`${url}/sync/pull`, pullOf({ waitMs: 20_000 }))).json, { changes: { c: [{ documentId: 'a' }] } })
})

t.test('a long poll ends empty after its time, and when the server drains', async (t) => {
  const { url, pocket } = await startApp(t, { limits: { waitMs: 100 } })
  t.match((await post(`${url}/sync/pull`, pullOf({ waitMs: 20_000 }))).json, { changes: {}, hasMore: false })
  const other = await startApp(t)
  const waiting = post(`${other.url}/sync/pull`, pullOf({ waitMs: 20_000 }))
  await sleep(100)
  await other.pocket.close()
  const { status, headers, json } = await waiting
  t.match({ status, json }, { status: 200, json: { changes: {}, hasMore: false } })
  t.equal(headers.get('connection'), 'close')
  await pocket.close()
})

t.test('who leaves ends his long poll: nobody waits for it at the shutdown', async (t) => {
  const { url, pocket } = await startApp(t, { limits: { graceMs: 60_000 } })
  const leaving = new AbortController()
  const waiting = fetch(`${url}/sync/pull`, { method: 'POST', body: JSON.stringify(pullOf({ waitMs: 25_000 })), headers: { 'content-type': 'application/json' }, signal: leaving.signal })
  await sleep(100)
  leaving.abort()
  await t.rejects(waiting)
  await pocket.close()
})

t.test('promise 8 (Convergent): a checkpoint that this log cannot continue from gets resync_required with what to do', async (t) => {
  const { url } = await startApp(t, { limits: { aheadMs: 10 } })
  const { json: { epoch } } = await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]))
  const ahead = await post(`${url}/sync/pull`, pullOf({ id: 'ahead', checkpoint: { global: 500 } }))
  t.match(ahead, { status: 410, json: { title: 'Gone', code: 'resync_required', reason: 'checkpoint-ahead', checkpoint: { global: 0 }, epoch, id: 'ahead', retryable: false } })
  const foreign = await post(`${url}/sync/pull`, pullOf({ checkpoint: { global: 1 }, epoch: 'another' }))
  t.match(foreign, { status: 410, json: { reason: 'epoch-changed', epoch } })
})
