import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { openDatabase } from '../../src/changelog/sqlite/driver.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { createClient } from '../../src/client/client.ts'
import { put, write } from '../../src/conformance/changelog/harness.ts'
import { build } from '../repo/built.ts'
import { ownEnv } from '../support/own-env.ts'
import { startServer, type ServerProcess } from '../support/process.ts'
import { requireProgram } from '../support/programs.ts'
import { Replica, sorted } from '../support/replica.ts'
import { folder } from '../support/store-disk.ts'

const CLI = fileURLToPath(new URL('../../dist/src/cli.js', import.meta.url))

/** @param wrap a program that runs it, with its arguments */
async function program (args: readonly string[], wrap: readonly string[] = []): Promise<{ code: number | null, text: string }> {
  const command = [...wrap, process.execPath, CLI, ...args]
  const child = spawn(command[0]!, command.slice(1), { env: ownEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  const [code] = await once(child, 'close') as [number | null]
  return { code, text }
}

async function succeed (t: Test, args: readonly string[]): Promise<void> {
  const { code, text } = await program(args)
  t.equal(code, 0, `${args[0]}: ${text.trim()}`)
}

t.before(build)

const SHARED = 10

/** A client that writes, and follows either by pulls or by a stream, whatever happens to the server. */
class Clerk {
  readonly replica: Replica
  readonly #name: string
  readonly #ended = new AbortController()
  readonly #reading: Promise<void>
  #writing: Promise<void> = Promise.resolve()
  #on = false
  #number = 0

  constructor (url: string, name: string, way: 'pull' | 'stream') {
    this.#name = name
    this.replica = new Replica(createClient({ baseUrl: url, clientId: name, retries: 1000, timing: { backoffMs: 10, backoffMaxMs: 100 } }))
    this.#reading = way === 'pull' ? this.#pulls() : this.replica.follow(this.#ended.signal)
  }

  start (): void {
    this.#on = true
    this.#writing = this.#writes()
  }

  /** Everything it wrote is then answered. */
  async pause (): Promise<void> {
    this.#on = false
    await this.#writing
  }

  async end (): Promise<void> {
    this.#ended.abort()
    await this.#reading
  }

  async #pulls (): Promise<void> {
    while (!this.#ended.signal.aborted) {
      await this.replica.pull()
      await sleep(20)
    }
  }

  async #writes (): Promise<void> {
    while (this.#on) {
      await this.replica.client.push({ collection: 'todos', changes: this.#changes(++this.#number) })
      await sleep(Math.random() * 20)
    }
  }

  /** A document of its own, one that all write, and now and then the end of an older one of its own. */
  #changes (number: number) {
    const own = `${this.#name}-${number}`
    const shared = `shared-${number % SHARED}`
    const document = (_id: string) => ({ _id, from: own, text: 'x'.repeat(500) })
    return [
      { operation: 'insert' as const, documentId: own, document: document(own) },
      { operation: 'update' as const, documentId: shared, document: document(shared) },
      ...number % 7 === 0 ? [{ operation: 'delete' as const, documentId: `${this.#name}-${number - 3}` }] : []
    ]
  }
}

async function documentsAt (url: string): Promise<Map<string, unknown>> {
  const fresh = new Replica(createClient({ baseUrl: url }))
  await fresh.pull()
  return fresh.documents
}

t.test('promise 8 (Convergent): an older backup is restored under connected clients: they notice, resync and offer again, and not a document that one of them had is gone', async t => {
  const db = join(folder(t), 'pocket.db')
  const backup = join(dirname(db), 'backup.db')
  let server: ServerProcess = await startServer({ db, args: ['--log-level', 'silent'] })
  t.teardown(() => server.stop('SIGKILL'))
  const { url, port } = server
  const clerks = (['pull', 'stream', 'pull', 'stream'] as const).map((way, index) => new Clerk(url, `clerk${index}`, way))
  for (const clerk of clerks) clerk.start()
  await sleep(1500)
  await succeed(t, ['backup', backup, '--db', db])
  const atBackup = await documentsAt(url)
  await sleep(1000)
  await Promise.all(clerks.map(clerk => clerk.pause()))
  const before = await documentsAt(url)
  while (clerks.some(({ replica }) => replica.documents.size < before.size)) await sleep(20)
  await server.stop('SIGKILL')

  await succeed(t, ['check', '--db', backup])
  await succeed(t, ['restore', backup, '--db', db])
  const restored = countIn(t, db)
  server = await startServer({ db, port, args: ['--log-level', 'silent'] })
  while (clerks.some(({ replica }) => replica.resyncs.length === 0 || replica.documents.size < before.size)) await sleep(20)
  for (;;) {
    const after = sorted(await documentsAt(url))
    if (JSON.stringify(after) === JSON.stringify(sorted(before)) && clerks.every(({ replica }) => JSON.stringify(sorted(replica.documents)) === JSON.stringify(after))) break
    await sleep(50)
  }
  t.comment(`${restored} documents in the backup, ${atBackup.size} soon after it, ${before.size} before the restore and after it, on the server and ${clerks.length} replicas`)
  t.ok(restored < before.size, 'the backup lacked some')
  t.ok(clerks.every(({ replica }) => replica.resyncs.every(reason => reason === 'epoch-changed')))
  await Promise.all(clerks.map(clerk => clerk.end()))
  await server.stop()
  await succeed(t, ['check', '--db', db])
})

function countIn (t: Test, path: string): number {
  const database = openDatabase(path, {})
  try {
    t.equal(database.pragma('integrity_check', { simple: true }), 'ok')
    t.equal(database.prepare('SELECT max(sequence) - count(*) FROM log').pluck().get(), 0, 'sequences from 1 on, without a gap')
    return database.prepare('SELECT count(*) FROM heads WHERE deleted = 0').pluck().get() as number
  } finally {
    database.close()
  }
}

/** More than a command takes: one that never ends well is a failure. */
const STEPS = 60

/** Ends the program with SIGKILL when it does so for the n-th time. */
function killer (calls: string, nth: number): string[] {
  return ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${calls}:signal=SIGKILL:when=${nth}`]
}

async function logOf (path: string, count: number): Promise<void> {
  const log = new SqliteChangeLog(path, { ballastBytes: 0 })
  for (let i = 0; i < count; i += 100) await write(log, Array.from({ length: 100 }, (_, j) => put(`d${i + j}`, 'x'.repeat(1000))))
  await log.close()
}

async function headIn (path: string): Promise<number> {
  const log = new SqliteChangeLog(path, { ballastBytes: 0 })
  try {
    return await log.getCurrentSequence()
  } finally {
    await log.close()
  }
}

t.test('promise 1 (Durable): a restore that is killed at any step leaves the old log or the backup, whole', async t => {
  if (!requireProgram(t, 'strace', 'apt-get install strace')) return
  const home = folder(t)
  const [old, backup] = [join(home, 'old.db'), join(home, 'backup.db')]
  await logOf(old, 300)
  await logOf(backup, 200)
  const found: number[] = []
  for (let nth = 1, ended = false; !ended && nth < STEPS; nth++) {
    const db = join(home, `${nth}.db`)
    copyFileSync(old, db)
    copyFileSync(`${old}.mark`, `${db}.mark`)
    ended = (await program(['restore', backup, '--db', db], killer('rename,unlink,fsync', nth))).code === 0
    found.push(await headIn(db))
    countIn(t, db)
    if (ended) t.equal(found.at(-1), 200, 'the last one was not killed')
  }
  t.comment(`killed at ${found.length - 1} steps: ${found.join(' ')}`)
  t.ok(found.includes(300) && found.length > 5)
  t.strictSame(found, [...found].sort((a, b) => b - a), 'the old one up to a step, the new one from there on')
})

t.test('a backup that is killed at any step leaves the log and what had its name alone; the next one removes its rests', async t => {
  if (!requireProgram(t, 'strace', 'apt-get install strace')) return
  const home = folder(t)
  const db = join(home, 'pocket.db')
  await logOf(db, 200)
  mkdirSync(join(home, 'backups'))
  const target = join(home, 'backups/backup.db')
  await logOf(target, 100)
  for (const name of readdirSync(dirname(target))) if (name !== 'backup.db') rmSync(join(dirname(target), name))
  const former = readFileSync(target)
  let rests = 0
  for (let nth = 1, ended = false; !ended && nth < STEPS; nth++) {
    const { code, text } = await program(['backup', target, '--force', '--db', db], killer('rename,unlink,fsync', nth))
    ended = code === 0
    if (!t.ok(ended || code === null, `done or killed, never refused: ${text}`)) return
    rests += readdirSync(dirname(target)).length - 1
    if (!t.ok(readFileSync(target).equals(former) || countIn(t, target) === 200, text)) return
  }
  t.ok(rests > 0, 'some were killed in the midst of it')
  t.strictSame(readdirSync(dirname(target)), [basename(target)])
  t.equal(countIn(t, target), 200)
  await succeed(t, ['check', '--db', db])
  t.ok(existsSync(`${db}.mark`))
})
