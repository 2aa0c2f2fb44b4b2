import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { createClient } from '../../src/client/client.ts'
import { newPush, put } from '../../src/conformance/changelog/harness.ts'
import { PocketServer } from '../../src/index.ts'
import { openBackend } from '../../src/backends.ts'
import { build } from '../repo/built.ts'
import { startCommand } from '../support/command.ts'
import { openPool } from '../../src/drivers/postgres.ts'
import { freePort } from '../support/free-port.ts'
import { ownEnv } from '../support/own-env.ts'
import { runHere, type Ended } from '../support/program.ts'
import { requirePostgres, requireRedis } from '../support/programs.ts'
import { Replica, sorted } from '../support/replica.ts'
import { startPostgres } from '../support/services/postgres.ts'
import type { Service } from '../support/services/place.ts'
import { startRedis } from '../support/services/redis.ts'

/** One server each, and in it a database for each test. */
const kinds = {
  PostgreSQL: {
    required: requirePostgres,
    start: startPostgres,
    async place (url: string, number: number): Promise<string> {
      const pool = await openPool(url, { max: 1 })
      await pool.query({ text: `CREATE DATABASE pocket${number}` })
      await pool.end()
      return url.replace(/postgres$/, `pocket${number}`)
    }
  },
  Redis: {
    required: requireRedis,
    start: startRedis,
    place: async (url: string, number: number): Promise<string> => `${url}/${number}`
  }
}

type Row = Record<string, unknown>

async function run (t: Test, ...args: readonly string[]): Promise<{ code: number | null, stdout: string, stderr: string }> {
  return await startCommand(t, args).ended
}

