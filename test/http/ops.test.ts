import t from 'tap'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { catalogue } from '../../src/errors.ts'
import { post, pushOf, request, startApp } from '../support/app.ts'
import { CapturedLog } from '../support/captured-log.ts'

class BrokenLog extends MemoryChangeLog {
  override health () {
    return { writable: false, detail: 'the disk is full: make room' }
  }
}

t.test('/health says ok with figures, and degraded with 503 when writes cannot be made durable', async (t) => {
  const { url } = await startApp(t)
  t.strictSame((await request(`${url}/health`)).json, { status: 'ok', clients: 0, pendingChanges: 0, lastSync: null })
  await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }]))
  const { status, json, headers } = await request(`${url}/health`)
  t.equal(status, 200)
  t.ok(Math.abs(json.lastSync - Date.now()) < 60_000)
  t.equal(headers.get('cache-control'), 'no-store')
  const broken = await startApp(t, { changeLog: new BrokenLog() })
  t.match(await request(`${broken.url}/health`), { status: 503, json: { status: 'degraded', detail: 'the disk is full: make room' } })
})

t.test('/health says degraded with 200, and the log says at the start, what is to be mended while writes are taken', async (t) => {
  class CarelessLog extends MemoryChangeLog {
    override health () {
      return { writable: true, detail: 'set appendfsync always' }
    }
  }
  const log = new CapturedLog()
  const { url, pocket } = await startApp(t, { changeLog: new CarelessLog(), logger: log })
  t.match(await request(`${url}/health`), { status: 200, json: { status: 'degraded', detail: 'set appendfsync always' } })
  t.match(await pocket.healthCheck(), { healthy: false, detail: 'set appendfsync always' })
  t.ok(log.text.includes('set appendfsync always'))
})

t.test('/sync/info names protocol, features and the limits a client can keep to', async (t) => {
  const { url } = await startApp(t, { limits: { streamMs: Infinity } })
  const { json } = await request(`${url}/sync/info`)
  t.match(json, { name: '@pocket/server', version: /^\d+\.\d+\.\d+/, protocol: { min: 1, max: 1 }, limits: { bodyBytes: 16 << 20, changesPerPush: 10_000, waitMs: 25_000 } })
  t.ok(json.features.includes('stream'))
  t.notOk('streamMs' in json.limits, 'what has no limit is not named')
})

t.test('OPTIONS names the methods of a path, and HEAD answers like GET without a body', async (t) => {
  const { url } = await startApp(t)
  const paths = { '/sync/push': 'POST, OPTIONS', '/sync/pull': 'POST, OPTIONS', '/sync/info': 'GET, HEAD, OPTIONS', '/sync/stream': 'GET, HEAD, OPTIONS', '/health': 'GET, HEAD, OPTIONS', '/openapi.yaml': 'GET, HEAD, OPTIONS', '/docs': 'GET, HEAD, OPTIONS' }
  for (const [path, allow] of Object.entries(paths)) {
    const { status, headers, text } = await request(`${url}${path}?x=1`, { method: 'OPTIONS' })
    t.strictSame([status, headers.get('allow'), text], [204, allow, ''], path)
    if (!allow.includes('GET') || path === '/sync/stream') continue
    const [get, head] = [await request(`${url}${path}`), await request(`${url}${path}`, { method: 'HEAD' })]
    t.strictSame([head.status, head.text, head.headers.get('content-type')], [200, '', get.headers.get('content-type')], path)
  }
  t.equal((await request(`${url}/nothing`, { method: 'OPTIONS' })).status, 404)
})

t.test('the reference page names nothing outside, and its policy lets nothing else in', async (t) => {
  const { url } = await startApp(t)
  const page = await request(`${url}/docs`)
  t.match(page.headers.get('content-security-policy'), /default-src 'none'.*connect-src 'self'/)
  t.notMatch(page.text, /https?:\/\//)
  const [script = ''] = /docs\/[a-z.]+js/.exec(page.text) ?? []
  const { status, headers, text } = await request(`${url}/${script}`)
  t.match([status, headers.get('content-type')], [200, /javascript/])
  t.ok(text.length > 100_000)
})

t.test('promise 6 (Private): the log gets one line per request at debug, without query, documents or tokens', async (t) => {
  const lines: string[] = []
  const log = (level: string) => (fields: object, message: string): void => { lines.push(`${level} ${message} ${JSON.stringify(fields)}`) }
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  const { url } = await startApp(t, { logger })
  await post(`${url}/sync/push?q=SECRET1`, pushOf('SECRET2', [{ documentId: 'SECRET3' }]), { authorization: 'Bearer SECRET4', cookie: 'SECRET5' })
  await post(`${url}/sync/push`, '{"SECRET6"')
  await request(`${url}/SECRET7`)
  t.match(lines, [/^debug request .*"route":"\/sync\/push","status":200/, /^debug request .*"status":400/, /^debug request .*"status":404/])
  t.notMatch(lines.join('\n'), /SECRET/)
})

t.test('an error that nobody expected is answered without its message, and logged with it', async (t) => {
  const errors: object[] = []
  const logger = { debug () {}, info () {}, warn () {}, error: (fields: object) => { errors.push(fields) } }
  const log = new MemoryChangeLog()
  log.read = async () => { throw new Error('SECRET') }
  const { url } = await startApp(t, { changeLog: log, logger })
  const { status, json, text } = await post(`${url}/sync/pull`, { type: 'pull', id: 'p', timestamp: 1, collections: [] })
  t.match([status, json], [500, { code: 'internal_error', retryable: true, id: 'p', detail: `${catalogue.internal_error.message} ${catalogue.internal_error.next}` }])
  t.notMatch(text, /SECRET/)
  t.match(errors, [{ err: { message: 'SECRET' } }])
})
