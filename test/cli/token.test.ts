import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { jwtAuthenticate, resolveJwt } from '../../src/auth/jwt.ts'
import { post, pullOf, request } from '../support/app.ts'
import { runHere, type Ended } from '../support/program.ts'
import { ecPair, edPair, rsaPair, SECRET } from '../support/tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'pocket-token-'))
t.teardown(() => rmSync(folder, { recursive: true }))

async function userOf (token: string, options: Parameters<typeof resolveJwt>[0]): Promise<any> {
  return await jwtAuthenticate(resolveJwt(options), error => { throw error })(token, {} as never)
}

const mint = (words: string[], env: Record<string, string> = { POCKET_JWT_SECRET: SECRET }): Promise<Ended> => runHere(['token', ...words], { env })

t.test('token prints a token that the server takes, and nothing else', async t => {
  const { code, stdout, stderr } = await mint(['--user', 'alice', '--role', 'admin', '--expires', '15m', '--claim', 'teams=["a","b"]', '--claim', 'zip=01234', '--claim', 'note=a=b', '--jwt-audience', 'sync', '--jwt-issuer', 'me'])
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  const user = await userOf(stdout.trim(), { secret: SECRET, audience: 'sync', issuer: 'me' })
  t.match(user, { id: 'alice', role: 'admin', teams: ['a', 'b'], zip: '01234', note: 'a=b' })
  t.equal(user.exp - user.iat, 15 * 60)
})

t.test('token signs with a private key of any kind that the server knows, from a file or as it is', async t => {
  for (const { privateKey, pem } of [rsaPair(), ecPair('P-256'), ecPair('P-521'), edPair()]) {
    const text = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const path = join(folder, 'key.pem')
    writeFileSync(path, text)
    for (const key of [path, text]) {
      const { stdout, stderr } = await mint(['--user', 'alice', `--jwt-private-key=${key}`], {})
      t.match(await userOf(stdout.trim(), { publicKey: pem }), { id: 'alice' }, stderr)
    }
    t.ok(createPublicKey(createPrivateKey(text)))
  }
})

t.test('promise 9 (Clear): token says what it lacks, and shows no secret', async t => {
  const cases: Array<[string[], Record<string, string>, RegExp]> = [
    [['--user', 'alice'], {}, /either --jwt-secret or --jwt-private-key/],
    [['--user', 'alice'], { POCKET_JWT_SECRET: 'canary' }, /--jwt-secret has 6 bytes/],
    [['--user', 'alice'], { POCKET_JWT_SECRET_FILE: join(folder, 'none') }, /POCKET_JWT_SECRET_FILE: the file cannot be read \(ENOENT\)/],
    [['--user', 'alice'], { POCKET_JWT_SECRET: 'canary', POCKET_JWT_SECRET_FILE: 'x' }, /leave one out/],
    [[], { POCKET_JWT_SECRET: SECRET }, /--user is missing/],
    [['--user', 'a\nb'], { POCKET_JWT_SECRET: SECRET }, /control characters/],
    [['--user', 'alice', '--expires', 'soon'], { POCKET_JWT_SECRET: SECRET }, /--expires is a time/],
    [['--user', 'alice', '--claim', 'sub=bob'], { POCKET_JWT_SECRET: SECRET }, /--claim is/],
    [['--user', 'alice', '--claim', 'x'], { POCKET_JWT_SECRET: SECRET }, /--claim is/],
    [['--user', 'alice', '--jwt-private-key=-----BEGIN canary'], {}, /cannot be read as a PEM/]
  ]
  for (const [words, env, why] of cases) {
    const { code, stdout, stderr } = await mint(words, env)
    t.match({ code, stdout, stderr }, { code: 2, stdout: '', stderr: why })
    t.notMatch(stderr, /canary/)
  }
})

/** Serves until it has listened and `work` is done. */
async function serving (words: string[], env: Record<string, string>, work: (url: string) => Promise<void>): Promise<Ended> {
  const end = new AbortController()
  const stdout = { isTerminal: false, columns: 80, write: async () => {} }
  let text = ''
  let done: Promise<void> = Promise.resolve()
  const { runProgram } = await import('../../src/cli/program.ts')
  const write = async (line: string): Promise<void> => {
    text += line
    const url = /listens on (\S+)/.exec(line)?.[1]
    if (url !== undefined) done = work(url).finally(() => end.abort('SIGINT'))
  }
  const code = await runProgram(['serve', '--port', '0', '--db', ':memory:', '--log-level', 'silent', ...words], {
    stdin: async function * () {}, env, signal: end.signal, now: Date.now, onUnhandled () {}, stdout: { ...stdout, write }, stderr: { ...stdout, write: async line => { text += line } }
  })
  await done
  return { code, stdout: text, stderr: '' }
}

t.test('serve asks for tokens once a secret, a key or a provider is given, by argument, variable or file', async t => {
  const secretFile = join(folder, 'secret')
  writeFileSync(secretFile, `${SECRET}\n`)
  const ed = edPair()
  const keyFile = join(folder, 'public.pem')
  writeFileSync(keyFile, ed.pem)
  const hmac = (await mint(['--user', 'alice'])).stdout.trim()
  const signed = (await mint(['--user', 'alice', `--jwt-private-key=${ed.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()}`], {})).stdout.trim()
  const ways: Array<[string[], Record<string, string>, string]> = [
    [['--jwt-secret', SECRET], {}, hmac], [[], { POCKET_JWT_SECRET: SECRET }, hmac], [[], { POCKET_JWT_SECRET_FILE: secretFile }, hmac],
    [['--jwt-public-key', keyFile], {}, signed], [[], { POCKET_JWT_PUBLIC_KEY: ed.pem }, signed], [[], { POCKET_JWT_PUBLIC_KEY_FILE: keyFile }, signed]
  ]
  for (const [words, env, token] of ways) {
    const { code, stdout } = await serving(words, env, async url => {
      t.equal((await post(`${url}/sync/pull`, pullOf(), { authorization: `Bearer ${token}` })).status, 200)
      t.equal((await post(`${url}/sync/pull`, pullOf(), { authorization: `Bearer ${token === hmac ? signed : hmac}` })).status, 401)
      t.equal((await request(`${url}/sync/stream`)).status, 401)
    })
    t.equal(code, 0, stdout)
  }
})

t.test('promise 9 (Clear): serve refuses what is weak, twice or nowhere to be found, before it opens anything', async t => {
  const cases: Array<[string[], Record<string, string>, RegExp]> = [
    [['--jwt-secret', 'short'], {}, /--jwt-secret has 5 bytes/], [['--jwt-secret', SECRET, '--jwks-url', 'https://id.example'], {}, /exactly one of --jwt-secret, --jwt-public-key and --jwks-url/],
    [['--jwt-audience', 'sync'], {}, /exactly one of/], [['--jwks-url', 'http://id.example'], {}, /--jwks-url must be an https/], [['--jwt-public-key', join(folder, 'none')], {}, /cannot be read \(ENOENT\)/]
  ]
  for (const [words, env, why] of cases) {
    const { code, stdout } = await serving(words, env, async () => { t.fail('it listens') })
    t.equal(code, 2)
    t.match(stdout, why)
  }
})
