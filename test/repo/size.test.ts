import t from 'tap'
import ts from 'typescript'
import { files, parse, walk, type Source } from './sources.ts'

const most = { fileLines: 300, functionLines: 40, parameters: 4 }

function longFiles (sources: readonly Source[]): string[] {
  return sources
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > most.fileLines)
    .map(({ path, lines }) => `${path}: ${lines} lines`)
}

function largeFunctions (source: Source): string[] {
  const found: string[] = []
  const file = parse(source)
  walk(file, (node) => {
    if (!ts.isFunctionLike(node)) return
    const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line
    const lines = file.getLineAndCharacterOfPosition(node.end).line - first + 1
    if (lines > most.functionLines && 'body' in node) found.push(`${source.path}:${first + 1}: ${lines} lines`)
    if (node.parameters.length > most.parameters) found.push(`${source.path}:${first + 1}: ${node.parameters.length} parameters`)
  })
  return found
}

t.test('no file is longer than 300 lines', async (t) => {
  const sources = files(['src', 'schema', 'scripts', 'test', 'bench'], /\.[jt]s$/).filter(({ path }) => path !== 'src/client/generated.ts')
  t.strictSame(longFiles(sources), [])
  t.strictSame(longFiles([{ path: 'a.ts', text: '\n'.repeat(300) + 'x' }]), ['a.ts: 301 lines'], 'and a longer one would be noticed')
})

t.test('no function of the product is longer than 40 lines or takes more than 4 positional parameters', async (t) => {
  const sources = files(['src', 'schema', 'scripts'], /\.[jt]s$/).filter(({ path }) => path !== 'src/client/generated.ts')
  t.strictSame(sources.flatMap(largeFunctions), [])
  t.strictSame(largeFunctions({ path: 'a.ts', text: `const f = (a, b, c, d, e) => 1\nclass A { m () {${'\n'.repeat(40)}} }` }),
    ['a.ts:1: 5 parameters', 'a.ts:2: 41 lines'], 'and a larger one would be noticed')
})
