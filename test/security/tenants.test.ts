/** Whatever a user of one tenant tries with what is another's: nothing of it comes, and nothing there is changed. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { SseClient } from '../support/sse-client.ts'
import { startTenants } from '../support/tenants.ts'
import { post, request } from '../support/app.ts'

/** In everything that Acme has: its documents, and its name. */
const CANARY = 'acme-canary'

const app = await startTenants(t, { limits: { aheadMs: 20, tickets: 100, ticketsPerUser: 3 } })
const acme = app.as(CANARY)
const other = app.as('other')
const text = { documentId: 'shared', document: { _id: 'shared', text: CANARY } }
const pushed = await acme.push([text, { documentId: 'second', document: { _id: 'second', text: CANARY } }], { id: 'same-message', clientId: 'phone' })
await acme.push([{ documentId: 'third', document: { _id: 'third', text: CANARY } }])
const { checkpoint, epoch } = (await acme.pull()).json
const cursor = `${checkpoint.global}~e${epoch}`

t.test('promise 6 (Private): the same document and the same message of two tenants know nothing of each other', async t => {
  const own = await other.push([{ documentId: 'shared', document: { _id: 'shared', text: 'ours' } }], { id: 'same-message', clientId: 'phone' })
  t.strictSame([own.status, own.json.results[0].status, own.json.results[0].sequence], [200, 'applied', 1], own.text)
  t.equal(own.headers.get('idempotency-replayed'), null)
  t.notMatch(own.text, CANARY)
  const pulled = await other.pull()
  t.strictSame(pulled.json.changes.todos.map(({ document }: any) => document), [{ _id: 'shared', text: 'ours' }])
  t.match((await acme.pull()).json.changes.todos.map(({ document }: any) => document.text), [CANARY, CANARY, CANARY])
  const same = await other.push([text, { documentId: 'second', document: { _id: 'second', text: CANARY } }], { id: pushed.json.id, clientId: 'phone' })
  t.equal(same.json.code, 'id_reused', 'of its own message, and not a repeat of the other one')
})

t.test('promise 6 (Private): places in another log are places in none: a checkpoint, a cursor, an epoch, a snapshot to go on with', async t => {
  const fresh = app.as('fresh')
  const attempts = [
    await fresh.pull({ checkpoint, epoch }),
    await fresh.pull({ checkpoint }),
    await fresh.pull({ checkpoint: { ...checkpoint, snapshot: checkpoint.global, head: `${checkpoint.global}.${epoch}` }, epoch }),
    await fresh.get(`/sync/changes?since=${cursor}`),
    await fresh.get(`/sync/snapshot?after=1~e${epoch}~s${checkpoint.global}`)
  ]
  for (const { status, json, text } of attempts) {
    t.strictSame([status, json.code], [410, 'resync_required'], text)
    t.notMatch(text, new RegExp(`${CANARY}|${epoch}`))
  }
  for (const path of ['/sync/changes', '/sync/snapshot', '/sync/history/todos/second', '/sync/history/todos/shared']) {
    const answer = await fresh.get(path)
    t.equal(answer.status, 200)
    t.notMatch(answer.text, CANARY, path)
  }
  t.strictSame(await fresh.ids(), [])
})

t.test('promise 6 (Private): the ETag of another tenant\'s page confirms nothing, and no cache may share a page', async t => {
  const theirs = await acme.get('/sync/changes?since=0')
  const etag = theirs.headers.get('etag')!
  t.equal((await acme.get('/sync/changes?since=0', { 'if-none-match': etag })).status, 304)
  const ours = await other.get('/sync/changes?since=0', { 'if-none-match': etag })
  t.equal(ours.status, 200)
  t.not(ours.headers.get('etag'), etag)
  for (const { headers } of [theirs, ours]) {
    t.match(headers.get('cache-control'), /private/)
    t.match(headers.get('vary'), /authorization/)
  }
})

t.test('promise 6 (Private): a stream brings what its own log brings, also after another tenant\'s id, and ends alone', async t => {
  const streams = await Promise.all([
    SseClient.connect(`${app.url}/sync/stream?since=0`, { headers: acme.headers }),
    SseClient.connect(`${app.url}/sync/stream`, { headers: other.headers, lastEventId: cursor }),
    SseClient.connect(`${app.url}/sync/stream?since=0`, { headers: other.headers })
  ])
  t.teardown(() => { for (const stream of streams) stream.close() })
  const [theirs, resynced, ours] = streams
  t.match((await theirs.next('message'))!.data, CANARY)
  const resync = await resynced.next('resync')
  t.notMatch(resync!.data, new RegExp(`${CANARY}|${epoch}`))
  await ours.next('message')
  await acme.push([{ documentId: 'live', document: { _id: 'live', text: CANARY } }])
  await other.push([{ documentId: 'live', document: { _id: 'live', text: 'ours' } }])
  t.match((await theirs.next('message'))!.data, CANARY)
  const live = (await ours.next('message'))!
  t.match(live.data, /"ours"/)
  t.notMatch(live.data, CANARY)
  const clients = app.pocket.getClients()
  t.equal(new Set(clients.map(({ id }) => id)).size, 3, 'every stream of the node has an id of its own')
  t.strictSame(clients.map(({ tenant }) => tenant).sort(), [CANARY, 'other', 'other'])
  t.ok(app.pocket.disconnectClient(clients.find(({ tenant }) => tenant === CANARY)!.id))
  while (app.pocket.getClients().length > 2) await sleep(5)
  t.strictSame(app.pocket.getClients().map(({ tenant }) => tenant), ['other', 'other'])
})

