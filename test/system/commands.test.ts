import t from 'tap'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { build } from '../repo/built.ts'
import { post, pushOf } from '../support/app.ts'
import { startCommand } from '../support/command.ts'
import { startServer } from '../support/process.ts'

t.before(build)

/** Keeps pushing until it is told to stop. @returns how many entries were acknowledged */
function keepPushing (url: string): () => Promise<number> {
  const stop = new AbortController()
  let entries = 0
  const pushing = (async () => {
    for (let push = 0; !stop.signal.aborted; push++) {
      const changes = Array.from({ length: 20 }, (_, index) => ({ documentId: `d${(push * 7 + index) % 200}`, timestamp: push, document: { n: push } }))
      const { json } = await post(`${url}/sync/push`, pushOf('c', changes))
      entries += json.results.filter(({ status }: { status: string }) => status === 'applied').length
    }
  })()
  return async () => {
    stop.abort()
    await pushing
    return entries
  }
}

function linesOf (text: string): Array<Record<string, unknown>> {
  return text.trim().split('\n').filter(line => line !== '').map(line => JSON.parse(line) as Record<string, unknown>)
}

t.test('while a server serves and writes, tail shows every entry once and in order, and check, stats, history and export work', async (t) => {
  const db = join(t.testdir(), 'pocket.db')
  const server = await startServer({ db })
  t.teardown(async () => await server.stop())
  const tail = startCommand(t, ['tail', '--from', '0', '--db', db])
  const stop = keepPushing(server.url)
  while (linesOf(tail.stdout().slice(0, tail.stdout().lastIndexOf('\n') + 1)).length < 300) await once(tail.child.stdout!, 'data')

  t.match(await startCommand(t, ['check', '--db', db]).ended, { code: 0, stdout: /is whole/ })
  const stats = await startCommand(t, ['stats', '--json', '--db', db]).ended
  t.match(linesOf(stats.stdout), [{ collections: [{ name: 'c' }], tombstones: 0 }])
  const exported = linesOf((await startCommand(t, ['export', '--db', db]).ended).stdout)
  const documents = exported.slice(1, -1)
  t.match(exported.at(-1), { whole: true, documents: documents.length })
  t.equal(new Set(documents.map(({ documentId }) => documentId)).size, documents.length, 'each document once')
  t.ok(documents.every(({ sequence }, i) => Number(sequence) <= Number(exported[0]!['head']) && (i === 0 || Number(sequence) > Number(documents[i - 1]!['sequence']))))
  const versions = linesOf((await startCommand(t, ['history', 'c', 'd7', '--db', db]).ended).stdout)
  t.ok(versions.length > 0 && versions.every(({ documentId }) => documentId === 'd7'))

  const entries = await stop()
  while (linesOf(tail.stdout().slice(0, tail.stdout().lastIndexOf('\n') + 1)).length < entries) await once(tail.child.stdout!, 'data')
  tail.child.kill('SIGINT')
  const { code, stdout, stderr } = await tail.ended
  t.strictSame({ code, stderr }, { code: 0, stderr: '' })
  t.strictSame(linesOf(stdout).map(({ sequence }) => sequence), Array.from({ length: entries }, (_, i) => i + 1))
})

t.test('promise 9 (Clear): commands that write say which process holds the log and what to do, and change nothing', async (t) => {
  const folder = t.testdir({ 'plain.ndjson': '{"_id":"a"}\n' })
  const db = join(folder, 'pocket.db')
  const server = await startServer({ db })
  t.teardown(async () => await server.stop())
  await post(`${server.url}/sync/push`, pushOf('c', [{ documentId: 'a' }]))
  const commands: ReadonlyArray<readonly [words: string[], says: RegExp]> = [
    [['compact'], /server that runs compacts by itself/],
    [['import', join(folder, 'plain.ndjson'), '--collection', 'c'], /push the documents to it over HTTP/],
    [['revert', 'c', 'a', '1'], /End the server first/],
    [['journal', 'replay', '1'], /End the server first/],
    [['journal', 'discard', '1'], /End the server first/]
  ]
  for (const [words, says] of commands) {
    const { code, stderr } = await startCommand(t, [...words, '--db', db]).ended
    t.equal(code, 74, words.join(' '))
    t.match(stderr, `by process ${server.pid}`)
    t.match(stderr, says)
    t.notMatch(stderr, /\n {4}at /, 'no stack')
  }
  t.match(linesOf((await startCommand(t, ['stats', '--json', '--db', db]).ended).stdout), [{ head: 1 }])
})

