import t from 'tap'
import fc from 'fast-check'
import { join } from 'node:path'
import { linesOf } from '../../src/cli/lines.ts'
import { ProgressBar } from '../../src/cli/progress.ts'
import { bytes, cut, harmless, table, time } from '../../src/cli/terminal.ts'
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { newPush } from '../../src/conformance/changelog/harness.ts'
import { runHere } from '../support/program.ts'

const tricks = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
const nasty = fc.string({ unit: fc.oneof(fc.constantFrom('\u001b', '\u009b', '\r', '\n', '\u0007', '\u202e', '\u2066', '\u200b', '\ufeff', '\ud800', '\u2028', '\u{e0041}'), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })) })

t.test('promise 9 (Clear): no text plays tricks with a terminal, and JSON stays the same JSON', async (t) => {
  fc.assert(fc.property(nasty, (text) => {
    t.notOk(tricks.test(harmless(text)))
    t.equal(JSON.parse(harmless(JSON.stringify(text))), text)
  }))
})

t.test('promise 9 (Clear): no line that a command shows on a terminal holds what a document, an id or a journal row could play tricks with', async (t) => {
  const db = join(t.testdir(), 'pocket.db')
  const evil = '\u001b]0;owned\u0007\u202e\u009b2J'
  const store = new SqliteChangeLog(db, { ballastBytes: 0 })
  const journal = [{ collection: evil, documentId: evil, status: 'rejected' as const, code: evil, raw: evil }]
  await store.commit(newPush([{ collection: evil, documentId: evil, document: JSON.stringify({ evil }) }], { userId: evil, clientId: evil, journal }))
  await store.close()
  for (const words of [['tail', '--from', '0'], ['history', evil, evil], ['journal'], ['stats'], ['export'], ['tail', '--from', '0', '--json'], ['stats', evil], ['export', '--collection', `${evil}x`]]) {
    const { stdout, stderr } = await runHere([...words, '--db', db], { columns: 100, ...words[0] === 'tail' && { until: '\n' } })
    const shown = (stdout + stderr).replaceAll('\n', '').replaceAll('\r\u001b[K', '')
    t.notOk(tricks.test(shown), words.join(' '))
    t.ok(shown.includes('owned'), words.join(' '))
  }
})

t.test('a progress bar says how far, how fast and how long still, fits its line, and shows on terminals only', async (t) => {
  const texts: string[] = []
  let now = 0
  const stderr = { isTerminal: true, columns: 100, async write (text: string) { texts.push(text) } }
  const bar = new ProgressBar('export', { stderr, now: () => now })
  await bar.at(1000, 9000, 10)
  now = 50
  await bar.at(1001, 9000, 11)
  t.equal(texts.length, 1, 'not more often than anybody can read')
  now = 2000
  await bar.at(3000, 9000, 210)
  t.equal(texts[1], '\r\u001b[Kexport  [########----------------] 33%  210  100/s  0:06 left')
  await bar.end()
  t.equal(texts.at(-1), '\r\u001b[K')
  const silent = new ProgressBar('export', { stderr: { ...stderr, isTerminal: false, write: async () => { t.fail('it is no terminal') } }, now: () => now })
  await silent.at(1, 2)
  await silent.end()
  const narrow = new ProgressBar('export', { stderr: { ...stderr, columns: 20 }, now: () => now })
  await narrow.at(1, 2)
  t.equal(texts.at(-1)!.replace('\r\u001b[K', '').length, 19)
})

t.test('figures, times and columns are worded for people', async (t) => {
  t.strictSame([0, 1023, 1536, 5 * 2 ** 30].map(bytes), ['0 bytes', '1023 bytes', '1.5 KiB', '5.0 GiB'])
  t.equal(time(0), '1970-01-01T00:00:00.000Z')
  t.equal(time(Number.MAX_SAFE_INTEGER), '9007199254740991 ms')
  t.strictSame([cut('abc', 3), cut('abcd', 3), cut('🚀🚀🚀', 2), cut('abc', 0)], ['abc', 'ab…', '🚀…', '…'])
  t.equal(table([['a', 'bb'], ['ccc', '\n']]), 'a    bb\nccc  \\u000a')
})

t.test('lines are the same in pieces of any size, and their ends add up', async (t) => {
  const whole = Buffer.from('one\n\nzwei ü\n\nlast')
  for (let size = 1; size <= whole.length; size++) {
    const pieces = async function * (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size)
    }
    const found: unknown[] = []
    for await (const { number, bytes, end, ended } of linesOf(pieces())) found.push([number, bytes?.toString(), end, ended])
    t.strictSame(found, [[1, 'one', 4, true], [2, '', 5, true], [3, 'zwei ü', 13, true], [4, '', 14, true], [5, 'last', 18, false]])
  }
})
