import t from 'tap'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { newPush, put, remove } from '../../src/conformance/changelog/harness.ts'
import { runHere, type Ended } from '../support/program.ts'

async function makeLog (folder: string): Promise<(...words: string[]) => Promise<Ended>> {
  const db = join(folder, 'pocket.db')
  const store = new SqliteChangeLog(db, { ballastBytes: 0 })
  const lost = { collection: 'todos', documentId: 'a', status: 'conflict' as const, code: 'last-write-wins', raw: '{"operation":"update","documentId":"a","timestamp":1,"document":{"_id":"a","value":"lost"}}' }
  const broken = { ...lost, documentId: 'b', status: 'rejected' as const, code: 'invalid_json', raw: 'no json' }
  const serverTimestamp = Date.now() - 1000
  await store.commit(newPush([put('a', 1)], { journal: [lost, broken], serverTimestamp }))
  await store.commit(newPush([put('a', 2, { expected: 1 })], { serverTimestamp }))
  await store.commit(newPush([remove('a', { expected: 2 })], { serverTimestamp }))
  await store.close()
  return async (...words) => await runHere([...words, '--db', db])
}

function sequences ({ stdout }: Ended): unknown[] {
  return stdout.trim().split('\n').map(line => JSON.parse(line)).map(({ sequence, id }) => sequence ?? `journal ${id}`)
}

t.test('history lists the versions, newest first, and what the journal has; revert brings one back', async (t) => {
  const run = await makeLog(t.testdir())
  t.strictSame(sequences(await run('history', 'todos', 'a')), [3, 2, 1, 'journal 1'])
  t.match(await run('revert', 'todos', 'a', '1'), { code: 0, stdout: /version 1 of todos\/a is applied: entry 4/ })
  t.match((await run('export')).stdout, /"sequence":4.*"value":1/)
  t.match(await run('revert', 'todos', 'a', '99'), { code: 1, stderr: /no version 99/ })
  t.match(await run('revert', 'todos', 'a', 'x'), { code: 2, stderr: /not "x"/ })
  t.match(await run('history', 'todos', 'nobody'), { code: 1, stderr: /nothing of todos\/nobody/ })
})

t.test('journal lists what was not taken over; a change is replayed, or dropped', async (t) => {
  const run = await makeLog(t.testdir())
  t.strictSame(sequences(await run('journal')), ['journal 2', 'journal 1'])
  t.equal((await run('journal', 'list', '--collection', 'other')).stdout, '')
  t.match(await run('journal', 'replay', '1'), { code: 0, stdout: /change 1 of the journal is applied: entry 4/ })
  t.match((await run('export')).stdout, /"value":"lost"/)
  t.match(await run('journal', 'replay', '2'), { code: 1, stderr: /./ }, 'what was refused is refused again')
  t.match(await run('journal', 'discard', '2'), { code: 0, stdout: /dropped/ })
  t.match(await run('journal', 'discard', '2'), { code: 1, stderr: /no change 2/ })
  t.equal((await run('journal')).stdout, '')
  for (const words of [['discard'], ['drop', '1'], ['list', '1'], ['replay', 'x']]) t.match(await run('journal', ...words), { code: 2 }, words.join(' '))
})

t.test('compact drops what is past its retention, and says what the file came to', async (t) => {
  const run = await makeLog(t.testdir())
  t.match(await run('compact'), { code: 0, stdout: /compacted: .* before, .* now/ })
  t.strictSame(sequences(await run('history', 'todos', 'a')), [3, 2, 1, 'journal 1'], 'nothing was old enough')
  t.match(await run('compact', '--history', '0', '--tombstones', 'forever', '--journal', '0'), { code: 0 })
  t.strictSame(sequences(await run('history', 'todos', 'a')), [3, 2])
  t.match(await run('compact', '--history', '0', '--tombstones', '0s', '--pushes', '0'), { code: 0 })
  t.match(JSON.parse((await run('stats', '--json')).stdout), { entries: 0, pushes: 0, horizon: 3, head: 3 })
  t.match(await run('check'), { code: 0 })
  t.match(await run('compact', '--history', 'soon'), { code: 2, stderr: /30d.*not "soon"/ })
})

t.test('commands read a log of the first layout as it is, and compaction brings it up', async (t) => {
  const db = join(t.testdir(), 'pocket.db')
  writeFileSync(db, gunzipSync(readFileSync(new URL('../fixtures/log-v1.db.gz', import.meta.url))))
  const before = readFileSync(db)
  t.match(await runHere(['check', '--db', db]), { code: 0 })
  t.match(JSON.parse((await runHere(['stats', '--json', '--db', db])).stdout), { layout: 1, documents: 4, tombstones: 1 })
  t.match(await runHere(['export', '--db', db]), { code: 0 })
  t.match(await runHere(['journal', '--db', db]), { code: 0, stdout: /"invalid_document"/ })
  t.equal(readFileSync(db).compare(before), 0, 'looking changes nothing')
  t.match(await runHere(['compact', '--history', 'forever', '--tombstones', 'forever', '--db', db]), { code: 0 })
  t.match(await runHere(['check', '--db', db]), { code: 0 })
})

t.test('promise 9 (Clear): a log that is not there, or is none, ends with 74, a name that is no file with 2', async (t) => {
  const folder = t.testdir({ 'text.db': 'no database at all, but long enough to be looked at as if it were one; that takes a hundred bytes or so' })
  for (const words of [['stats'], ['check'], ['tail'], ['journal'], ['export'], ['history', 'a', 'b'], ['compact'], ['revert', 'a', 'b', '1'], ['journal', 'discard', '1']]) {
    t.match(await runHere([...words, '--db', join(folder, 'nothing.db')]), { code: 74, stderr: /there is no file .*nothing\.db/ }, words.join(' '))
    t.match(await runHere([...words, '--db', join(folder, 'text.db')]), { code: 74, stderr: /text\.db/ }, words.join(' '))
    t.match(await runHere([...words, '--db', ':memory:']), { code: 2, stderr: /names no file/ }, words.join(' '))
  }
})
