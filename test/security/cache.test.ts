/** What somebody tries who reads through caches that others read through too. */
import { join } from 'node:path'
import t from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { exchangeRaw, parseRaw, post, request } from '../support/app.ts'
import { ann, bob, cursorOf, numbered, startReads } from '../support/reads.ts'

const POSTS = '/sync/changes?collections=posts'
const TODOS = '/sync/changes?collections=todos'

t.test('threat: to be handed by a cache what was answered to somebody else', async t => {
  const { get, push, port } = await startReads(t)
  await push('posts', numbered(3, 'post'))
  await push('todos', numbered(3, 'todo', { owner: 'ann' }))
  for (const path of [TODOS, `${TODOS},posts`, '/sync/changes', `${POSTS}&x=1`, `${POSTS}&limit=1`]) {
    for (const headers of [ann, { ...ann, cookie: 'a=b' }]) {
      const { status, headers: told } = await get(path, headers)
      t.match([status, told.get('cache-control'), told.get('vary')], [200, 'private, no-cache', 'authorization, cookie, accept-encoding'], path)
    }
  }
  t.equal((await get(POSTS, { cookie: 'session=1' })).headers.get('cache-control'), 'private, no-cache', 'a cookie may say who asks')
  for (const named of ['Authorization: ', 'authorization: Basic eDp5', 'Proxy-Authorization: Basic eDp5', 'Cookie: ']) {
    const { headers } = parseRaw(await exchangeRaw(port, `GET ${POSTS} HTTP/1.1\r\nHost: localhost\r\n${named}\r\nConnection: close\r\n\r\n`))
    t.notMatch(headers.get('cache-control'), /public/, named)
  }
  t.notMatch((await get(`${POSTS}&ticket=x`)).headers.get('cache-control'), /public/)
  t.match((await get(POSTS)).headers.get('cache-control'), /^public/, 'and without any it is everybody\'s')
})

t.test('threat: to read without a token what is not public, alone or beside what is', async t => {
  const { get, push, url } = await startReads(t)
  await push('posts', numbered(2, 'post'))
  await push('todos', numbered(2, 'secret', { owner: 'ann' }))
  const attempts = ['', '?collections=', '?collections=,', '?collections=todos', '?collections=posts,todos', '?collections=todos,posts', '?collections=posts&collections=todos',
    '?collections=posts%2Ctodos', '?collections=posts&Collections=todos', '?COLLECTIONS=posts', '?collections=POSTS', '?collections=posts%00', '?collections=posts%20', '?collections=__proto__',
    '?collections=constructor', '?collections[]=posts', '?collections=*', '?collections=posts;collections=todos', '??collections=posts', '?collections=posts?', '?collections=posts&ticket=', `?collections=${'posts,'.repeat(101)}none`]
  for (const query of attempts) {
    const { status, text, headers } = await get(`/sync/changes${query}`)
    t.notMatch(text, /secret/, query)
    if (query !== '?collections=posts&Collections=todos') t.match([status, headers.get('cache-control')], [status === 400 ? 400 : 401, 'no-store'], query)
  }
  const others = await Promise.all([post(`${url}/sync/pull`, { type: 'pull', id: '1', timestamp: 1, collections: ['posts'] }), post(`${url}/sync/push`, {}), get('/sync/stream?collections=posts'), get('/sync/history/posts/post-0')])
  t.strictSame(others.map(({ status }) => status), [401, 401, 401, 401], 'and everything but reads by URL asks as ever')
  t.equal((await get(POSTS, { authorization: 'Bearer wrong' })).status, 401, 'a wrong token is told so, that its owner gets a new one')
})