t.test('a server drops its push records after the time that it was given', async (t) => {
  const db = join(t.testdir(), 'pocket.db')
  const server = await startServer({ db, args: ['--pushes', '0'] })
  t.teardown(async () => await server.stop())
  for (const documentId of ['a', 'b', 'c']) {
    await post(`${server.url}/sync/push`, pushOf('c', [{ documentId }]))
    await pause(2)
  }
  t.match(linesOf((await startCommand(t, ['stats', '--json', '--db', db]).ended).stdout), [{ pushes: 1 }])
})

t.test('tail whose reader goes away ends with 0 and says nothing', async (t) => {
  const db = join(t.testdir(), 'pocket.db')
  const server = await startServer({ db })
  t.teardown(async () => await server.stop())
  const stop = keepPushing(server.url)
  const tail = startCommand(t, ['tail', '--db', db])
  await once(tail.child.stdout!, 'data')
  tail.child.stdout!.destroy()
  t.match(await tail.ended, { code: 0, stderr: '' })
  await stop()
})

t.test('a log whose server was killed is read as it is', async (t) => {
  const db = join(t.testdir(), 'pocket.db')
  const server = await startServer({ db })
  await post(`${server.url}/sync/push`, pushOf('c', [{ documentId: 'a' }, { documentId: 'b' }]))
  await server.stop('SIGKILL')
  t.ok(statSync(`${db}-wal`).size > 0)
  t.match(await startCommand(t, ['check', '--db', db]).ended, { code: 0, stdout: /up to sequence 2/ })
  t.match(linesOf((await startCommand(t, ['export', '--db', db]).ended).stdout), [{ head: 2 }, { documentId: 'a' }, { documentId: 'b' }, { whole: true }])
})

t.test('an import that is killed and given again takes every line once, and an export that is killed goes on', async (t) => {
  const folder = t.testdir()
  const [db, plain, file] = ['pocket.db', 'plain.ndjson', 'docs.ndjson'].map(name => join(folder, name)) as [string, string, string]
  const count = 20_000
  writeFileSync(plain, Array.from({ length: count }, (_, n) => `{"_id":"d${n}","text":"${'x'.repeat(200)}"}\n`).join(''))
  const endWith = async (signal: NodeJS.Signals): Promise<unknown> => {
    const importing = startCommand(t, ['import', plain, '--collection', 'c', '--db', db])
    while (!existsSync(`${db}-wal`) || statSync(`${db}-wal`).size < 1_000_000) await pause(5)
    importing.child.kill(signal)
    // Passed on a second time, as npm does.
    importing.child.kill(signal)
    return await importing.ended
  }
  t.match(await endWith('SIGINT'), { code: 1, stderr: /stopped at line \d+; the same command goes on/ })
  t.match(await endWith('SIGKILL'), { code: null })
  const again = await startCommand(t, ['import', plain, '--collection', 'c', '--db', db]).ended
  t.match(again, { code: 0, stderr: /imported 20,000 documents: \d+ new, [1-9]\d* there already, 0 / })
  t.match(linesOf((await startCommand(t, ['stats', '--json', '--db', db]).ended).stdout), [{ documents: count, entries: count, head: count }])

  const exporting = startCommand(t, ['export', '--to', file, '--db', db])
  while (!existsSync(file) || statSync(file).size < 500_000) await pause(2)
  exporting.child.kill('SIGKILL')
  await exporting.ended
  t.match(await startCommand(t, ['export', '--to', file, '--db', db]).ended, { code: 0, stderr: /is whole.*: 20,000 documents/ })
  t.equal((await startCommand(t, ['export', '--db', db]).ended).stdout, readFileSync(file, 'utf8'))
})
