import t from 'tap'
import { readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { MemoryChangeLog } from '../../src/changelog/memory.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { newPush, put, remove, type Change } from '../../src/conformance/changelog/harness.ts'
import { openLocalPushes } from '../../src/local.ts'
import { runHere, type Ended } from '../support/program.ts'

async function makeLog (path: string, changes: readonly Change[]): Promise<string> {
  const store = new SqliteChangeLog(path, { ballastBytes: 0 })
  for (const change of changes) t.equal((await store.commit(newPush([change]))).status, 'committed')
  await store.close()
  return path
}

const changes: readonly Change[] = [
  put('a', 1), put('b', 'ünï🚀'), put('gone', 1), put('a', 2, { operation: 'update', expected: 1 }), remove('gone', { expected: 3 }),
  put('c', [null, 1.5e300], { collection: 'other:notes', timestamp: 5 }), put('\u2028/"\\', 'tricky'),
  { documentId: 'pretty', document: '{\n  "_id": "pretty",\n  "n": 1\n}' }
]

/** Documents by their names, as the last line of an export for each says. */
function documentsOf ({ stdout }: Ended): Map<string, unknown> {
  const lines = stdout.trim().split('\n').map(line => JSON.parse(line)).filter(line => 'document' in line)
  return new Map(lines.map(({ collection, documentId, timestamp, document }) => [`${collection}/${documentId}`, { timestamp, document }]))
}

t.test('a log that is exported and imported into another one holds equal documents, and again changes nothing', async (t) => {
  const folder = t.testdir()
  const [from, to, file] = ['from.db', 'to.db', 'docs.ndjson'].map(name => join(folder, name)) as [string, string, string]
  await makeLog(from, changes)
  const original = await runHere(['export', '--db', from])
  t.equal(original.code, 0)
  t.equal(documentsOf(original).size, 5)
  t.strictSame(JSON.parse(original.stdout.trim().split('\n').at(-1)!), { whole: true, documents: 5 })
  writeFileSync(file, original.stdout)
  t.match(await runHere(['import', file, '--db', to]), { code: 0, stderr: /5 documents: 5 new, 0 there already/ })
  t.strictSame(documentsOf(await runHere(['export', '--db', to])), documentsOf(original))
  t.match(await runHere(['import', file, '--db', to]), { code: 0, stderr: /0 new, 5 there already/ })
  t.match((await runHere(['stats', '--json', '--db', to])).stdout, /"head":5,/)
  // The log was made with the hashes of texts: of the one that is not canonical they tell nothing.
  t.match(await runHere(['import', file, '--db', from]), { code: 0, stderr: /: 0 new, 4 there already, 1 where what is stored stands, 0 refused/ })
  t.strictSame(documentsOf(await runHere(['export', '--db', from])), documentsOf(original), 'nor in the log it came from')
})

t.test('import settles conflicts by the strategy it is given', async (t) => {
  const folder = t.testdir({ 'old.ndjson': '{"_id":"a","value":"imported"}\n' })
  const words = ['import', join(folder, 'old.ndjson'), '--collection', 'todos', '--timestamp', '5']
  for (const [strategy, value] of [['last-write-wins', 2], ['server-wins', 2], ['client-wins', 'imported']] as const) {
    const db = await makeLog(join(folder, `${strategy}.db`), changes)
    t.match(await runHere([...words, '--db', db, '--conflict-strategy', strategy]), { code: 0 })
    t.match(documentsOf(await runHere(['export', '--db', db])).get('todos/a'), { document: { value } })
  }
  t.match(await runHere([...words, '--conflict-strategy', 'mine']), { code: 2, stderr: /one of last-write-wins, server-wins, client-wins, merge/ })
})

t.test('export --to goes on with a file cut short at any byte, and ends with the same file', async (t) => {
  const folder = t.testdir()
  const [db, file] = [join(folder, 'pocket.db'), join(folder, 'docs.ndjson')] as const
  await makeLog(db, changes)
  t.equal((await runHere(['export', '--db', db, '--to', file])).code, 0)
  const whole = readFileSync(file)
  await fc.assert(fc.asyncProperty(fc.nat({ max: whole.length }), async (bytes) => {
    writeFileSync(file, whole)
    truncateSync(file, bytes)
    t.equal((await runHere(['export', '--db', db, '--to', file])).code, 0)
    t.equal(readFileSync(file).compare(whole), 0, `cut at ${bytes}`)
  }), { numRuns: 40 })
  t.match(await runHere(['export', '--db', db, '--to', file]), { code: 0, stderr: /whole already: 5 documents/ })
})

t.test('promise 9 (Clear): export --to refuses a file that is something else, of another log or of other collections, and leaves it', async (t) => {
  const folder = t.testdir({ 'notes.txt': 'my notes\n' })
  const [db, other, file, notes] = ['pocket.db', 'other.db', 'docs.ndjson', 'notes.txt'].map(name => join(folder, name)) as [string, string, string, string]
  await makeLog(db, changes)
  await makeLog(other, changes)
  await runHere(['export', '--db', db, '--to', file])
  truncateSync(file, statSync(file).size - 5)
  const cut = readFileSync(file, 'utf8')
  t.match(await runHere(['export', '--db', db, '--to', notes]), { code: 74, stderr: /notes\.txt is there already and no export/ })
  t.equal(readFileSync(notes, 'utf8'), 'my notes\n')
  t.match(await runHere(['export', '--db', other, '--to', file]), { code: 74, stderr: /another log/ })
  t.match(await runHere(['export', '--db', db, '--to', file, '--collection', 'todos']), { code: 74, stderr: /all collections/ })
  t.match(await runHere(['export', '--db', db, '--to', folder]), { code: 74, stderr: /cannot write/ })
  t.match(await runHere(['export', '--db', db, '--collection', 'nothing']), { code: 1, stderr: /no collection "nothing"/ })
  t.equal(readFileSync(file, 'utf8'), cut)
})

t.test('promise 7 (Isolated): import tells each refused line by its number, takes the others, and ends with 1', async (t) => {
  const folder = t.testdir()
  const [db, file] = [join(folder, 'pocket.db'), join(folder, 'plain.ndjson')] as const
  const lines = ['{"_id":"one"}', '', 'no json', '[1]', '{"n":1}', '{"_id":"twice","a":1,"a":2}', '{"_id":"big","n":12345678901234567890}', '{"_id":"__","__proto__":1}', '{"_id":"\\u001b[2J"}', '{"_id":"\\ud800"}', `{"_id":"long","x":"${'x'.repeat(2 ** 20)}"}`, '{"_id":"two"}', '{"_id":"half']
  writeFileSync(file, Buffer.concat([Buffer.from(lines.join('\n')), Buffer.from('\n'), Buffer.from([0x7b, 0xff, 0x7d])]))
  utimesSync(file, 1_700_000_000, 1_700_000_000)
  const dry = await runHere(['import', file, '--collection', 'todos', '--dry-run', '--db', db])
  const real = await runHere(['import', file, '--collection', 'todos', '--db', db])
  for (const ended of [dry, real]) {
    t.equal(ended.code, 1)
    const told = [...ended.stderr.matchAll(/^line (\d+) is refused: \S/gm)].map(([, number]) => Number(number))
    t.strictSame(told.sort((a, b) => a - b), [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14])
    t.notMatch(ended.stderr, '\u001b')
  }
  t.match(dry.stderr, /nothing was written/)
  t.strictSame([...documentsOf(await runHere(['export', '--db', db]))], [['todos/one', { timestamp: 1_700_000_000_000, document: { _id: 'one' } }], ['todos/two', { timestamp: 1_700_000_000_000, document: { _id: 'two' } }]])
  t.match((await runHere(['import', file, '--collection', 'todos', '--db', db])).stderr, /0 new, 2 there already/)
})

t.test('promise 7 (Isolated): a line of an export that is wrong outside of its document leaves the others alone', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'docs.ndjson')
  const line = (id: string, more = ''): string => `{"operation":"insert","collection":"c","documentId":"${id}","timestamp":1,${more}"document":{}}`
  const lines = ['{"format":"pocket-export","version":1,"epoch":"e","head":9,"collection":null}', line('a'), line('b', '"timestamp":2,'), line('c', '"__proto__":{},'), '{"collection":"c"}', line('d', '"big":12345678901234567890,'), line('e'), '{"collection":"../x","documentId":"f"}', '{"whole":true,"documents":7}']
  writeFileSync(file, lines.join('\n'))
  const ended = await runHere(['import', file, '--db', join(folder, 'pocket.db')])
  t.equal(ended.code, 1)
  t.strictSame([...ended.stderr.matchAll(/^line (\d+) is refused/gm)].map(([, number]) => Number(number)).sort(), [3, 4, 5, 6, 8])
  t.strictSame([...documentsOf(await runHere(['export', '--db', join(folder, 'pocket.db')])).keys()], ['c/a', 'c/e'])
})