t.test('threat: to have a 304 confirm what somebody else was sent', async t => {
  const { get, push } = await startReads(t)
  await push('todos', numbered(5, 'todo', { owner: 'ann' }))
  const mine = await get(TODOS, ann)
  const etag = mine.headers.get('etag')!
  t.match(etag, /^"[\w-]{27}"$/)
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, ` W/"a,b" ,W/${etag},"c"`, '*']) {
    const { status, text, headers } = await get(TODOS, { ...ann, 'if-none-match': known })
    t.strictSame([status, text, headers.get('etag'), headers.get('cache-control')], [304, '', etag, 'private, no-cache'], known)
  }
  for (const known of [etag, `W/${etag}`]) {
    t.equal((await get(TODOS, { ...bob, 'if-none-match': known })).status, 200, 'another reader is sent what is theirs')
    t.match(await get(TODOS, { 'if-none-match': known }), { status: 401 }, 'and nobody nothing')
    t.match(await get(TODOS, { authorization: 'Bearer x', 'if-none-match': known }), { status: 401 })
  }
  for (const unknown of ['', '"', 'x', etag.slice(1, -1), `"${etag.slice(1, -1)}-g"`, `${etag.slice(0, -2)}"`]) t.equal((await get(TODOS, { ...ann, 'if-none-match': unknown })).status, 200, unknown)
  await push('other', numbered(1, 'x'))
  t.equal((await get(TODOS, { ...ann, 'if-none-match': etag })).status, 200, 'nor what is no more')
})

t.test('threat: to be told by the same reader\'s answer under another coding that nothing changed', async t => {
  const { get, push } = await startReads(t)
  await push('posts', numbered(50, 'post'))
  const etags = await Promise.all(['identity', 'gzip', 'br'].map(async accept => (await get(POSTS, { 'accept-encoding': accept })).headers.get('etag')!))
  t.equal(new Set(etags).size, 3)
  t.equal(new Set(etags.map(etag => etag.slice(1, 28))).size, 1, 'of one text')
  t.equal((await get(POSTS, { 'accept-encoding': 'br', 'if-none-match': etags[1]! })).status, 200)
  t.equal((await get(POSTS, { 'accept-encoding': 'br', 'if-none-match': etags[2]! })).status, 304)
})

t.test('threat: to poison a public page by asking in another way for it', async t => {
  const { get, push, url } = await startReads(t, { cors: { origins: '*' } })
  await push('posts', numbered(5, 'post'))
  const plain = await get(POSTS)
  for (const headers of [{ origin: 'https://evil.example' }, { range: 'bytes=0-3' }, { 'x-forwarded-host': 'evil.example' }, { 'sync-client-id': 'x' }, { accept: 'text/html' }, { 'x-http-method-override': 'DELETE' }, { 'if-match': '"x"' }, { 'if-modified-since': new Date().toUTCString() }]) {
    const { status, text, headers: told } = await get(POSTS, headers)
    t.strictSame([status, text, told.get('access-control-allow-origin'), told.get('content-type')], [200, plain.text, '*', 'application/json'], JSON.stringify(headers))
  }
  t.equal(plain.headers.get('access-control-allow-origin'), '*', 'also where no page has asked: what a cache keeps is for pages')
  const head = await request(`${url}${POSTS}`, { method: 'HEAD' })
  const told = (name: string): Array<string | null> => [head.headers.get(name), plain.headers.get(name)]
  for (const name of ['etag', 'cache-control', 'vary']) t.equal(...told(name) as [string, string], name)
  t.strictSame([head.status, head.text], [200, ''])
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) t.match(await request(`${url}${POSTS}`, { method }), { status: method === 'POST' ? /405|415/ : 405 }, method)
})

t.test('threat: to have an error, a wait or a page of a server that ends kept for others', async t => {
  const { get, push } = await startReads(t, { limits: { aheadMs: 10 } })
  await push('posts', numbered(1, 'post'))
  const wrong = ['since=-1', 'since=', 'since=now', 'since=1.5', 'since=01', 'since=1e3', 'since=9007199254740992', 'since=1~e', 'since=1~eX', 'since=0&since=1', 'since=%00', 'since=１',
    'limit=0', 'limit=-1', 'limit=', 'limit=1.0', 'limit=x', 'limit=1&limit=2', 'wait=1e9', 'wait=-1', 'wait=1.5', 'wait=&x', 'wait=1&wait=0', 'epoch=A', 'epoch=a&epoch=b', `epoch=${'a'.repeat(33)}`]
  for (const query of wrong) {
    const { status, headers, json } = await get(`${POSTS}&${query}`)
    t.match([status, headers.get('cache-control'), json.retryable], [400, 'no-store', false], query)
  }
  for (const query of ['since=99~eforeign', 'since=5~s99', `since=0~s${Number.MAX_SAFE_INTEGER}`]) t.match(await get(`${POSTS}&${query}`), { status: 410, json: { code: 'resync_required' } }, query)
  t.equal((await get(`${POSTS}&wait=1`)).headers.get('cache-control'), 'no-store')
  t.match((await get(`${POSTS}&wait=0&limit=999999999`)).headers.get('cache-control'), /public/)
  t.equal((await get('/sync/changes?access_token=x')).status, 400)
  t.equal((await get(`${POSTS}&r=${'x'.repeat(9000)}`)).status, 414)
})