function folderOf (t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-copy-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function ask (url: string, path: 'push' | 'pull', body: Row): Promise<Row> {
  const response = await fetch(`${url}/sync/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ type: path, timestamp: Date.now(), clientId: 'raw', ...path === 'push' && { collection: 'todos' }, ...body }) })
  const answer = await response.json() as Row
  if (!response.ok) throw new Error(JSON.stringify(answer))
  return answer
}

/** A copy that kills itself in the middle of what follows so many parts. */
async function killedAfter (parts: number, places: readonly string[]): Promise<string | null> {
  const script = `import { copyLog } from ${JSON.stringify(new URL('../../dist/src/copy.js', import.meta.url).href)}
    let seen = 0
    const onProgress = () => { if (seen++ === ${parts}) setTimeout(() => process.kill(process.pid, 'SIGKILL'), Math.random() * 4) }
    await copyLog(...${JSON.stringify(places)}, { size: 100, onProgress })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { env: ownEnv(), stdio: 'inherit' })
  const [, signal] = await once(child, 'exit') as [number | null, string | null]
  return signal
}

/** The program serves a log on a port, within this process, for as long as the work takes. */
async function serving (t: Test, { db, port }: { db: string, port: number }, work: () => Promise<void>): Promise<void> {
  const enough = new AbortController()
  t.teardown(() => enough.abort('SIGTERM'))
  let ended: Promise<Ended>
  await new Promise<void>((resolve, reject) => {
    ended = runHere(['serve', '--db', db, '--port', String(port)], { signal: enough.signal, onStdout: text => { if (text.includes('listens on')) resolve() } })
    ended.then(({ stderr }) => reject(new Error(stderr)), reject)
  })
  await work()
  enough.abort('SIGTERM')
  t.match(await ended!, { code: 0 })
}

const changeOf = (documentId: string, value: number, operation = 'insert'): Row =>
  ({ operation, collection: 'todos', documentId, timestamp: 1_700_000_000_000 + value, ...operation !== 'delete' && { document: { _id: documentId, value } } })

t.before(build)

for (const [kind, { required, start, place: placeOf }] of Object.entries(kinds)) {
  let server: Promise<Service> | undefined
  let places = 0
  const newPlace = async (): Promise<string> => {
    server ??= start(t)
    return await placeOf((await server).url, ++places)
  }

  t.test(`promise 3 (Once) and promise 4 (Safe checkpoints): a log is copied from a file to ${kind} and back, and clients go on where they were`, { timeout: 240_000 }, async t => {
    if (!required(t)) return
    const there = await newPlace()
    const folder = folderOf(t)
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const [file, back] = [join(folder, 'pocket.db'), join(folder, 'back.db')]
    const typed = new Replica(createClient({ baseUrl: url, clientId: 'typed', retries: 1000, timing: { backoffMs: 10, backoffMaxMs: 100 } }))
    const followed = new Replica(createClient({ baseUrl: url, clientId: 'follower', retries: 1000, timing: { backoffMs: 10, backoffMaxMs: 100 } }))
    const ended = new AbortController()
    const pushed = { id: 'm-1', changes: [changeOf('a', 1), changeOf('b', 1), changeOf('gone', 1)] }
    const answers: Row[] = []
    let place: Row = {}
    await serving(t, { db: file, port }, async () => {
      answers.push(await ask(url, 'push', pushed))
      place = await ask(url, 'pull', { id: 'p-1', collections: ['todos'], checkpoint: { global: 0 } })
      await typed.pull()
      await ask(url, 'push', { id: 'm-2', changes: [changeOf('gone', 2, 'delete'), changeOf('a', 2, 'update')] })
    })
    const following = followed.follow(ended.signal)
    let number = 3
    for (const [from, to] of [[file, there], [there, back]] as const) {
      t.match(await runHere(['copy', from, to]), { code: 0, stdout: /^copied \d+ entries[\s\S]*--db/ })
      t.match(await runHere(['copy', from, to]), { code: 0, stdout: /^already copied: [\s\S]*--db/ }, 'its answer may have been lost')
      await serving(t, { db: to, port }, async () => {
        const again = await ask(url, 'push', pushed)
        t.same(again['results'], answers[0]!['results'], 'a repeated push is known')
        t.match((await ask(url, 'push', { id: `again ${to}`, changes: [changeOf('b', 1)] }))['results'], [{ status: 'duplicate' }], 'so is a change under another id')
        const since = await ask(url, 'pull', { id: 'p-2', collections: ['todos'], checkpoint: place['checkpoint'], epoch: place['epoch'] })
        t.match(since, { type: 'pull-response' }, 'the checkpoint is valid')
        const changes = (since['changes'] as { todos: Row[] }).todos
        t.ok(changes.some(({ documentId, operation }) => documentId === 'gone' && operation === 'delete'), 'the deletion is known')
        await typed.pull()
        await typed.client.push({ collection: 'todos', changes: [{ operation: 'insert', documentId: `n${number}`, document: { _id: `n${number}`, value: number } }] })
        await typed.pull()
        t.ok(typed.documents.has(`n${number++}`))
        while (JSON.stringify(sorted(followed.documents)) !== JSON.stringify(sorted(typed.documents))) await sleep(20)
      })
    }
    t.same([typed.resyncs, followed.resyncs], [[], []], 'nobody started over')
    ended.abort()
    await following
  })

  t.test(`promise 6 (Private): the scope in a checkpoint is valid at ${kind}, and what leaves it afterwards is removed`, async t => {
    if (!required(t)) return
    const there = await newPlace()
    const file = join(folderOf(t), 'pocket.db')
    const options = { authenticate: () => ({ id: 'ann' }), channels: (_: string, document: unknown) => [String((document as Row)['room'])], channelsOf: () => ['red'] }
    const serve = async (db: string, work: (url: string) => Promise<void>): Promise<void> => {
      const store = await openBackend(db)
      const pocket = new PocketServer({ changeLog: store, ...options })
      const { url } = await pocket.listen(0)
      await work(url)
      await pocket.close()
      await store.close()
    }
    const inRoom = (documentId: string, room: string, timestamp: number): Row => ({ operation: 'insert', collection: 'todos', documentId, timestamp, document: { _id: documentId, room } })
    let place: Row = {}
    await serve(file, async url => {
      await ask(url, 'push', { id: 'm-1', changes: [inRoom('a', 'red', 1), inRoom('b', 'blue', 1), inRoom('c', 'red', 1)] })
      place = await ask(url, 'pull', { id: 'p', collections: ['todos'], checkpoint: { global: 0 } })
      await ask(url, 'push', { id: 'm-2', changes: [inRoom('a', 'blue', 2)] })
    })
    t.same((place['changes'] as { todos: Row[] }).todos.map(({ documentId }) => documentId), ['a', 'c'])
    t.match(await runHere(['copy', file, there]), { code: 0 })
    await serve(there, async url => {
      await ask(url, 'push', { id: 'm-3', changes: [inRoom('c', 'blue', 3), inRoom('d', 'red', 3)] })
      const since = await ask(url, 'pull', { id: 'p', collections: ['todos'], checkpoint: place['checkpoint'], epoch: place['epoch'] })
      t.match(since, { type: 'pull-response' }, 'no resync')
      t.same((since['changes'] as { todos: Row[] }).todos.map(({ documentId, operation }) => [documentId, operation]), [['a', 'delete'], ['c', 'delete'], ['d', 'insert']])
    })
  })

  t.test(`a copy to ${kind} that is killed at any moment goes on, and ends with the whole log; commands look at it there`, { timeout: 240_000 }, async t => {
    if (!required(t)) return
    const there = await newPlace()
    const file = join(folderOf(t), 'pocket.db')
    const store = new SqliteChangeLog(file, { synchronous: 'normal', ballastBytes: 0 })
    for (let block = 0; block < 6; block++) await store.commit(newPush(Array.from({ length: 200 }, (_, n) => put(`d${block}-${n}`, 'x'.repeat(100), { channels: ['red'] }))))
    await store.close()
    for (const parts of [1, 6]) t.equal(await killedAfter(parts, [file, there]), 'SIGKILL')
    const { code, stdout, stderr } = await run(t, 'copy', file, there, '--json')
    t.equal(code, 0, stderr)
    t.match(JSON.parse(stdout), { resumed: true, head: 1200 })
    const exported = async (db: string): Promise<string> => (await runHere(['export', '--db', db])).stdout
    t.equal(await exported(there), await exported(file))
    t.match(await runHere(['check', '--db', there]), { code: 0, stdout: /is whole: nothing wrong up to sequence 1200/ })
    t.match((await runHere(['history', 'todos', 'd0-0', '--db', there])).stdout, /"sequence":1,/)
    const figures = async (db: string): Promise<Row> => JSON.parse((await runHere(['stats', '--db', db, '--json'])).stdout) as Row
    const [here, copied] = [await figures(file), await figures(there)]
    // Epochs as well: nobody who looked has begun one.
    for (const name of ['head', 'horizon', 'epochs', 'documents', 'tombstones', 'entries', 'pushes', 'channels', 'journal', 'collections', 'oldest', 'newest']) t.same(copied[name], here[name], name)
    t.match(await runHere(['audit', 'verify', '--db', there]), { code: 1, stderr: /no audit chain/ })
    t.match(await runHere(['backup', join(file, '..', 'b.db'), '--db', there]), { code: 2, stderr: kind === 'Redis' ? /BGSAVE/ : /pg_dump/ })
    t.match(JSON.parse((await runHere(['copy', file, there, '--json'])).stdout), { already: true, head: 1200, taken: { entry: 0 } })
    const other = `${file}-other`
    const another = new SqliteChangeLog(other, { ballastBytes: 0 })
    await another.commit(newPush([put('a', 1)]))
    await another.close()
    t.match(await runHere(['copy', other, there]), { code: 2, stderr: /log already|another log/ }, 'what is whole is not copied over')
    t.match(await runHere(['copy', `${file}-none`, there]), { code: 74, stderr: /there is no/ })
    const secret = there.replace(/\/\/(\w+@)?/, '//nobody:s3cret@').replace(/:\d+/, ':1')
    const refused = await runHere(['copy', file, secret])
    t.not(refused.code, 0)
    t.notMatch(`${refused.stdout}${refused.stderr}`, /s3cret/, 'passwords are not printed')
  })

  t.test(`promise 4 (Safe checkpoints): an empty log in ${kind} that is named twice, each time otherwise, is refused and keeps its epochs`, async t => {
    if (!required(t)) return
    const there = await newPlace()
    const [name, otherwise] = [`${there}#tenant=empty`, `${there.replace('127.0.0.1', 'localhost')}#tenant=empty`]
    t.not(otherwise, name)
    const epochs = async (): Promise<unknown> => {
      const store = await openBackend(name)
      await store.open()
      const found = await store.epochs()
      await store.close()
      return found
    }
    const [first] = await epochs() as [unknown]
    t.match(await runHere(['copy', name, otherwise]), { code: 2, stderr: /the same log/ })
    t.same(((await epochs()) as unknown[])[0], first)
  })
}
