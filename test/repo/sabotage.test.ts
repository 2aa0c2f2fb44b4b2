import t from 'tap'
import { applied, judge, load } from '../../scripts/sabotage.ts'
import { promises, titles } from './promises.ts'
import { files, read } from './sources.ts'

const sample = { breaks: 'x', file: 'a.ts', find: 'one', replace: 'two', test: 'a.test.ts', title: 'holds' }

t.test('every sabotage still finds the place it breaks, and names a promise and a test that is there', async (t) => {
  const suites = files(['src/conformance', 'test/support']).flatMap(titles)
  for (const sabotage of await load()) {
    t.doesNotThrow(() => applied(read(sabotage.file), sabotage), sabotage.breaks)
    const own = titles({ path: sabotage.test, text: read(sabotage.test) })
    // A title that is put together is known by its beginning.
    const there = [...own, ...suites].some((title) => title.startsWith(sabotage.title) || (title !== '' && sabotage.title.startsWith(title)))
    t.ok(there, `${sabotage.test}: ${sabotage.title}`)
    const [, number = '', word] = /^promise (\d+) \(([^)]+)\)/.exec(sabotage.breaks) ?? []
    t.equal(promises[Number(number) - 1]?.word, word, sabotage.breaks)
  }
})

t.test('a sabotage whose place is gone or twice there is refused', async (t) => {
  t.equal(applied('a one b', sample), 'a two b')
  t.throws(() => applied('a b', sample), /0 times/)
  t.throws(() => applied('one one', sample), /2 times/)
})

t.test('only the test that was named, failing, counts as red', async (t) => {
  t.equal(judge('    not ok 3 - holds what it says # time=1ms', sample).red, true)
  t.equal(judge('    ok 3 - holds what it says', sample).red, false)
  t.match(judge('ok 3 - holds # SKIP no strace', sample), { red: false, why: /skipped/ })
  t.match(judge('no port\nnot ok 1 - a.test.ts', sample), { red: false, ran: false, why: 'no test "holds…" was run: no port / not ok 1 - a.test.ts' }, 'a file that does not start proves nothing')
  t.equal(judge('not ok 1 - another\nok 2 - holds', sample).red, false)
})
