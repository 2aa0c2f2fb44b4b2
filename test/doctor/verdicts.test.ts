import fc from 'fast-check'
import t from 'tap'
import type { Heard } from '../../src/doctor/ask.ts'
import { caching } from '../../src/doctor/cache.ts'
import { clock, offsetOf, tickOf } from '../../src/doctor/clock.ts'
import { cors } from '../../src/doctor/cors.ts'
import { idle, longPoll } from '../../src/doctor/idle.ts'
import { mendsOf, proxies } from '../../src/doctor/mends.ts'
import { onTheWay } from '../../src/doctor/on-the-way.ts'
import { paths, resume } from '../../src/doctor/pass.ts'
import { httpVersion, tls } from '../../src/doctor/reach.ts'
import { addressOf, shown } from '../../src/doctor/site.ts'
import { compression, cookies, headers, stream } from '../../src/doctor/stream.ts'
import type { Watched } from '../../src/doctor/watch.ts'

function heard (members: Partial<Omit<Heard, 'headers' | 'body'>> & { headers?: Record<string, string>, body?: unknown } = {}): Heard {
  const { headers = {}, body = '', ...rest } = members
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { status: 200, httpVersion: '1.1', headMs: 1, endMs: 2, end: 'ended', error: null, ...rest, headers: new Map(Object.entries(headers)), body: Buffer.from(text) }
}

const hello = { heartbeatMs: 15_000, checkpoint: { global: 1 }, epoch: 'e' }
const event = heard({ headers: { 'content-type': 'text/event-stream' } })

function watched (members: Partial<Watched> = {}): Watched {
  return { head: event, heard: null, hello, helloMs: 10, nudgeMs: 60, pings: [], bye: null, lastMs: 60, ...members }
}

t.test('stream: hello and what follows it are soon there, apart or together, or something holds them back', async t => {
  t.match(stream(watched()), { level: 'ok', text: 'hello after 10 ms, what follows it 50 ms later' })
  t.match(stream(watched({ helloMs: 60 })), { level: 'ok', text: 'hello with what follows it after 60 ms' }, 'Varnish holds what comes with the header')
  const silent = { hello: null, helloMs: null, nudgeMs: null, lastMs: null, heard: heard({ status: null, end: 'late', endMs: 5000 }) }
  t.match(stream(watched({ ...silent, head: null })), { level: 'problem', text: /^nothing arrived within 5.0 s/, remedy: 'buffering' })
  t.match(stream(watched(silent)), { level: 'problem', remedy: 'buffering' }, 'the header is no event')
  t.match(stream(watched({ nudgeMs: null })), { level: 'problem', text: /until the next/, remedy: 'buffering' })
  t.match(stream(watched({ nudgeMs: 1500 })), { level: 'problem', remedy: 'buffering' })
  t.match(stream(watched({ helloMs: 30_000, nudgeMs: 30_050 })), { level: 'problem', text: /took 30 s/ })
  t.match(stream(watched({ ...silent, head: heard({ headers: { 'content-type': 'text/html' } }) })), { level: 'problem', text: 'is text/html, not text/event-stream' })
  t.match(stream(watched({ bye: 'overloaded' })), { level: 'note', text: /overloaded/ })
  const impatient = heard({ status: 504, endMs: 2000 })
  t.match(stream(watched({ ...silent, head: impatient, heard: impatient })), { level: 'problem', text: /for 2.0 s, and then it was cut/, remedy: 'buffering' })
  const gone = heard({ status: 502 })
  t.match(stream(watched({ ...silent, head: gone, heard: gone })), { level: 'problem', text: /502/, advice: [/EventSource/] })
})

