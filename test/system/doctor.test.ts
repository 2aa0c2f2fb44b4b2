import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startApp } from '../support/app.ts'
import { startGateway } from '../support/gateway.ts'
import { runHere } from '../support/program.ts'
import { read } from '../repo/sources.ts'

const TOKEN = 'token-of-alice'
const authenticate = (token: string): { id: string } | null => token === TOKEN ? { id: 'alice' } : null

/** Figures and addresses differ from run to run. */
function shape (text: string): string[] {
  return text.trim().split('\n').map(line => line.replace(/https?:\/\/\S+/g, 'URL').replace(/\b[\d.]+ (ms|s)\b/g, 'TIME').replace(/\b\d+(\.\d+){2,3}\b/g, 'N').trimEnd())
}

/** The output of a command in the README's section. */
function sample (command: string): string {
  const section = read('README.md').split('\n### Is it deployed well?\n')[1]?.split('\n## ')[0] ?? ''
  const block = section.split('```').find(text => text.includes(`$ ${command}\n`)) ?? ''
  return block.slice(block.indexOf(command) + command.length)
}

t.test('doctor: what the README shows of a healthy server and of one whose streams are held back is what is printed', async t => {
  const { url } = await startApp(t, { authenticate, heartbeatInterval: 5000, limits: { waitMs: 5000 } })
  const healthy = await runHere(['doctor', url], { env: { POCKET_TOKEN: TOKEN } })
  t.match(healthy, { code: 0, stderr: '' })
  t.strictSame(shape(healthy.stdout), shape(sample('pocket-server doctor http://127.0.0.1:3000')))
  const gateway = await startGateway(t, url)
  gateway.buffers = true
  const held = await runHere(['doctor', gateway.url, '--timeout', '1', '--idle', '1'], { env: { POCKET_TOKEN: TOKEN } })
  t.equal(held.code, 1)
  t.ok(held.stdout.includes('nginx, in location /sync/:         proxy_buffering off;'))
  t.ok(held.stdout.endsWith('\n1 problem\n'))
})

t.test('doctor: exit codes say whether it is healthy, has a problem or cannot be reached', async t => {
  const { url } = await startApp(t, { authenticate })
  const ends = async (...words: string[]): Promise<number> => (await runHere(['doctor', ...words, '--idle', '0'])).code
  t.equal(await ends(url, '--token', TOKEN), 0)
  t.equal(await ends(url, '--token', 'another'), 1)
  t.equal(await ends(url), 1, 'nobody was let in, so nobody knows')
  t.equal(await ends('http://127.0.0.1:1'), 69)
  for (const words of [['127.0.0.1:3000'], [url, '--timeout', '0'], [url, '--origin', 'app.example'], [url, '--token', 'a b'], [url, '--token', TOKEN, '--token-file', '/dev/null'], []]) t.equal(await ends(...words), 2, words.join(' '))
  t.equal(await ends(url, '--token-file', '/nowhere'), 74)
  t.equal(await ends(url, '--ca', '/nowhere'), 74)
})

t.test('promise 6 (Private): doctor takes the token from a file or the environment, and prints it nowhere', async t => {
  const { url } = await startApp(t, { authenticate })
  const file = join(t.testdir(), 'token')
  writeFileSync(file, `${TOKEN}\n`)
  for (const [words, env] of [[['--token-file', file], {}], [[], { POCKET_TOKEN: TOKEN }], [['--token-file', file], { POCKET_TOKEN: 'another' }]] as const) {
    const { code, stdout, stderr } = await runHere(['doctor', url, '--idle', '0', ...words], { env })
    t.equal(code, 0)
    t.notMatch(stdout + stderr, TOKEN)
  }
  const { stderr } = await runHere(['doctor', url, '--token', `${TOKEN} and more`])
  t.notMatch(stderr, TOKEN)
})

t.test('doctor: --json is an object per finding and one of the whole', async t => {
  const { url } = await startApp(t)
  const { stdout, code } = await runHere(['doctor', url, '--idle', '0', '--json'])
  const lines = stdout.trim().split('\n').map(line => JSON.parse(line) as Record<string, unknown>)
  t.match(lines[0], { check: 'reachable', level: 'ok', text: /127\.0\.0\.1/, mends: [] })
  t.strictSame(lines.at(-1), { healthy: true, reached: true, problems: 0, notes: 0, way: [] })
  t.equal(code, 0)
})

t.test('doctor: colours show on terminals only, and not against NO_COLOR; what is waited for goes again', async t => {
  const { url } = await startApp(t)
  const on = async (env: Record<string, string>, columns: number | undefined, idle: string): Promise<string> => (await runHere(['doctor', url, '--idle', idle], { env, ...columns !== undefined && { columns } })).stdout
  t.match(await on({}, 100, '0'), '\u001b[32m✓\u001b[0m reachable')
  t.notMatch(await on({ NO_COLOR: '1' }, 100, '0'), '\u001b')
  t.notMatch(await on({}, undefined, '0'), '\u001b')
  const waited = await on({ NO_COLOR: '1' }, 100, '2')
  t.match(waited.replaceAll('\r\u001b[K', '(gone)'), /… bearing silence for 2 s .*\(gone\) {2}[✓!] idle/)
})

t.test('promise 9 (Clear): doctor shows nothing of what a server says that could play tricks with a terminal, and fits it', async t => {
  const gateway = await startGateway(t, 'http://127.0.0.1:1')
  gateway.answers.push(...Array.from({ length: 9 }, () => ({ status: 302, headers: { location: '/\u009b2J\u0085', server: '\u009b31m', 'content-type': 'a/\u009b2J' } })))
  const { stdout } = await runHere(['doctor', gateway.url], { env: { NO_COLOR: '1' }, columns: 100 })
  t.match(stdout, '\\u009b2J')
  t.notMatch(stdout.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u)
  t.ok((await runHere(['doctor', '--help'])).stdout.split('\n').every(line => line.length <= 120))
})

t.test('doctor: interrupted it says that the rest is not known', async t => {
  const { url } = await startApp(t)
  const { code, stdout, stderr } = await runHere(['doctor', url], { until: 'reachable' })
  t.match({ code, stderr }, { code: 1, stderr: /says nothing about the rest/ })
  t.notMatch(stdout, 'Healthy')
})