t.test('promise 6 (Private): a ticket opens a stream of the tenant that it was made for, and users who are called the same have tickets of their own', async t => {
  const ticketOf = async (headers: Readonly<Record<string, string>>): Promise<string> => (await post(`${app.url}/sync/stream/ticket`, {}, headers)).json.ticket
  const ticket = await ticketOf(acme.headers)
  for (let i = 0; i < 5; i++) await ticketOf(other.headers)
  const stream = await SseClient.connect(`${app.url}/sync/stream?since=0&ticket=${ticket}`)
  t.teardown(() => stream.close())
  t.match((await stream.next('message'))!.data, CANARY)
  t.match(app.pocket.getClients().filter(({ tenant }) => tenant === CANARY), [{ userId: 'ann' }])
})

t.test('promise 7 (Isolated): who spends their own budget spends nobody\'s in another tenant, whatever both are called', async t => {
  const { as } = await startTenants(t, { rateLimit: { requestsPerMinute: 5, changesPerMinute: 5 }, limits: { requestsPerUser: 1, waitMs: 60_000 } })
  const [a, b] = [as('a'), as('b')]
  const poll = a.pull({ waitMs: 50_000 })
  while ((await a.pull()).status !== 429) await sleep(5)
  t.equal((await b.pull()).status, 200)
  for (let i = 0; i < 6; i++) await a.push([{ documentId: `${i}` }])
  t.equal((await a.pull()).status, 429)
  t.equal((await b.push([{ documentId: 'x' }])).status, 200)
  await b.push([{ documentId: 'y' }])
  poll.catch(() => {})
})

t.test('promise 6 (Private): a token that names no tenant opens nothing, and says so before anything of the message is read', async t => {
  const names = [undefined, null, '', 'a\0b', 'a\nb', 'a'.repeat(129), 7.5, ['a'], { a: 1 }, true]
  for (const name of names) {
    const nobody = app.as(name)
    const answers = [
      await post(`${app.url}/sync/push`, 'no json at all', nobody.headers),
      await nobody.pull(),
      await post(`${app.url}/sync/stream/ticket`, {}, nobody.headers),
      ...await Promise.all(['/sync/changes', '/sync/snapshot', '/sync/history/todos/shared'].map(path => nobody.get(path)))
    ]
    await t.rejects(SseClient.connect(`${app.url}/sync/stream`, { headers: nobody.headers }), { message: /answered 403/ }, JSON.stringify(name))
    for (const { status, json } of answers) t.strictSame([status, json.code], [403, 'no_tenant'], JSON.stringify(name))
  }
})

t.test('promise 6 (Private): no name leaves its folder, meets another file or another tenant', async t => {
  const { as, files, store } = await startTenants(t)
  const names = [
    '..', '../../pocket', '/etc/passwd', 'a/b', 'a\\b', 'a', 'A', 'ä', 'Ä', 'a\u0308', '%61', '%', 'con', 'CON', 'nul', '.', '.db', ' ', 'a ', 'a.', '*', '?', ':memory:', '__proto__', 'constructor',
    'é'.repeat(128), `${'é'.repeat(127)}e`, '😀'.repeat(128), 'x'.repeat(128), `${'x'.repeat(127)}X`, '\u202egnp', 'pocket.db-wal', 'a.db', 'a.db-lock'
  ]
  for (const [nth, name] of names.entries()) t.equal((await as(name).push([{ documentId: `only-${nth}` }])).status, 200, name)
  for (const [nth, name] of names.entries()) t.strictSame(await as(name).ids(), [`only-${nth}`], name)
  const made = files().filter(name => name.endsWith('.db') && name !== 'pocket.db')
  t.equal(new Set(made.map(name => name.toLowerCase())).size, names.length, 'one file each, also where cases are not told apart')
  for (const file of made) t.match(file, /^pocket\.db\.tenants\/[a-z0-9%_~-]{1,124}\.db$/)
  t.equal(await store.getCurrentSequence(), 0, 'and nothing is in the log of no tenant')
})

t.test('promise 6 (Private): log lines of one tenant do not say anything of another', async t => {
  const lines = app.log.text.split('\n').filter(line => line.includes('"tenant":"other"') || line.includes('"tenant":"fresh"'))
  t.notMatch(lines.join('\n'), CANARY)
  const { text } = await request(`${app.url}/health`)
  t.notMatch(text, /acme|other|fresh/)
})