t.test('paths: what was not answered in time says nothing of who changes answers, beside what was', async t => {
  const gone = Array.from({ length: 7 }, () => heard({ status: 502, headers: { 'content-type': 'text/html' } }))
  const busy = paths(gone)
  t.match(busy, { level: 'problem', text: 'GET /sync/pocket-doctor answers 502 text/html', advice: [/how busy/, 'So does GET /sync/push: 502 text/html.'] })
  t.equal(busy.remedy, undefined)
  const changed = heard({ status: 404, headers: { 'content-type': 'text/html' } })
  t.match(paths([...gone.slice(0, 1), changed, ...gone.slice(2)]), { text: 'GET /sync/push answers 404 text/html', remedy: 'errors', advice: [/changes what the server says/, 'So does GET /sync/pocket-doctor: 502 text/html.'] })
  t.equal(resume(gone[0]!).remedy, undefined)
  t.equal(resume(changed).remedy, 'errors')
})

t.test('idle: a cut before the first heartbeat is one of silence, a later one is of the whole time', async t => {
  const over = (members: Partial<Watched>, end: Partial<Heard>): Watched => watched({ heard: { ...event, ...end }, ...members })
  t.match(idle(over({ pings: [15_060] }, { end: 'late', endMs: 18_000 })), { level: 'ok', text: 'a stream bore 15 s of silence and was alive after 18 s' })
  t.match(idle(over({}, { end: 'cut', endMs: 10_060 })), { level: 'problem', text: 'a stream was cut after 10 s of silence, before its heartbeat of 15 s', remedy: 'idle' })
  t.match(idle(over({ pings: [15_060], lastMs: 15_060 }, { end: 'ended', endMs: 30_000 })), { level: 'problem', text: 'a stream was cut after 30 s in spite of its heartbeats' })
  t.match(idle(over({}, { end: 'late', endMs: 18_000 })), { level: 'problem', text: /no heartbeat came/, remedy: 'buffering' })
  t.match(idle(over({}, { end: 'late', endMs: 5000 })), { level: 'note', text: /too short/ })
  t.match(idle(over({ bye: 'shutdown' }, { end: 'ended', endMs: 5000 })), { level: 'note', text: /shutdown/ })
  const answer = { type: 'pull-response' }
  t.match(longPoll(heard({ body: answer, endMs: 25_010 }), 25_000), { level: 'ok' })
  t.match(longPoll(heard({ body: answer, endMs: 10 }), 25_000), { level: 'note' })
  t.match(longPoll(heard({ status: 504, endMs: 20_000, headers: { 'content-type': 'text/html' } }), 25_000), { level: 'problem', text: 'was cut after 20 s of 25 s: 504 text/html', remedy: 'idle' })
  t.match(longPoll(heard({ status: null, end: 'failed', endMs: 20_000 }), 25_000), { level: 'problem', remedy: 'idle' })
})

t.test('clock: what is told of an offset is never more than it is, however long each way takes', async t => {
  fc.assert(fc.property(fc.integer({ min: -1e6, max: 1e6 }), fc.array(fc.tuple(fc.nat(5000), fc.nat(5000)), { minLength: 1, maxLength: 5 }), (offset, ways) => {
    const ticks = ways.map(([there, back]) => ({ asked: 1e9, told: 1e9 + there + offset, answered: 1e9 + there + back, grain: 0 }))
    const { ms, give } = offsetOf(ticks)!
    t.ok(Math.abs(ms - offset) <= give)
    t.equal(give, Math.min(...ways.map(([there, back]) => (there + back) / 2)))
  }))
  const at = (offset: number): ReturnType<typeof clock> => clock([{ asked: 1000, answered: 1020, told: 1010 + offset, grain: 0 }])
  t.match([at(0), at(900), at(3000), at(-8000), at(61_000)].map(({ level }) => level), ['ok', 'ok', 'note', 'problem', 'problem'])
  t.match(at(-8000), { text: 'the server\'s is 8.0 s behind this machine\'s', advice: [/Tokens/, /NTP/] })
  t.match(clock([]), { level: 'skipped' })
  t.strictSame(tickOf(heard({ headers: { date: 'Thu, 01 Jan 1970 00:00:05 GMT' } }), 1, 2), { asked: 1, answered: 2, told: 5500, grain: 500 })
  t.equal(tickOf(heard({ headers: { date: 'soon' } }), 1, 2), null)
})

