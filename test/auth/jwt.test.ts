import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { jwtAuthenticate, resolveJwt, type JwtOptions } from '../../src/auth/jwt.ts'
import { RefusedToken } from '../../src/auth/refused.ts'
import { PocketServer } from '../../src/server.ts'
import { post, pullOf, startApp } from '../support/app.ts'
import { CapturedLog } from '../support/captured-log.ts'
import { claims, ecPair, edPair, encode, hmacToken, inSeconds, keyToken, rsaPair, SECRET } from '../support/tokens.ts'

type Check = (token: string) => Promise<object | null | undefined>

function checker (options: JwtOptions = { secret: SECRET }): Check {
  const authenticate = jwtAuthenticate(resolveJwt(options), error => { throw error })
  return async token => await authenticate(token, {} as never)
}

async function refused (t: Test, check: Check, tokens: Iterable<string>, why: RegExp): Promise<void> {
  for (const token of tokens) await t.rejects(check(token), { constructor: RefusedToken, message: why }, token.slice(0, 60))
}

const rsa = rsaPair()

t.test('promise 6 (Private): a token with the right signature, time and subject is its subject', async (t) => {
  const user = await checker()(hmacToken(claims({ role: 'admin', id: 'bob', userId: 'bob' })))
  t.match(user, { id: 'alice', userId: 'alice', sub: 'alice', role: 'admin' }, 'whatever else it claims')
  t.equal(await checker()(''), null)
})

t.test('promise 6 (Private): alg none is refused in every spelling, signed or not', async (t) => {
  const tokens = ['none', 'None', 'NONE', 'nOnE', '', null, undefined, 0, ['HS256']].flatMap(alg => {
    const signed = hmacToken(claims(), { header: { alg, typ: 'JWT' } as never })
    return [signed, signed.slice(0, signed.lastIndexOf('.') + 1)]
  })
  await refused(t, checker(), tokens, /alg|signature/)
  const bare = hmacToken(claims()).split('.').slice(0, 2)
  await refused(t, checker(), [`${bare.join('.')}.`, bare.join('.'), `${bare[0]}..`, '..', '...', 'x', '.', `${bare.join('.')}.x.y.z`], /./)
})

t.test('promise 6 (Private): a public key is no secret, whatever the token says (RS/HS confusion)', async (t) => {
  const check = checker({ publicKey: rsa.pem })
  for (const secret of [rsa.pem, rsa.pem.trim(), rsa.publicKey.export({ type: 'spki', format: 'der' }), JSON.stringify(rsa.publicKey.export({ format: 'jwk' }))]) {
    for (const [alg, hash] of [['HS256', 'sha256'], ['HS512', 'sha512']] as const) await refused(t, check, [hmacToken(claims(), { secret, hash, header: { alg } })], /alg/)
  }
  await refused(t, checker(), [keyToken(claims(), 'RS256', { key: rsa.privateKey })], /alg/)
  for (const secret of [rsa.pem, ` ${rsa.pem}`, JSON.stringify(rsa.publicKey.export({ format: 'jwk' }))]) t.throws(() => resolveJwt({ secret }), { name: 'TypeError', message: /looks like a key/ })
})

t.test('promise 6 (Private): a kid cannot inject a key, a path or a query', async (t) => {
  for (const kid of ['../../../../dev/null', '/dev/null', "x' UNION SELECT 'key", 'http://evil.example/key', '', null, 7, { a: 1 }, '__proto__']) {
    t.match(await checker()(hmacToken(claims(), { header: { alg: 'HS256', kid } as never })), { id: 'alice' }, 'it does not choose among one')
    await refused(t, checker(), [hmacToken(claims(), { secret: Buffer.alloc(0), header: { alg: 'HS256', kid } as never }), hmacToken(claims(), { secret: Buffer.alloc(1), header: { alg: 'HS256', kid } as never })], /signature/)
  }
})

t.test('promise 6 (Private): a key that a token brings along is never looked at (jwk, jku, x5u, x5c)', async (t) => {
  const own = rsaPair()
  const jwk = own.publicKey.export({ format: 'jwk' })
  for (const header of [{ jwk }, { jku: 'https://evil.example/jwks.json' }, { x5u: 'https://evil.example/cert.pem' }, { x5c: ['MIIB'] }]) {
    await refused(t, checker({ publicKey: rsa.pem }), [keyToken(claims(), 'RS256', { key: own.privateKey, header })], /signature/)
  }
})