t.test('threat: to have half a snapshot kept for others', async t => {
  const { push, port } = await startReads(t)
  await push('posts', numbered(3, 'post'))
  const told = async (version: string): Promise<string> => await exchangeRaw(port, `GET /sync/snapshot?collections=posts HTTP/${version}\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  t.match(await told('1.1'), /cache-control: public, max-age=60[\s\S]*transfer-encoding: chunked[\s\S]*\r\n0\r\n\r\n$/i, 'whole by its last chunk')
  t.match(await told('1.0'), /cache-control: private, no-store/, 'there a cut cannot be told from an end')
})

t.test('threat: to have a page kept under a mark to come, so that others get deleted documents back', async t => {
  const { get, push } = await startReads(t)
  await push('posts', numbered(20, 'post'))
  const first = (await get(`${POSTS}&limit=5`)).json
  const lasting = await get(`${POSTS}&limit=5&since=${cursorOf(first)}`)
  t.equal(lasting.headers.get('cache-control'), 'public, max-age=3888000, immutable', 'half of 90 days')
  t.match(await get(`${POSTS}&limit=5&since=5~e${first.epoch}~s4096`), { status: 410, json: { reason: 'checkpoint-ahead' } })
  await push('todos', numbered(10, 'x'))
  const later = (await get(`${POSTS}&limit=5`)).json
  t.equal(cursorOf(later), cursorOf(first), 'and whoever begins later reads the same pages')
})

t.test('threat: to be shown kept pages of a log that a restored backup replaced', async t => {
  const path = join(t.testdir(), 'log.db')
  const changeLog = new SqliteChangeLog(path)
  const before = await startReads(t, { changeLog })
  await before.push('posts', numbered(20, 'post'))
  const cursor = cursorOf((await before.get(`${POSTS}&limit=5`)).json)
  const { epoch } = (await before.get(`${POSTS}&limit=5&since=${cursor}`)).json
  for (const since of ['5', '0', '5~s0']) t.notMatch((await before.get(`${POSTS}&limit=5&since=${since}`)).headers.get('cache-control'), /immutable/, 'without an epoch a page is of any log')
  await changeLog.close()
  const after = await startReads(t, { changeLog: new SqliteChangeLog(path) })
  const anew = (await after.get(`${POSTS}&limit=5`)).json
  t.not(anew.epoch, epoch, 'each start names its pages anew')
  const old = await after.get(`${POSTS}&limit=5&since=${cursor}`)
  t.match([old.status, old.headers.get('cache-control'), old.json.epoch], [200, /max-age=1,/, anew.epoch], 'who is under way goes on, to the new ones')
})

t.test('threat: to see by a public collection\'s answer who else there is', async t => {
  const asked: string[] = []
  const { get, push } = await startReads(t, {
    authorize: (user, collection, operation) => { asked.push(`${user.id} ${collection} ${operation}`); return operation === 'write' },
    accessVersion: user => { asked.push(`${user.id} version`); return user.id }
  })
  await push('posts', numbered(5, 'post'))
  asked.length = 0
  const pages = await Promise.all([undefined, ann, bob].map(async headers => (await get(POSTS, headers)).json))
  t.equal(new Set(pages.map(({ changes }) => JSON.stringify(changes))).size, 1)
  t.match(pages.map(({ checkpoint }) => typeof checkpoint.scope), ['undefined', 'string', 'string'], 'a user goes on with pulls from there')
  t.strictSame(asked.sort(), ['ann version', 'bob version'], 'what may be seen is no question')
})