t.test('caching: an answer that only another could have got is a leak, whoever hides the cache; a hit that says so is one too', async t => {
  const mine = heard({ body: { a: 1 } })
  const series = (...answers: Array<[Heard, boolean]>): Parameters<typeof caching>[0] => [{ danger: 'leak', answers: answers.map(([heard, isOwn]) => ({ heard, isOwn })) }]
  const refused = heard({ status: 401 })
  t.match(caching(series([mine, true], [refused, true])), { level: 'ok' })
  t.match(caching(series([mine, true], [mine, false])), { level: 'problem', text: 'leak', remedy: 'caching' })
  t.match(caching(series([mine, true], [refused, true], [mine, false])), { level: 'problem', text: 'leak' })
  for (const [name, value] of [['age', '3'], ['x-cache', 'HIT from edge'], ['x-varnish', '5 3'], ['cf-cache-status', 'HIT'], ['cache-status', 'edge; hit; ttl=3']] as const) {
    t.match(caching(series([heard({ headers: { [name]: value } }), true])), { level: 'problem', text: new RegExp(name) })
  }
  for (const [name, value] of [['age', '0'], ['x-cache', 'MISS'], ['x-varnish', '5'], ['cache-status', 'edge; fwd=miss']] as const) t.equal(caching(series([heard({ headers: { [name]: value } }), true])).level, 'ok')
  t.match(caching(series([mine, true], [heard({ status: 500 }), false])), { level: 'problem', text: /could not be tried/ })
})

t.test('CORS: the header that is missing is named, on the preflight, an answer and an error', async t => {
  const origin = 'https://app.example'
  const allow = { 'access-control-allow-origin': origin }
  const preflight = { ...allow, 'access-control-allow-headers': 'Authorization, Content-Type, Last-Event-ID', 'access-control-allow-methods': 'GET, POST' }
  const asked = (change: { preflight?: Record<string, string>, actual?: Record<string, string>, refusal?: Record<string, string>, status?: number } = {}): ReturnType<typeof cors> => cors({
    origin, preflight: heard({ status: change.status ?? 204, headers: change.preflight ?? preflight }), actual: heard({ headers: change.actual ?? allow }), refusal: heard({ status: 404, headers: change.refusal ?? allow })
  })
  t.match(asked(), { level: 'ok' })
  t.match(asked({ actual: { 'access-control-allow-origin': '*' } }), { level: 'ok' })
  t.match(asked({ actual: {} }), { level: 'problem', text: 'GET /sync/info: Access-Control-Allow-Origin is missing', advice: [/--cors-origin https:\/\/app\.example/] })
  t.match(asked({ refusal: {} }), { level: 'problem', text: /^an error: / })
  t.match(asked({ preflight: { ...preflight, 'access-control-allow-origin': `${origin}, *` } }), { level: 'problem', text: /twice/, remedy: 'cors' })
  t.match(asked({ preflight: { ...preflight, 'access-control-allow-headers': '*' } }), { level: 'problem', text: /lacks authorization$/ })
  t.match(asked({ preflight: { ...preflight, 'access-control-allow-methods': 'GET' } }), { level: 'problem', text: /lacks POST/ })
  t.match(asked({ status: 401 }), { level: 'problem', text: /the preflight answers 401/ })
  t.match(cors(null), { level: 'skipped', text: /--origin/ })
})

