import t from 'tap'
import { claimants, claims, holders, promises, promisesOf, titles } from './promises.ts'
import { files } from './sources.ts'

const tests = files(['test'], /\.test\.ts$/)

/** A name is a topic, neither an ordinal nor the number of an issue. */
function badName (path: string): boolean {
  const name = path.split('/').at(-1)?.replace(/\.test\.ts$/, '') ?? ''
  return !/^[a-z]+(-[a-z0-9]+)*$/.test(name) || /-\d+$/.test(name) || /^(misc|more|other|stuff|regressions?|bugs?|issues?)(-|$)/.test(name)
}

t.test('test files are named after topics', async (t) => {
  t.strictSame(tests.map(({ path }) => path).filter(badName), [])
  for (const path of ['test/a/route.1.test.ts', 'test/issue-4959.test.ts', 'test/push-2.test.ts', 'test/Push.test.ts', 'test/misc.test.ts']) t.ok(badName(path), path)
  t.notOk(badName('test/system/store-faults.test.ts'))
})

t.test('a title is a sentence that says what holds', async (t) => {
  t.strictSame(tests.flatMap(titles).filter((title) => title.length > 0 && !/\s/.test(title)), [])
  t.strictSame(titles({ path: 'a.test.ts', text: "t.test('one', f)\n promise(`two $" + "{1}`, f)\nother('three', f)" }), ['one', 'two '], 'and titles are found')
})

t.test('each of the ten promises is held by a test that names it', async (t) => {
  for (const [number, paths] of holders()) t.ok(paths.length > 0, `promise ${number} (${promises[number - 1]?.word})`)
  t.strictSame(holders([{ path: 'a.test.ts', text: "t.test('promise 2 (Durable): x', f)" }]).get(2), [], 'and another promise\'s word does not count')
})

t.test('every text that begins like a promise names one of the ten by its word', async (t) => {
  t.strictSame(claimants().flatMap(claims).filter((claim) => promisesOf(claim).length === 0), [])
  t.strictSame(['promise 2 (Durable): x', 'promise 11 (New): x', 'Promise 3: x'].flatMap(promisesOf), [])
  t.strictSame(promisesOf('promise 8 (Convergent) and 4 (Safe checkpoints), promise 3 (Once): x, promise 1 (Durable)'), [8, 4, 3])
})