t.test('promise 6 (Private): a critical extension that is not known here is refused, and so is any list of them', async (t) => {
  for (const crit of [['b64'], ['exp'], ['x'], [], 'exp', null, {}, ['alg']]) await refused(t, checker(), [hmacToken(claims(), { header: { alg: 'HS256', crit, b64: true, x: 1, exp: 1 } as never })], /critical/)
  await refused(t, checker(), [hmacToken(claims(), { header: { alg: 'HS256', b64: false } })], /critical/)
})

t.test('promise 6 (Private): expired, without end, or ending at no time', async (t) => {
  await refused(t, checker(), [hmacToken(claims({ exp: inSeconds(-6) })), hmacToken(claims({ exp: 0 })), hmacToken(claims({ exp: -1 }))], /expired/)
  for (const exp of [undefined, null, '9999999999', true, [inSeconds(300)], {}]) await refused(t, checker(), [hmacToken(claims({ exp }))], /no exp/)
  t.match(await checker()(hmacToken(claims({ exp: inSeconds(-2) }))), { id: 'alice' }, 'clocks differ')
  await refused(t, checker({ secret: SECRET, clockTolerance: 0 }), [hmacToken(claims({ exp: inSeconds(-2) }))], /expired/)
  t.match(await checker({ secret: SECRET, clockTolerance: 60 })(hmacToken(claims({ exp: inSeconds(-50) }))), { id: 'alice' })
})

t.test('promise 6 (Private): not yet valid', async (t) => {
  await refused(t, checker(), [hmacToken(claims({ nbf: inSeconds(60) }))], /not valid yet/)
  for (const nbf of [null, '0', {}, [0]]) await refused(t, checker(), [hmacToken(claims({ nbf }))], /nbf/)
  t.match(await checker()(hmacToken(claims({ nbf: inSeconds(2) }))), { id: 'alice' })
})

t.test('promise 6 (Private): for another audience, from another issuer, of another type', async (t) => {
  const check = checker({ secret: SECRET, issuer: 'https://id.example', audience: ['sync', 'sync-eu'], type: 'at+jwt' })
  const good = { iss: 'https://id.example', aud: 'sync' }
  const header = { alg: 'HS256', typ: 'at+jwt' }
  for (const aud of ['sync', ['sync'], ['other', 'sync-eu']]) t.match(await check(hmacToken(claims({ ...good, aud }), { header })), { id: 'alice' })
  t.match(await check(hmacToken(claims(good), { header: { alg: 'HS256', typ: 'application/AT+JWT' } })), { id: 'alice' })
  for (const aud of [undefined, null, '', 'Sync', 'sync ', 'sync-us', [], ['other'], ['sync', 1], { 0: 'sync' }, 'sync,sync-eu', '.*']) await refused(t, check, [hmacToken(claims({ ...good, aud }), { header })], /aud/)
  for (const iss of [undefined, null, '', 'https://id.example/', 'http://id.example', ['https://id.example'], 'https://id.example.evil.example']) await refused(t, check, [hmacToken(claims({ ...good, iss }), { header })], /iss/)
  for (const typ of [undefined, 'JWT', '', 7, ['at+jwt']]) await refused(t, check, [hmacToken(claims(good), { header: { alg: 'HS256', typ } as never })], /typ/)
})

t.test('promise 6 (Private): a subject that is none', async (t) => {
  for (const sub of [undefined, null, '', 7, true, ['alice'], { a: 1 }, 'x'.repeat(256), 'a\u0000', 'a\nb', '\u007f']) await refused(t, checker(), [hmacToken(claims({ sub, id: 'alice', userId: 'alice' }))], /sub/)
})

