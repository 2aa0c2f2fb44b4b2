import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { between, generated, stale } from '../../scripts/generate.ts'
import { root } from './sources.ts'

t.test('every generated file is, to the byte, what its source makes of it', async (t) => {
  t.strictSame(generated.map(({ file }) => file), ['openapi.yaml', 'src/client/generated.ts', 'README.md', 'SECURITY.md', ...['latest.md', 'bars.svg', 'peers.svg', 'soak.svg'].map(name => `bench/results/${name}`)])
  t.strictSame(await stale(root, false), [], 'else: npm run generate')
})

t.test('a generated file that was edited by hand is noticed and mended', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pocket-generated-'))
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  const list = [{ file: 'a.md', render: (current: string) => between(current, 'table', 'fresh') }]
  writeFileSync(join(folder, 'a.md'), 'top\n<!-- table: generated -->\nby hand\n<!-- /table -->\nend\n')
  const at = pathToFileURL(`${folder}/`)
  t.strictSame(await stale(at, false, list), ['a.md'])
  t.strictSame(await stale(at, true, list), ['a.md'])
  t.strictSame(await stale(at, false, list), [])
  t.equal(readFileSync(join(folder, 'a.md'), 'utf8'), 'top\n<!-- table: generated -->\nfresh\n<!-- /table -->\nend\n')
  t.throws(() => between('no marks', 'table', ''), /are not there/)
})
