import t from 'tap'
import ts from 'typescript'
import { notYet, promises } from './promises.ts'
import { files, parse, read, walk, type Source } from './sources.ts'

const tests = files(['test'], /\.test\.ts$/)

/** Names a topic: words, neither a number of an issue nor an ordinal. */
function badName (path: string): boolean {
  const name = path.split('/').at(-1)?.replace(/\.test\.ts$/, '') ?? ''
  return !/^[a-z]+(-[a-z0-9]+)*$/.test(name) || /(^|-)(issue|bug|fix|part|misc|more|other|test)?s?-?\d+$/.test(name) || /^(misc|more|other|stuff|regressions?)$/.test(name)
}

/** Titles given to test(…), or to promise(…) in a conformance suite. */
function titles (source: Source): string[] {
  const found: string[] = []
  walk(parse(source), (node) => {
    if (!ts.isCallExpression(node)) return
    const callee = ts.isPropertyAccessExpression(node.expression) ? node.expression.name.text : node.expression.getText()
    const [first] = node.arguments
    if ((callee === 'test' || callee === 'promise') && first !== undefined && (ts.isStringLiteralLike(first) || ts.isTemplateExpression(first))) {
      found.push(ts.isTemplateExpression(first) ? first.head.text : first.text)
    }
  })
  return found
}

/** Numbers of the promises that a title names in full: "promise 1 (Durable): …". */
function named (all: readonly string[]): Set<number> {
  const found = new Set<number>()
  for (const title of all) {
    const [, number = '', word = ''] = /^promise (\d+) \(([^)]+)\)/.exec(title) ?? []
    if (promises[Number(number) - 1] === word) found.add(Number(number))
  }
  return found
}

/** Titles that begin like a promise but name none of the ten. */
function misnamed (all: readonly string[]): string[] {
  return all.filter((title) => /^promise \d/i.test(title) && named([title]).size === 0)
}

t.test('test files are named after topics', async (t) => {
  t.strictSame(tests.map(({ path }) => path).filter(badName), [])
  for (const path of ['test/a/route.1.test.ts', 'test/issue-4959.test.ts', 'test/push-2.test.ts', 'test/Push.test.ts', 'test/misc.test.ts']) t.ok(badName(path), path)
  t.notOk(badName('test/system/store-faults.test.ts'))
})

t.test('every test has a title that says what holds', async (t) => {
  t.strictSame(tests.filter((source) => titles(source).length === 0 && !/conformance/.test(source.text)).map(({ path }) => path), [])
  const all = tests.flatMap(titles)
  t.strictSame(all.filter((title) => title.length > 0 && !/\s/.test(title)), [], 'a title is a sentence, not a word')
})

t.test('each of the ten promises is named by a test that holds it', async (t) => {
  const all = [...tests, ...files(['src/conformance'])].flatMap(titles)
  const held = named(all)
  t.strictSame(misnamed(all), [], 'every "promise N (Word)" is one of the ten')
  promises.forEach((word, index) => {
    const number = index + 1
    if (notYet[number] === undefined) t.ok(held.has(number), `promise ${number} (${word})`)
    else t.notOk(held.has(number), `promise ${number} is held now: take it off the list in promises.ts`)
  })
  t.strictSame([...named(['promise 1 (Durable): x', 'promise 2 (Durable): x', 'Promise 3'])], [1], 'and a wrong word does not count')
  t.strictSame(misnamed(['promise 2 (Durable): x', 'promise 11 (New)']).length, 2)
})

t.test('the README names every promise', async (t) => {
  const text = read('README.md')
  for (const [index, word] of promises.entries()) t.match(text, `${index + 1}. **${word}.**`)
})
