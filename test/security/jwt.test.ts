/** Tokens that nobody signed for this server, sent to it over its sockets. Each is one of the ways in which `test/auth` has many. */
import t, { type Test } from 'tap'
import { MemoryChangeLog, PocketServer, type PocketServerOptions } from '../../src/index.ts'
import { post, pullOf } from '../support/app.ts'
import { claims, type Claims, hmacToken, inSeconds, keyToken, rsaPair, SECRET } from '../support/tokens.ts'

const rsa = rsaPair()
const issuer = 'https://id.example'
const audience = 'pocket'
const meant = (more: object = {}) => claims({ iss: issuer, aud: audience, ...more })

type Ask = (token: string) => Promise<unknown>

async function started (t: Test, jwt: PocketServerOptions['jwt']): Promise<Ask> {
  const pocket = new PocketServer({ changeLog: new MemoryChangeLog(), jwt: { issuer, audience, ...jwt } })
  t.teardown(() => pocket.close())
  const { url } = await pocket.listen(0)
  return async token => {
    const { status, json, headers } = await post(`${url}/sync/pull`, pullOf(), { authorization: `Bearer ${token}` })
    return status === 200 ? status : [status, json.code, headers.get('www-authenticate')]
  }
}

const refusal = [401, 'invalid_token', 'Bearer realm="sync", error="invalid_token"']

async function refuses (t: Test, ask: Ask, tokens: Record<string, string>): Promise<void> {
  for (const [name, token] of Object.entries(tokens)) t.strictSame(await ask(token), refusal, name)
}

t.test('threat: a token that says that it is not signed (alg none)', async t => {
  const ask = await started(t, { secret: SECRET })
  t.equal(await ask(hmacToken(meant())), 200, 'one that is signed is taken')
  const none = (alg: string): string => hmacToken(meant(), { header: { alg } })
  await refuses(t, ask, { none: none('none'), None: none('None'), 'without signature': none('none').replace(/[^.]*$/, ''), 'HS256 without signature': hmacToken(meant()).replace(/[^.]*$/, '') })
})

t.test('threat: a token that takes the public key for a secret (HS/RS confusion)', async t => {
  const ask = await started(t, { publicKey: rsa.pem })
  t.equal(await ask(keyToken(meant(), 'RS256', { key: rsa.privateKey })), 200)
  await refuses(t, ask, { pem: hmacToken(meant(), { secret: rsa.pem, header: { alg: 'HS256' } }), der: hmacToken(meant(), { secret: rsa.publicKey.export({ type: 'spki', format: 'der' }), header: { alg: 'HS256' } }) })
})

t.test('threat: a token that chooses or brings its own key (kid injection, jwk, jku, x5u)', async t => {
  const ask = await started(t, { secret: SECRET })
  const signed = (header: Claims): string => hmacToken(meant(), { secret: Buffer.alloc(0), header: { alg: 'HS256', ...header } })
  await refuses(t, ask, { path: signed({ kid: '/dev/null' }), query: signed({ kid: "x' UNION SELECT ''" }), url: signed({ kid: 'http://evil.example' }) })
  const own = rsaPair()
  const rs = await started(t, { publicKey: rsa.pem })
  const brings = (header: Claims): string => keyToken(meant(), 'RS256', { key: own.privateKey, header })
  await refuses(t, rs, { jwk: brings({ jwk: own.publicKey.export({ format: 'jwk' }) }), jku: brings({ jku: 'https://evil.example/jwks' }), x5u: brings({ x5u: 'https://evil.example/pem' }), crit: brings({ crit: ['exp'] }) })
})

t.test('threat: a token of yesterday, of tomorrow, or without end', async t => {
  const ask = await started(t, { secret: SECRET })
  const { exp: _, ...endless } = meant()
  await refuses(t, ask, { expired: hmacToken(meant({ exp: inSeconds(-30) })), 'not yet valid': hmacToken(meant({ nbf: inSeconds(60) })), 'without end': hmacToken(endless), 'at no time': hmacToken(meant({ exp: 'never' })) })
})

t.test('threat: a token that another server was meant to get', async t => {
  const ask = await started(t, { secret: SECRET })
  const { aud: _, ...forNobody } = meant()
  await refuses(t, ask, { audience: hmacToken(meant({ aud: 'other' })), 'no audience': hmacToken(forNobody), issuer: hmacToken(meant({ iss: 'https://evil.example' })), 'issuer with a slash more': hmacToken(meant({ iss: `${issuer}/` })) })
})

t.test('threat: a token that was good, with other claims, again and again', async t => {
  const ask = await started(t, { secret: SECRET })
  const good = hmacToken(meant())
  const [header, , signature] = good.split('.')
  const forged = `${header}.${Buffer.from(JSON.stringify(meant({ sub: 'root' }))).toString('base64url')}.${signature}`
  for (let i = 0; i < 3; i++) {
    t.equal(await ask(good), 200)
    await refuses(t, ask, { forged, longer: `${good}A`, 'of other case': good.replace(/.$/, last => last === 'A' ? 'B' : 'A') })
  }
})
