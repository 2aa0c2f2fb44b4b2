import t from 'tap'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from '../repo/built.ts'
import { post, pullOf, pushOf, request } from '../support/app.ts'
import { ownEnv } from '../support/own-env.ts'

const cli = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

interface Program {
  readonly child: ChildProcess
  stdout: string
  stderr: string
  readonly ended: Promise<number | null>
}

interface Test { teardown (action: () => unknown): void }

function run (t: Test, args: string[], { env = {}, nodeArgs = [] as string[], cwd = '.' } = {}): Program {
  const clean = Object.fromEntries(Object.entries(ownEnv()).filter(([name]) => !name.startsWith('POCKET_')))
  const child = spawn(process.execPath, [...nodeArgs, cli, ...args], { cwd, env: { ...clean, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const program: Program = { child, stdout: '', stderr: '', ended: once(child, 'close').then(([code]) => code as number | null) }
  child.stdout.on('data', (chunk: Buffer) => { program.stdout += chunk.toString() })
  child.stderr.on('data', (chunk: Buffer) => { program.stderr += chunk.toString() })
  return program
}

async function listening (program: Program): Promise<string> {
  for (;;) {
    const url = /http:\/\/\S+/.exec(program.stdout)?.[0]
    if (url !== undefined && program.stdout.endsWith('\n')) return url
    await Promise.race([once(program.child.stdout!, 'data'), program.ended.then((code) => { throw new Error(`ended with ${code}: ${program.stderr}`) })])
  }
}

t.before(build)

t.test('--help and --version answer and end', async (t) => {
  const help = run(t, ['--help'])
  t.equal(await help.ended, 0)
  for (const name of ['--port', 'POCKET_PORT', '--host', '--db', 'POCKET_DB', '--open', '--log-level', 'Exit codes']) t.ok(help.stdout.includes(name), name)
  const version = run(t, ['--version'])
  t.equal(await version.ended, 0)
  t.equal(version.stdout, `${JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version}\n`)
})

t.test('wrong arguments end with 2 and say which', async (t) => {
  const wrong: Array<[string[], Record<string, string>, RegExp]> = [
    [['--port', '70000'], {}, /the port .* not "70000"/],
    [['--prot', '1'], {}, /--prot/],
    [['start'], {}, /no command "start"/],
    [['--log-level', 'loud'], {}, /log level .* not "loud"/],
    [['--conflict-strategy', 'newest'], {}, /conflict strategy .*server-wins.* not "newest"/],
    [[], { POCKET_PORT: 'x' }, /not "x"/],
    [[], { POCKET_OPEN: 'maybe' }, /POCKET_OPEN/],
    [['--db', 'mysql://localhost/x'], {}, /no change log "mysql:"/]
  ]
  await Promise.all(wrong.map(async ([args, env, says]) => {
    const program = run(t, args, { env })
    t.equal(await program.ended, 2, args.join(' '))
    t.match(program.stderr, says)
    t.notMatch(program.stderr, /\n {4}at /, 'no stack')
    t.equal(program.stdout, '')
  }))
})

t.test('serve says where it listens in one line, ends in order at SIGTERM, and goes on where it was', async (t) => {
  const db = join(t.testdir(), 'data.db')
  const one = run(t, ['serve', '--port', '0', '--db', db, '--log-level', 'debug'])
  const url = await listening(one)
  t.match(one.stdout, /^pocket-server \S+ listens on http:\/\/127\.0\.0\.1:\d+ .*\n$/)
  t.match(await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a' }])), { status: 200, json: { success: true } })
  one.child.kill('SIGTERM')
  t.equal(await one.ended, 0)
  for (const line of one.stderr.trim().split('\n')) t.match(JSON.parse(line), { level: Number, msg: String })

  const two = run(t, [], { env: { POCKET_PORT: '0', POCKET_DB: db, POCKET_HOST: '::1', POCKET_LOG_LEVEL: 'silent' } })
  const again = await listening(two)
  t.match(again, /^http:\/\/\[::1\]:/)
  t.match((await post(`${again}/sync/pull`, pullOf())).json.changes, { c: [{ documentId: 'a' }] })
  two.child.kill('SIGINT')
  t.equal(await two.ended, 0)
  t.equal(two.stderr, '')
})

t.test('conflicts are settled by the strategy that is named', async (t) => {
  for (const [args, env, status] of [[['--conflict-strategy', 'client-wins'], {}, 'applied'], [[], { POCKET_CONFLICT_STRATEGY: 'server-wins' }, 'conflict']] as const) {
    const url = await listening(run(t, ['serve', '--port', '0', '--db', ':memory:', '--log-level', 'silent', ...args], { env }))
    const edit = async (title: string, timestamp: number): Promise<unknown> =>
      (await post(`${url}/sync/push`, pushOf('c', [{ documentId: 'a', document: { title }, base: 0, timestamp }]))).json.results[0].status
    t.equal(await edit('first', 2), 'applied')
    t.equal(await edit('second', status === 'applied' ? 1 : 3), status)
  }
})

t.test('an address in use ends with 69, a log that cannot be opened with 74, each in one line', async (t) => {
  const folder = t.testdir({ 'text.db': 'this is no database, but long enough to be looked at as one' })
  const blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  t.teardown(() => blocker.close())
  const db = join(folder, 'held.db')
  const holder = run(t, ['--port', '0', '--db', db])
  await listening(holder)
  const cases: Array<[string[], number, RegExp]> = [
    [['--port', String((blocker.address() as AddressInfo).port), '--db', ':memory:'], 69, /in use; choose another one with --port/],
    [['--host', '192.0.2.1', '--open', '--port', '0', '--db', ':memory:'], 69, /does not have that address/],
    [['--port', '0', '--db', join(folder, 'text.db', 'x.db')], 74, /text\.db/],
    [['--port', '0', '--db', join(folder, 'text.db')], 74, /text\.db/],
    [['--port', '0', '--db', folder], 74, /./],
    [['--port', '0', '--db', db], 74, /held\.db/]
  ]
  await Promise.all(cases.map(async ([args, code, says]) => {
    const program = run(t, args)
    t.equal(await program.ended, code, args.join(' '))
    t.match(program.stderr, says)
    t.equal(program.stderr.trim().split('\n').filter(line => line.startsWith('pocket-server: ')).length, 1)
    t.notMatch(program.stderr, /\n {4}at /, 'no stack')
    t.equal(program.stdout, '')
  }))
  holder.child.kill('SIGTERM')
  t.equal(await holder.ended, 0)
})

t.test('a second signal ends it at once', async (t) => {
  const program = run(t, ['--port', '0', '--db', ':memory:'])
  const { port } = new URL(await listening(program))
  // A push of which a part never comes: the first signal waits for it.
  const socket = connect(Number(port), '127.0.0.1')
  socket.on('error', () => {})
  socket.write('POST /sync/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n')
  await once(socket, 'data')
  program.child.kill('SIGTERM')
  while (!program.stderr.includes('shutting down')) await once(program.child.stderr!, 'data')
  // At once it would be the same one, passed on by npm, say.
  await pause(200)
  program.child.kill('SIGTERM')
  t.equal(await program.ended, 1)
  socket.destroy()
})

t.test('a stream that is open ends with a goodbye, and does not hold up the end', async (t) => {
  const program = run(t, ['--port', '0', '--db', ':memory:'])
  const url = await listening(program)
  const stream = await fetch(`${url}/sync/stream`)
  program.child.kill('SIGTERM')
  t.match(await stream.text(), /event: hello[^]*event: bye\ndata: \{"type":"bye","reason":"shutdown"/)
  t.equal(await program.ended, 0)
})

t.test('--open answers requests that came through a proxy, and warns of it', async (t) => {
  const program = run(t, ['--port', '0', '--db', ':memory:', '--open'])
  const url = await listening(program)
  t.equal((await request(`${url}/health`, { headers: { 'x-forwarded-for': '8.8.8.8' } })).status, 200)
  t.match(program.stderr, /whoever reaches this address/)
})

t.test('an error that nobody handled is logged, and the program ends with 1', async (t) => {
  const program = run(t, ['--port', '0', '--db', ':memory:'], { nodeArgs: ['--import', "data:text/javascript,process.once('SIGUSR2', () => { throw new Error('boom') })"] })
  await listening(program)
  program.child.kill('SIGUSR2')
  t.equal(await program.ended, 1)
  t.match(program.stderr, /"level":50.*boom/)
})
