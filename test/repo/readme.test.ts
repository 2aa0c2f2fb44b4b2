import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { put, write } from '../../src/conformance/changelog/harness.ts'
import { freePort } from '../support/free-port.ts'
import { ownEnv } from '../support/own-env.ts'
import { startServer } from '../support/process.ts'
import { requireProgram } from '../support/programs.ts'
import { build } from './built.ts'
import { read, root } from './sources.ts'

const text = read('README.md')

/** The commands of all ```sh blocks between a heading and the next one of its rank. */
function commands (readme: string, heading: string): string[] {
  const rank = /^#+/.exec(heading)?.[0] ?? '#'
  const from = readme.indexOf(`\n${heading}\n`)
  const rest = from < 0 ? '' : readme.slice(from + heading.length + 1)
  const end = new RegExp(`\\n#{1,${rank.length}} `).exec(rest)?.index ?? rest.length
  return [...rest.slice(0, end).matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'))
}

/** Relative links, and paths in backticks that look like files of the repository, that lead nowhere. */
function deadPaths (readme: string): string[] {
  const links = [...readme.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map(([, path = '']) => path)
  const quoted = [...readme.matchAll(/`((?:src|test|schema|scripts|bench|\.ci)\/[\w./-]*)`/g)].map(([, path = '']) => path)
  return [...new Set([...links, ...quoted])].filter((path) => !existsSync(new URL(path, root)))
}

/** Links to headings that are not there. */
function deadAnchors (readme: string): string[] {
  const anchors = new Set([...readme.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title.toLowerCase().replace(/[^\w\s-]/g, '').replace(/\s/g, '-')))
  return [...readme.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor).filter((anchor) => !anchors.has(anchor))
}

/** Runs a command of the README against the server; one that follows a stream is stopped after its time. */
function shell (command: string, address: string, seconds = 30): string {
  const line = command.replaceAll('localhost:3000', address.replace('http://', ''))
  return spawnSync('timeout', [String(seconds), 'sh', '-c', line], { encoding: 'utf8' }).stdout
}

t.test('the README\'s quick start works as it stands, and again', async (t) => {
  if (!requireProgram(t, 'curl', 'apt-get install curl')) return
  build()
  const [install, run, push = '', pull = '', stream = '', ...more] = commands(text, '## Quick start')
  t.strictSame([install, run, more], ['npm ci', 'npm start', []])
  const folder = mkdtempSync(join(tmpdir(), 'pocket-readme-'))
  const { start } = (JSON.parse(read('package.json')) as { scripts: { start: string } }).scripts
  t.equal(start, 'node dist/src/cli.js serve', 'which is what startServer starts')
  const server = await startServer({ db: join(folder, 'pocket.db') })
  const address = server.url
  t.teardown(async () => {
    await server.stop()
    rmSync(folder, { recursive: true })
  })
  t.match(JSON.parse(shell(push, address)), { type: 'push-response', id: 'msg-1', success: true, checkpoint: { global: 1 } })
  const page = { type: 'pull-response', id: 'msg-2', changes: { todos: [{ operation: 'insert', documentId: 'todo-1', document: { _id: 'todo-1', title: 'Task' } }] }, hasMore: false }
  t.match(JSON.parse(shell(pull, address)), page)
  t.match(shell(stream, address, 2), /"type":"hello"[\s\S]*"documentId":"todo-1"/)
  t.match(JSON.parse(shell(push, address)), { success: true }, 'the same command again')
  const [snapshot = '', ...others] = commands(text, '## First sync by snapshot')
  t.match([shell(snapshot, address), others], [/"type":"snapshot"[\s\S]*"documentId":"todo-1"[\s\S]*"type":"snapshot-end"/, []])
})

t.test('the README\'s commands of authentication work as they stand, one after the other', async (t) => {
  if (!requireProgram(t, 'curl', 'apt-get install curl') || !requireProgram(t, 'openssl', 'apt-get install openssl')) return
  build()
  const lines = commands(text, '## Authentication')
  t.match(lines, [/^export POCKET_JWT_SECRET=/, 'npm start &', /^TOKEN=/, /^curl /])
  const folder = mkdtempSync(join(tmpdir(), 'pocket-readme-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const port = await freePort()
  const script = ['trap \'kill $SERVER; wait $SERVER\' EXIT', ...lines.map(line => line.replace('npm start &', 'node dist/src/cli.js serve >/dev/null 2>&1 & SERVER=$!').replace('localhost:3000', `127.0.0.1:${port}`)), 'echo', `curl -sX POST 127.0.0.1:${port}/sync/pull`]
  const { stdout } = spawnSync('timeout', ['60', 'sh', '-c', script.join('\n')], { encoding: 'utf8', cwd: root, env: ownEnv({ POCKET_PORT: String(port), POCKET_DB: join(folder, 'pocket.db') }) })
  const [page = '', refusal = ''] = stdout.split('\n')
  t.match(JSON.parse(page), { type: 'pull-response', id: 'msg-3', hasMore: false })
  t.match(JSON.parse(refusal), { status: 401, code: 'not_authenticated' })
})

t.test('the README\'s commands of the audit work as they stand', async (t) => {
  build()
  const folder = mkdtempSync(join(tmpdir(), 'pocket-readme-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const db = join(folder, 'pocket.db')
  const log = new SqliteChangeLog(db, { ballastBytes: 0 })
  await write(log, [put('todo-1', 'Task')], { userId: 'ann', clientId: 'phone', serverTimestamp: Date.parse('2026-02-01') })
  await log.seal()
  await log.close()
  const [list = '', verify = '', ...more] = commands(text, '## Audit')
  t.strictSame(more, [])
  const run = (command: string): string => spawnSync('sh', ['-c', command.replace('npx pocket-server', 'node dist/src/cli.js')], { encoding: 'utf8', cwd: root, env: ownEnv({ POCKET_DB: db }) }).stdout
  t.match(JSON.parse(run(list)), { sequence: 1, documentId: 'todo-1', userId: 'ann', clientId: 'phone' })
  t.match(run(verify), /1 entry is as it was sealed, in 1 block up to sequence 1, hash [0-9a-f]{64}/)
})

t.test('the README links to files and headings that are there', async (t) => {
  t.strictSame(deadPaths(text), [])
  t.strictSame(deadAnchors(text), [])
  t.strictSame(deadPaths('[a](nowhere.md) [b](README.md) [c](https://example.org) `src/nothing.ts` `src/`'), ['nowhere.md', 'src/nothing.ts'], 'and dead ones would be noticed')
  t.strictSame(deadAnchors('# Here it is\n[a](#here-it-is) [b](#gone)'), ['gone'])
})

t.test('commands are found under their own heading only', async (t) => {
  const sample = '\n## A\n```sh\none\ntwo\n```\n### B\n```sh\nthree\n```\n## C\n```sh\nfour\n```\n'
  t.strictSame(commands(sample, '## A'), ['one', 'two', 'three'])
})

t.test('the README names every option of the program, with its variable and default', async (t) => {
  build()
  const bin = fileURLToPath(new URL('dist/src/cli.js', root))
  const help = spawnSync(process.execPath, [bin, '--help'], { encoding: 'utf8' }).stdout
  const options = [...help.matchAll(/^ +(--[a-z-]+).* (POCKET_[A-Z_]+) .*?(?:\(([^()]+)\))?$/gm)]
  t.ok(options.length >= 3, 'the program lists its options')
  for (const [, option = '', variable = '', value = ''] of options) {
    const row = text.split('\n').find((line) => line.startsWith(`| \`${option}\` |`)) ?? ''
    t.ok(row.includes(`\`${variable}\``) && row.includes(value), `${option}, ${variable}, ${value}: ${row}`)
  }
})

t.test('the README names the test command that .ci/run runs', async (t) => {
  t.strictSame(commands(text, '## Development'), ['npm cit'])
  t.match(read('.ci/run'), /^tests .* npm cit$/m)
  for (const [, name = ''] of text.matchAll(/`npm run ([\w:]+)`/g)) t.ok(Object.hasOwn((JSON.parse(read('package.json')) as { scripts: object }).scripts, name), name)
})
