import t from 'tap'
import ts from 'typescript'
import { cycles, unreached, violations } from './import-rules.ts'
import { files, parse, walk, type Source } from './sources.ts'

const sources = files(['src', 'schema'])

t.test('arrows point one way: every folder imports only what its rule names', async (t) => {
  t.strictSame(violations(sources), [])
})

t.test('the import rules notice an arrow that points back, an adapter in the rules and a file without rule', async (t) => {
  const bad: Source[] = [
    { path: 'src/sync/push.ts', text: "import { sqlite } from '../changelog/sqlite/store.ts'\nimport type { FastifyInstance } from 'fastify'" },
    { path: 'src/http/push.ts', text: "import { PocketServer } from '../server.ts'\nexport { x } from '../changelog/memory.ts'" },
    { path: 'src/backends.ts', text: "import { MemoryChangeLog } from './changelog/memory.ts'\nconst ok = import('./changelog/sqlite.ts')" },
    { path: 'src/client/client.ts', text: "import { createHash } from 'node:crypto'\nimport { Push } from '../../schema/push.ts'\nimport type { Pull } from '../../schema/pull.ts'" },
    { path: 'src/server.ts', text: "import { x } from './index.ts'" },
    { path: 'src/elsewhere/new.ts', text: '' }
  ]
  t.strictSame(violations(bad), [
    'src/sync/push.ts: may not import src/changelog/sqlite/store.ts',
    'src/sync/push.ts: may not import fastify (not even its types)',
    'src/http/push.ts: may not import src/server.ts',
    'src/http/push.ts: may not import src/changelog/memory.ts',
    'src/backends.ts: may not import src/changelog/memory.ts',
    'src/client/client.ts: may not import node:crypto',
    'src/client/client.ts: may not import schema/push.ts',
    'src/server.ts: may not import src/index.ts',
    'src/elsewhere/new.ts: no import rule covers this file'
  ])
})

t.test('no run-time imports in a circle', async (t) => {
  t.strictSame(cycles(sources), [])
  t.strictSame(cycles([
    { path: 'src/a.ts', text: "import './b.ts'\nimport type { A } from './a.ts'" },
    { path: 'src/b.ts', text: "import './a.ts'" }
  ]), ['src/a.ts → src/b.ts → src/a.ts'], 'and a circle would be noticed')
})

const mayTouchProcess = /^src\/(cli|changelog\/sqlite\/driver)\.ts$/

/** Names that reach outside: `process` anywhere but in two files; clock, ids and timers in the rules. */
function reachesOut ({ path, text }: Source): string[] {
  const found: string[] = []
  const forbid = (name: string): void => { found.push(`${path}: ${name}`) }
  walk(parse({ path, text }), (node) => {
    const name = ts.isIdentifier(node) ? node.text : ts.isStringLiteralLike(node) ? node.text : ''
    const member = node.parent !== undefined && ts.isPropertyAccessExpression(node.parent) && node.parent.name === node
    const key = node.parent !== undefined && (ts.isPropertyAssignment(node.parent) || ts.isPropertySignature(node.parent)) && node.parent.name === node
    if (!mayTouchProcess.test(path) && (name === 'node:process' || (ts.isIdentifier(node) && name === 'process' && !member && !key))) forbid('process')
    if (!path.startsWith('src/sync/')) return
    if (member && name === 'now' && (node.parent as ts.PropertyAccessExpression).expression.getText() === 'Date') forbid('Date.now')
    if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && node.arguments?.length === 0) forbid('new Date()')
    if (ts.isIdentifier(node) && /^(randomUUID|setTimeout|setInterval|performance)$/.test(name) && !key) forbid(name)
  })
  return [...new Set(found)]
}

t.test('only the program and the driver touch the process; the rules have no clock, ids or timers of their own', async (t) => {
  t.strictSame(sources.flatMap(reachesOut), [])
  t.strictSame(reachesOut({ path: 'src/sync/bad.ts', text: 'const at = Date.now() + new Date().getTime()\nsetTimeout(f, 1)\nconst id = crypto.randomUUID()\nprocess.exit(1)\nclock.now()' }), [
    'src/sync/bad.ts: Date.now', 'src/sync/bad.ts: new Date()', 'src/sync/bad.ts: setTimeout',
    'src/sync/bad.ts: randomUUID', 'src/sync/bad.ts: process'
  ], 'and it notices them')
  t.strictSame(reachesOut({ path: 'src/http/bad.ts', text: "import { pid } from 'node:process'" }), ['src/http/bad.ts: process'])
})

/** Files that run only inside a process that the system tests start. */
const runsInChildren = ['src/cli.ts', 'src/cli/arguments.ts', 'src/index.ts']

t.test('every source file is loaded by some test', async (t) => {
  const all = [...sources, ...files(['test'])]
  const missing = unreached(all, (path) => path.endsWith('.test.ts'), (path) => path.startsWith('src/'))
  t.strictSame(missing.filter((path) => !runsInChildren.includes(path)), [])
  t.strictSame(unreached([{ path: 'test/a.test.ts', text: "import '../src/a.ts'" }, { path: 'src/a.ts', text: '' }, { path: 'src/b.ts', text: '' }],
    (path) => path.endsWith('.test.ts'), (path) => path.startsWith('src/')), ['src/b.ts'], 'and one that none loads would be noticed')
})