t.test('promise 6 (Private): claims that two readers would read differently: duplicates, __proto__, no JSON, no UTF-8', async (t) => {
  const exp = inSeconds(300)
  const payloads = [
    `{"sub":"alice","sub":"bob","exp":${exp}}`, `{"sub":"alice","exp":${exp},"s\\u0075b":"bob"}`, `{"sub":"alice","exp":1,"exp":${exp}}`, `{"sub":"alice","exp":${exp},"a":{"x":1,"x":2}}`,
    `{"sub":"alice","exp":${exp},"__proto__":{"role":"admin"}}`, `{"sub":"alice","exp":${exp}`, `{"sub":"alice","exp":${exp}}x`, `\ufeff{"sub":"alice","exp":${exp}}`, '{\'sub\':\'alice\'}',
    `{"sub":"alice","exp":${exp},"n":1e999}`, `{"sub":"\\ud800","exp":${exp}}`, '[]', '"x"', 'null', '', '7', `{"sub":"alice","exp":${exp},"changes":[{"document":{"a":1,"a":2}}]}`, `{"sub":"alice","exp":${exp},"d":${'['.repeat(20)}${']'.repeat(20)}}`
  ]
  await refused(t, checker(), payloads.map(payload => hmacToken(payload)), /not a JSON object/)
  await refused(t, checker(), ['{"alg":"none","alg":"HS256"}', '{"alg":"HS256","alg":"HS256"}', '{"alg":"HS256"', '[]'].map(header => hmacToken(claims(), { header })), /not a JSON object/)
  const [head = ''] = hmacToken(claims()).split('.')
  await refused(t, checker(), [`${head}.${encode(Buffer.from([0x7b, 0xff, 0x7d]))}.${encode('x')}`], /not a JSON object/)
})

t.test('promise 6 (Private): base64url is strict: no padding, no other alphabet, no spaces, no spare bits', async (t) => {
  const token = hmacToken(claims())
  const [head = '', body = '', mac = ''] = token.split('.')
  await refused(t, checker(), [`${token}=`, ` ${token}`, `${token} `, `${token}\n`, `${head}=.${body}.${mac}`, `${head}.${body}.${mac.slice(0, -1)}+`], /base64url/)
  await refused(t, checker(), [`${head}.${body}.${mac}A`], /signature/)
  const spare = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  await refused(t, checker(), [...spare].filter(last => last !== mac.at(-1)).map(last => `${head}.${body}.${mac.slice(0, -1)}${last}`), /base64url|signature/)
})

t.test('promise 6 (Private): tampered claims, a shorter signature, another\'s signature', async (t) => {
  const [head = '', , mac = ''] = hmacToken(claims()).split('.')
  const other = encode(JSON.stringify(claims({ sub: 'admin' })))
  await refused(t, checker(), [`${head}.${other}.${mac}`, `${head}.${other}.${encode(Buffer.alloc(32))}`, `${head}.${other}.${encode(Buffer.from(mac, 'base64url').subarray(0, 16))}`, hmacToken(claims(), { secret: `${SECRET}x` })], /signature/)
})

t.test('promise 6 (Private): no token that differs in a byte from a valid one is taken', async (t) => {
  const tokens = [hmacToken(claims({ exp: inSeconds(3600) })), keyToken(claims({ exp: inSeconds(3600) }), 'RS256', { key: rsa.privateKey })]
  const checks = [checker(), checker({ publicKey: rsa.pem })]
  const edit = fc.oneof(fc.constant('replace'), fc.constant('insert'), fc.constant('remove'))
  await t.resolves(fc.assert(fc.asyncProperty(fc.nat(1), fc.nat(), edit, fc.integer({ min: 0, max: 255 }), async (which, place, how, byte) => {
    const token = tokens[which]!
    const at = place % token.length
    const mutant = token.slice(0, at) + (how === 'remove' ? '' : String.fromCharCode(byte)) + token.slice(how === 'insert' ? at : at + 1)
    if (mutant === token) return
    await checks[which]!(mutant).then(user => { throw new Error(`taken: ${mutant} as ${JSON.stringify(user)}`) }, error => { if (!(error instanceof RefusedToken)) throw error })
  }), { numRuns: 2000, examples: [[0, tokens[0]!.length - 1, 'replace', tokens[0]!.charCodeAt(tokens[0]!.length - 1) + 1]] }))
})

