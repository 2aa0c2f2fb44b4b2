import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { openDatabase } from '../../src/changelog/sqlite/driver.ts'
import { put, remove, write } from '../../src/conformance/changelog/harness.ts'
import { runHere, type Ended } from '../support/program.ts'

const ANN = { userId: 'annabel', clientId: 'her-phone', address: '192.0.2.7' }
const BOB = { userId: 'bob', clientId: 'laptop', address: '192.0.2.8' }
const NAMES = /annabel|her-phone|192\.0\.2\.7|2001:db8|a-secret/
const DAY = 86_400_000
const START = Date.parse('2026-01-01')

async function makeLog (folder: string, seal = true): Promise<(...words: string[]) => Promise<Ended>> {
  const db = join(folder, 'pocket.db')
  const store = new SqliteChangeLog(db, { ballastBytes: 0 })
  await write(store, [put('a', 'a-secret'), put('b', 1)], { ...ANN, serverTimestamp: START })
  await write(store, [put('b', 2, { operation: 'update' })], { ...BOB, serverTimestamp: START + DAY })
  await write(store, [put('a', 'other', { collection: 'notes' })], { ...ANN, address: '2001:db8::1', serverTimestamp: START + 2 * DAY })
  await write(store, [remove('b')], { ...BOB, serverTimestamp: START + 3 * DAY })
  if (seal) await store.seal()
  await store.close()
  return async (...words) => await runHere([...words, '--db', db])
}

function sequences ({ code, stdout }: Ended): number[] {
  t.equal(code, 0)
  return stdout === '' ? [] : stdout.trim().split('\n').map(line => (JSON.parse(line) as { sequence: number }).sequence)
}

t.test('audit lists who changed what, when and from where, newest first and without documents', async (t) => {
  const run = await makeLog(t.testdir())
  const all = await run('audit')
  t.strictSame(sequences(all), [5, 4, 3, 2, 1])
  t.notMatch(all.stdout, /secret/)
  t.match(JSON.parse(all.stdout.split('\n')[2]!), { sequence: 3, operation: 'update', collection: 'todos', documentId: 'b', ...BOB, serverTimestamp: START + DAY, previous: 2, hash: /^[0-9a-f]{64}$/ })
  for (const [words, found] of [
    [['--user', 'annabel'], [4, 2, 1]],
    [['--document', 'a'], [4, 1]],
    [['--collection', 'todos', '--document', 'a'], [1]],
    [['--client', 'laptop'], [5, 3]],
    [['--address', '2001:db8::1'], [4]],
    [['--operation', 'delete'], [5]],
    [['--since', '2026-01-02', '--until', '2026-01-03'], [3]],
    [['--since', '2026-01-03T00:00'], [5, 4]],
    [['--since', '2026-01-03T01:00+01:00', '--limit', '1'], [5]],
    [['--until', String(START + 1)], [2, 1]],
    [['--user', "x' OR 1=1 --"], []],
    [['--collection', 'nowhere'], []]
  ] as Array<[string[], number[]]>) t.strictSame(sequences(await run('audit', ...words)), found, words.join(' '))
  t.match((await runHere(['audit', '--db', join(t.testdirName, 'pocket.db')], { columns: 100 })).stdout, '       3  2026-01-02T00:00:00.000Z  update  todos/b  user bob  client laptop  from 192.0.2.8\n')
  for (const words of [['prove'], ['--since', 'yesterday'], ['--since', '2026-13-01'], ['--operation', 'read'], ['--limit', '0'], ['--expect', 'a'.repeat(64)], ['verify', '--user', 'annabel'], ['verify', '--expect', 'abc']]) {
    t.match(await run('audit', ...words), { code: 2, stderr: /./ }, words.join(' '))
  }
})

t.test('audit verify says in a line what is proven, and fails at the first break', async (t) => {
  const run = await makeLog(t.testdir(), false)
  const db = join(t.testdirName, 'pocket.db')
  t.match(await run('audit', 'verify'), { code: 0, stdout: /nothing is sealed yet; 5 entries wait/ })
  t.match(await run('compact', '--history', '0', '--tombstones', 'forever'), { code: 0 })
  const { code, stdout } = await run('audit', 'verify')
  const [, hash = ''] = /4 entries are as they were sealed, in 1 block up to sequence 5, hash ([0-9a-f]{64}) \(1 dropped since, 0 not sealed yet\)\n$/.exec(stdout) ?? []
  t.equal(code, 0)
  t.match(await run('audit', 'verify', '--expect', hash, '--json'), { code: 0, stdout: `"hash":"${hash}"` })
  t.match(await run('audit', 'verify', '--expect', 'a'.repeat(64)), { code: 1, stdout: /does not lead through the hash that was expected/ })
  const database = openDatabase(db, {})
  database.exec("UPDATE log SET user_id = 'eve' WHERE sequence = 4")
  database.close()
  t.match(await run('audit', 'verify'), { code: 1, stdout: /block 1 of the audit chain is broken: entry 4 is not what was written\n.*restore/ })
})

t.test('erase: a document is gone from the file, replicas learn of it, and the chain stays whole', async (t) => {
  const run = await makeLog(t.testdir())
  const db = join(t.testdirName, 'pocket.db')
  t.match(await run('erase', 'todos', 'a'), { code: 0, stdout: 'todos/a is erased: 1 older version and 0 rows of the journal are gone\n' })
  t.notMatch(readFileSync(db, 'latin1'), /a-secret/)
  t.strictSame(sequences(await run('audit', '--collection', 'todos', '--document', 'a')), [6])
  t.match(await run('audit', 'verify'), { code: 0, stdout: /1 dropped/ })
  t.match(await run('check'), { code: 0 })
  t.match(await run('erase', 'todos', 'a'), { code: 0, stdout: /0 older versions/ }, 'again')
  t.match(await run('erase', 'todos', 'typo'), { code: 1, stderr: /the log holds nothing of todos\/typo/ })
  for (const words of [[], ['todos'], ['todos', 'a', '--user', 'annabel']]) t.match(await run('erase', ...words), { code: 2 }, words.join(' '))
})

t.test('erase --user: what only this user wrote goes, and in what others wrote too the name', async (t) => {
  const run = await makeLog(t.testdir())
  const done = await run('erase', '--user', 'annabel')
  t.match(done, { code: 0, stdout: /2 documents of user annabel are erased; 1 document that others wrote too stays, without this user's name: 2 older versions/ })
  const all = await run('audit')
  t.notMatch(all.stdout, NAMES)
  t.match(all.stdout, /"userId":"bob"/)
  t.match(await run('audit', 'verify'), { code: 0, stdout: /1 without its writer/ })
  t.match(await run('check'), { code: 0 })
  t.notMatch(readFileSync(join(t.testdirName, 'pocket.db'), 'latin1'), NAMES)
  t.match(await run('erase', '--user', 'annabel'), { code: 1, stderr: /the log holds nothing of user annabel/ })
})
