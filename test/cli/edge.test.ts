import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { request } from '../support/app.ts'
import { runHere } from '../support/program.ts'
import { ask, connectTo, pemPath } from '../support/tls.ts'

const memory = ['serve', '--port', '0', '--db', ':memory:', '--log-level', 'silent']

/** The program while it serves, until the test ends. */
async function serving (t: { teardown (action: () => unknown): void }, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const ending = new AbortController()
  let told = (_text: string): void => {}
  const url = new Promise<string>(resolve => { told = text => { const found = /https?:\/\/\S+/.exec(text); if (found !== null) resolve(found[0]) } })
  const ended = runHere([...memory, ...args], { env, signal: ending.signal, onStdout: told })
  t.teardown(async () => { ending.abort('SIGTERM'); await ended })
  return await url
}

t.test('--tls-cert and --tls-key make it speak HTTPS, and a renewed certificate is taken without a restart', async (t) => {
  const folder = t.testdir()
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const put = (name: 'localhost' | 'renewed'): void => { copyFileSync(pemPath(name, 'cert'), cert); copyFileSync(pemPath(name, 'key'), key) }
  put('localhost')
  const url = await serving(t, ['--tls-cert', cert], { POCKET_TLS_KEY: key })
  t.match(url, /^https:/)
  t.match(await ask(connectTo(t, url), { ':path': '/health' }), { status: 200 })
  const subject = async (): Promise<string> => {
    const socket = connectTls({ port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return String(subject.CN)
  }
  t.equal(await subject(), 'localhost')
  put('renewed')
  while (await subject() !== 'renewed') await new Promise(resolve => setTimeout(resolve, 50))
  t.pass('renewed')
})

t.test('--cors-origin, --trust-proxy and --no-rate-limit are options of the server', async (t) => {
  const url = await serving(t, ['--cors-origin', 'https://a.example, https://b.example', '--no-rate-limit', '--trust-proxy', 'loopback,10.0.0.0/8'])
  t.equal((await request(`${url}/health`, { headers: { origin: 'https://b.example' } })).headers.get('access-control-allow-origin'), 'https://b.example')
  t.equal((await request(`${url}/health`, { headers: { origin: 'https://c.example' } })).headers.get('access-control-allow-origin'), null)
})

t.test('promise 9 (Clear): options that cannot be used are told in one line, before anything is opened', async (t) => {
  const cert = pemPath('localhost', 'cert')
  const broken = join(t.testdir(), 'broken.pem')
  writeFileSync(broken, 'no PEM')
  const cases: Array<[string[], number, RegExp]> = [
    [['--tls-cert', cert], 2, /--tls-cert and --tls-key need each other/],
    [['--tls-cert', cert, '--tls-key', '/nowhere/key.pem'], 74, /file of --tls-key: ENOENT/],
    [['--tls-cert', cert, '--tls-key', pemPath('renewed', 'key')], 74, /mismatch/],
    [['--tls-cert', cert, '--tls-key', broken], 74, /cannot use/],
    [['--cors-origin', 'https://app.example/'], 2, /no origin as browsers send it/],
    [['--trust-proxy', 'proxy.lan'], 2, /neither an address, a network/],
    [['--trust-proxy', '10.0.0.0/40'], 2, /neither an address, a network/]
  ]
  for (const [args, code, message] of cases) {
    const ended = await runHere([...memory, ...args])
    t.equal(ended.code, code, args.join(' '))
    t.match(ended.stderr, message)
    t.equal(ended.stderr.replace('\nTry pocket-server --help', '').trimEnd().split('\n').length, 1, 'one line')
  }
})