t.test('import says what a file is missing before anything is written', async (t) => {
  const folder = t.testdir({ 'plain.ndjson': '{"_id":"a"}\n', 'new.ndjson': '{"format":"pocket-export","version":9}\n', 'cut.ndjson': '{"format":"pocket-export","version":1,"epoch":"e","head":1,"collection":null}\n' })
  const run = async (words: readonly string[]): Promise<Ended> => await runHere(['import', ...words, '--db', join(folder, 'pocket.db')])
  t.match(await run([join(folder, 'plain.ndjson')]), { code: 2, stderr: /say with --collection/ })
  t.match(await run([join(folder, 'new.ndjson')]), { code: 74, stderr: /version 9/ })
  t.match(await run([join(folder, 'cut.ndjson'), '--collection', 'todos']), { code: 2, stderr: /leave --collection out/ })
  t.match(await run([join(folder, 'cut.ndjson')]), { code: 1, stderr: /cut short/ })
  t.match(await run([join(folder, 'nothing.ndjson')]), { code: 74, stderr: /cannot read/ })
  t.match(await run([folder]), { code: 74, stderr: /cannot read/ })
  t.match(await run([]), { code: 2, stderr: /import needs <file\|->/ })
  t.match(await run(['a', 'b']), { code: 2, stderr: /not "b" as well/ })
})

