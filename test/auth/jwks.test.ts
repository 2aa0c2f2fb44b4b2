import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { post, pullOf, startApp, type Answered } from '../support/app.ts'
import { CapturedLog } from '../support/captured-log.ts'
import { claims, ecPair, hmacToken, inSeconds, keyToken, rsaPair, type Claims, type Pair } from '../support/tokens.ts'

/** An identity provider: what it answers may change. */
class Provider {
  keys: object[] = []
  status = 200
  asked = 0
  url = ''

  async open (t: Test): Promise<this> {
    const server = createServer((_request, response) => {
      this.asked++
      response.writeHead(this.status, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: this.keys }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => { server.closeAllConnections(); server.close() })
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
    return this
  }
}

function jwk ({ publicKey }: Pair, kid: string | undefined, members: object = {}): object {
  return { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', ...members }
}

/** Issued before the provider was asked. */
const earlier = (members: Claims = {}): Claims => claims({ iat: inSeconds(-60), ...members })

const [one, two, ec] = [rsaPair(), rsaPair(), ecPair('P-256')]

/** Makes the clock of the look-ups pass: tests wait for no time. */
function passTime (t: Test): (ms: number) => void {
  const now = performance.now.bind(performance)
  let passed = 0
  performance.now = () => now() + passed
  t.teardown(() => { performance.now = now })
  return ms => { passed += ms }
}

async function start (t: Test, provider: Provider): Promise<{ ask: (token: string) => Promise<Answered>, log: CapturedLog }> {
  const log = new CapturedLog()
  const { url } = await startApp(t, { jwt: { jwksUrl: provider.url }, logger: log })
  return { log, ask: token => post(`${url}/sync/pull`, pullOf(), { authorization: `Bearer ${token}` }) }
}

t.test('JWKS: a key that the provider names by its id is taken, also a second one and another kind', async t => {
  const provider = await new Provider().open(t)
  provider.keys = [jwk(one, 'one'), jwk(two, 'two'), jwk(ec, 'ec'), { kty: 'oct', k: 'AAAA', kid: 'oct' }]
  const { ask } = await start(t, provider)
  for (const [pair, alg, kid] of [[one, 'RS256', 'one'], [two, 'PS512', 'two'], [ec, 'ES256', 'ec']] as const) t.equal((await ask(keyToken(claims(), alg, { key: pair.privateKey, header: { kid } }))).status, 200, kid)
  t.equal(provider.asked, 1, 'asked once')
})

t.test('promise 6 (Private): the id of a key chooses among the provider\'s, for what they are for, and nothing else does', async t => {
  const provider = await new Provider().open(t)
  provider.keys = [jwk(one, 'one'), jwk(two, 'enc', { use: 'enc' }), jwk(ec, 'ec')]
  const { ask, log } = await start(t, provider)
  const own = rsaPair()
  const header = { kid: 'one' }
  const tokens = [
    keyToken(earlier(), 'RS256', { key: two.privateKey, header }), keyToken(earlier(), 'RS256', { key: two.privateKey, header: { kid: 'enc' } }),
    keyToken(earlier(), 'RS256', { key: own.privateKey, header: { ...header, jwk: own.publicKey.export({ format: 'jwk' }), jku: provider.url } }),
    hmacToken(earlier(), { secret: one.pem, header: { alg: 'HS256', kid: 'one' } }), hmacToken(earlier(), { secret: '', header: { alg: 'HS256', kid: 'oct' } }),
    keyToken(earlier(), 'ES256', { key: ec.privateKey, header }), keyToken(earlier({ exp: 1 }), 'RS256', { key: one.privateKey, header }), keyToken(earlier({ sub: '' }), 'RS256', { key: one.privateKey, header })
  ]
  for (const token of tokens) t.match(await ask(token), { status: 401, json: { code: 'invalid_token' } })
  t.equal((await ask(keyToken(earlier(), 'RS256', { key: one.privateKey }))).status, 200, 'without an id: the only one that fits')
  provider.keys.push(jwk(two, 'two'))
  t.equal(log.text.split('a token was refused').length - 1, tokens.length)
})

t.test('JWKS: a rotated key works without a restart, and one that was withdrawn ends', async t => {
  const pass = passTime(t)
  const provider = await new Provider().open(t)
  provider.keys = [jwk(one, 'one')]
  const { ask } = await start(t, provider)
  const [old, fresh] = [keyToken(earlier(), 'RS256', { key: one.privateKey, header: { kid: 'one' } }), keyToken(claims({ iat: inSeconds(1) }), 'RS256', { key: two.privateKey, header: { kid: 'two' } })]
  t.equal((await ask(old)).status, 200)
  provider.keys = [jwk(two, 'two')]
  t.match(await ask(fresh), { status: 503, json: { code: 'authentication_unavailable' } }, 'right after a look-up: to be asked again, not thrown away')
  pass(10_001)
  t.equal((await ask(fresh)).status, 200)
  t.equal((await ask(old)).status, 401)
  t.equal((await ask(fresh)).status, 200)
})

t.test('promise 7 (Isolated): made-up key ids cost the provider no request each', async t => {
  const pass = passTime(t)
  const provider = await new Provider().open(t)
  provider.keys = [jwk(one, 'one')]
  const { ask } = await start(t, provider)
  const made = (n: number): string => keyToken(claims({ iat: inSeconds(-60) }), 'RS256', { key: two.privateKey, header: { kid: `made-up-${n}` } })
  const answers = await Promise.all(Array.from({ length: 50 }, async (_, n) => (await ask(made(n))).status))
  t.strictSame([...new Set(answers)], [401], 'a token from before the last look-up is known to be wrong')
  t.equal(provider.asked, 1)
  pass(10_001)
  await Promise.all(Array.from({ length: 50 }, async (_, n) => await ask(made(n))))
  t.equal(provider.asked, 2)
})

t.test('JWKS: while the provider fails, known keys go on, unknown ones are 503 and not 401, and it is not asked without end', async t => {
  const pass = passTime(t)
  const provider = await new Provider().open(t)
  provider.keys = [jwk(one, 'one')]
  provider.status = 500
  const { ask, log } = await start(t, provider)
  const [known, unknown] = [keyToken(claims(), 'RS256', { key: one.privateKey, header: { kid: 'one' } }), keyToken(claims(), 'RS256', { key: two.privateKey, header: { kid: 'two' } })]
  for (let n = 0; n < 5; n++) t.match(await ask(known), { status: 503, json: { code: 'authentication_unavailable', retryable: true } })
  t.equal(provider.asked, 1)
  t.match(log.text, /cannot be fetched/)
  provider.status = 200
  pass(2_001)
  t.equal((await ask(known)).status, 200, 'it is back')
  provider.status = 500
  pass(600_001)
  t.equal((await ask(known)).status, 200, 'it is away, its keys are known')
  t.equal((await ask(unknown)).status, 503)
  pass(86_400_000)
  t.equal((await ask(known)).status, 503, 'for a day')
})