t.test('headers that were changed or added on the way are told', async t => {
  const sent = { 'cache-control': 'no-store, no-transform', 'x-content-type-options': 'nosniff' }
  t.match(headers(heard({ headers: sent }), heard({ headers: sent })), { level: 'ok' })
  t.match(headers(heard({ headers: { ...sent, 'cache-control': 'no-store' } }), heard({ headers: sent })), { level: 'problem', remedy: 'cache-control' })
  t.match(headers(heard({ headers: sent }), heard()), { level: 'problem', text: /\/sync\/info is gone/ })
  t.match(headers(heard({ headers: sent }), heard({ headers: { ...sent, 'cache-control': 'public, no-store' } })), { level: 'problem' })
  t.match(headers(heard({ headers: sent }), heard({ headers: { 'cache-control': 'no-store' } })), { level: 'note', text: /X-Content-Type-Options/ })
  t.match(compression(heard({ headers: { 'content-encoding': 'gzip' } })), { level: 'problem', text: /gzip/, remedy: 'compression' })
  t.match(cookies([heard(), heard({ headers: { 'set-cookie': 'node=a-secret; Path=/' } })]), { level: 'note', text: /\(node\)/ })
  t.notMatch(JSON.stringify(cookies([heard({ headers: { 'set-cookie': 'node=a-secret' } })])), 'a-secret')
})

t.test('TLS and HTTP/2: what ends soon or is missing is told, not within this machine', async t => {
  const [near, far] = [new URL('http://localhost:3000'), new URL('http://sync.example')]
  const secured = { error: null, distrust: null, validTo: 40 * 24 * 3600 * 1000, version: 'TLSv1.3', alpn: 'h2' }
  t.match([tls(near, null, 0), tls(far, null, 0), tls(far, secured, 0), tls(far, { ...secured, validTo: 1 }, 0), tls(far, { ...secured, distrust: 'CERT_HAS_EXPIRED' }, 0)].map(({ level }) => level), ['ok', 'note', 'ok', 'note', 'problem'])
  t.match(httpVersion(far, { ...secured, alpn: null }, false), { level: 'note', text: /six/, remedy: 'http2' })
  t.notOk(httpVersion(far, { ...secured, alpn: null }, true).remedy, 'Apache answers few requests of a connection at a time')
  t.match([httpVersion(near, null, false), httpVersion(far, null, false), httpVersion(far, secured, false)].map(({ level }) => level), ['ok', 'note', 'ok'])
})

t.test('what lies between is guessed from what it says, and its lines are printed; those of each where nothing says so', async t => {
  const way = (headers: Record<string, string>): readonly string[] => onTheWay([heard({ headers })]).names
  t.strictSame([way({ server: 'nginx/1.22.1' }), way({ via: '1.1 varnish', server: 'openresty' }), way({ server: 'cloudflare', 'cf-ray': 'x' }), way({ server: 'Jetty' }), way({})], [['nginx'], ['nginx', 'Varnish'], ['Cloudflare'], ['Jetty'], []])
  const facts = { base: '/api', idleSeconds: 60, bodyBytes: 16 * 2 ** 20 }
  t.strictSame(mendsOf('buffering', ['nginx'], facts), [{ proxy: 'nginx', where: 'location /api/sync/', lines: ['proxy_buffering off;'] }])
  t.strictSame(mendsOf('idle', [], facts).map(({ proxy }) => proxy).filter((proxy, i, all) => all.indexOf(proxy) === i), proxies)
})

t.test('addresses are taken as people have them, and what is none is told without what it may hold', async t => {
  for (const text of ['https://a.example', 'https://a.example/', 'https://a.example/sync/info', 'https://a.example/health']) t.equal(shown(addressOf(text)), 'https://a.example')
  t.equal(shown(addressOf('http://a.example:8080/api/')), 'http://a.example:8080/api')
  t.throws(() => addressOf('a.example'), /https:\/\/a\.example/)
  t.throws(() => addressOf('https://me:hunter2@a.example'), { message: /^(?!.*hunter2).*--token/ })
  t.throws(() => addressOf('https://a.example/?token=hunter2'), { message: /^(?!.*hunter2)/ })
  for (const text of ['ftp://a.example', 'https://', 'file:///etc/passwd', '']) t.throws(() => addressOf(text), { name: 'TypeError' })
})