t.test('import reads stdin in pieces of any size', async (t) => {
  const folder = t.testdir()
  const text = Buffer.from(Array.from({ length: 1200 }, (_, n) => `{"_id":"ü${n}"}\n`).join(''))
  for (const size of [1, 7, 100_000]) {
    const stdin = async function * (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < text.length; at += size) yield text.subarray(at, at + size)
    }
    t.match(await runHere(['import', '-', '--collection', 'c', '--timestamp', '5', '--db', join(folder, 'pocket.db')], { stdin }), { code: 0, stderr: /1,200 documents/ })
  }
  t.match((await runHere(['stats', '--json', '--db', join(folder, 'pocket.db')])).stdout, /"documents":1200,/)
})

t.test('pushes of the process itself meet the same rules as those over HTTP', async (t) => {
  const store = new MemoryChangeLog()
  await store.open()
  const pushes = await openLocalPushes(store)
  const push = async (change: string): Promise<unknown> => await pushes.push(Buffer.from(`{"type":"push","id":"m","timestamp":1,"collection":"c","changes":[${change}]}`), 'here')
  t.match(await push('{"operation":"insert","documentId":"a","timestamp":1,"document":{"n":1,"n":2}}'), { success: false, results: [{ status: 'rejected', error: { code: 'duplicate_name' } }] })
  t.match(await push('{"operation":"insert","documentId":"b","timestamp":1,"document":{}}').catch((error: unknown) => error), { code: 'id_reused' })
  await t.rejects(pushes.push(Buffer.from('{}'), 'here'), { code: 'invalid_message' })
  t.match(await store.journal(), [{ clientId: 'here' }])
  await pushes.close()
  await store.close()
})