t.test('every algorithm that fits a key works, and no other', async (t) => {
  const es = new Map([['ES256', ecPair('P-256')], ['ES384', ecPair('P-384')], ['ES512', ecPair('P-521')]])
  const ed = edPair()
  for (const alg of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']) t.match(await checker({ publicKey: rsa.pem })(keyToken(claims(), alg, { key: rsa.privateKey })), { id: 'alice' }, alg)
  for (const [alg, { pem, privateKey }] of es) t.match(await checker({ publicKey: pem })(keyToken(claims(), alg, { key: privateKey })), { id: 'alice' }, alg)
  t.match(await checker({ publicKey: ed.pem })(keyToken(claims(), 'EdDSA', { key: ed.privateKey })), { id: 'alice' })
  await refused(t, checker({ publicKey: es.get('ES256')!.pem }), [keyToken(claims(), 'ES384', { key: es.get('ES384')!.privateKey })], /alg/)
  await refused(t, checker({ publicKey: rsa.pem, algorithms: ['RS256'] }), [keyToken(claims(), 'PS256', { key: rsa.privateKey })], /alg/)
  const long = SECRET + [...SECRET].reverse().join('')
  for (const [alg, hash] of [['HS256', 'sha256'], ['HS384', 'sha384'], ['HS512', 'sha512']] as const) t.match(await checker({ secret: long })(hmacToken(claims(), { secret: long, hash, header: { alg } })), { id: 'alice' }, alg)
  await refused(t, checker(), [hmacToken(claims(), { hash: 'sha512', header: { alg: 'HS512' } })], /alg/)
})

t.test('promise 9 (Clear): weak secrets and keys, and options that are wrong, are refused with what to do, never shown', async (t) => {
  const weak: Array<[string, RegExp]> = [
    ['canary', /6 bytes.*at least 32/], ['', /0 bytes/], ['a'.repeat(64), /guessed/], ['abcd'.repeat(16), /guessed/], ['canary-canary-canary-canary-canary-can', /guessed/], ['a-string-secret-at-least-256-bits-long', /guessed/],
    ['0123456789abcdefghijklmnopqrstuvwxyz', /guessed/], ['supersecretsupersecretpassword-changeme', /guessed/], ['A-String-Secret-At-Least-256-Bits-Long', /guessed/]
  ]
  for (const [secret, why] of weak) {
    t.throws(() => resolveJwt({ secret }), { name: 'TypeError', message: why }, secret)
    try { resolveJwt({ secret }) } catch (error) { t.notMatch((error as Error).message, /canary/) }
  }
  const pem = (type: 'rsa' | 'ed448'): string => generateKeyPairSync(type as 'rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' }).toString()
  for (const publicKey of [pem('rsa'), pem('ed448'), ecPair('secp256k1').pem]) t.throws(() => resolveJwt({ publicKey }), { name: 'TypeError', message: /2048 bits/ })
  t.throws(() => resolveJwt({ publicKey: rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }), { message: /is a private key/ })
  for (const publicKey of ['x', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----']) t.throws(() => resolveJwt({ publicKey }), { name: 'TypeError', message: /PEM/ })
  for (const options of [{}, { secret: SECRET, publicKey: rsa.pem }, { secret: SECRET, jwksUrl: 'https://id.example' }]) t.throws(() => resolveJwt(options), { message: /exactly one of/ })
  for (const jwksUrl of ['http://id.example/jwks', 'ftp://id.example', 'x', 'https://u:p@id.example', 'http://localhost.evil.example/']) t.throws(() => resolveJwt({ jwksUrl }), { message: /https/ }, jwksUrl)
  for (const algorithms of [['none'], ['RS256'], [], ['HS512']]) t.throws(() => resolveJwt({ secret: SECRET, algorithms }), { message: /algorithms/ })
  for (const clockTolerance of [61, -1, NaN]) t.throws(() => resolveJwt({ secret: SECRET, clockTolerance }), { message: /0 to 60/ })
  t.throws(() => resolveJwt({ secret: SECRET, audience: [] }), { message: /audience/ })
  t.throws(() => resolveJwt({ secret: SECRET, secrets: 'x' } as never), { message: /jwt.secrets is no option/ })
  t.throws(() => new PocketServer({ jwt: { secret: SECRET }, authenticate: () => null }), { message: /exclude each other/ })
})

t.test('promise 6 (Private): a token is never in a log line or an answer, taken or refused', async (t) => {
  const logger = new CapturedLog()
  const { url } = await startApp(t, { jwt: { secret: SECRET }, logger })
  const good = hmacToken(claims({ canary: 'canary' }))
  let answers = ''
  for (const token of [good, `${good}x`, hmacToken(claims({ exp: 1 })), hmacToken(claims(), { secret: 'x' })]) {
    const { status, text } = await post(`${url}/sync/pull`, pullOf(), { authorization: `Bearer ${token}` })
    t.equal(status, token === good ? 200 : 401)
    answers += text
  }
  for (const part of good.split('.')) t.notOk(logger.text.includes(part) || answers.includes(part))
  t.notOk(logger.text.includes(SECRET))
  t.match(logger.text, /a token was refused/)
  t.match(logger.text, /jwt without audience/)
  t.match(logger.text, /authentication without authorize/)
})
