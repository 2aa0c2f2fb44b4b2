/**
 * Writes every generated file anew: `npm run generate`. With `--check` it writes nothing and fails when a
 * committed file differs from what its source makes of it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { renderClientTypes } from './client-types.ts'
import { commandTables } from './command-table.ts'
import { errorTable } from './error-table.ts'
import { renderOpenapi } from './openapi.ts'
import { optionTables } from './option-tables.ts'
import { threatList } from './threat-list.ts'
import { readResults, renderings } from '../bench/support/results.ts'
import { readSoak, soakChart } from '../bench/support/soak-results.ts'
import { summary } from '../bench/support/summary.ts'
import { promiseList } from '../test/repo/promises.ts'

export interface Generated {
  /** Path from the root of the repository. */
  readonly file: string
  /** Its whole text as it must be, given its text as it is. */
  readonly render: (current: string) => string | Promise<string>
}

const benchResults = fileURLToPath(new URL('../bench/results', import.meta.url))

/** Puts `text` between the two comments that mark where it belongs. */
export function between (current: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}: generated -->`, `<!-- /${name} -->`]
  const from = current.indexOf(begin)
  const to = current.indexOf(end)
  if (from < 0 || to < from) throw new Error(`the marks "${begin}" and "${end}" are not there`)
  return `${current.slice(0, from + begin.length)}\n${text}\n${current.slice(to)}`
}

async function readme (current: string): Promise<string> {
  const parts: ReadonlyArray<readonly [name: string, text: string]> = [
    ['commands', commandTables()], ['promises', promiseList()], ['options', await optionTables()], ['errors', errorTable()],
    ['benchmarks', summary(readResults(benchResults), readSoak(benchResults))]
  ]
  return parts.reduce((text, [name, part]) => between(text, name, part), current)
}

/** In this order: the client's types are made of openapi.yaml as it is then. */
export const generated: readonly Generated[] = [
  { file: 'openapi.yaml', render: renderOpenapi },
  { file: 'src/client/generated.ts', render: renderClientTypes },
  { file: 'README.md', render: readme },
  { file: 'SECURITY.md', render: (current) => between(current, 'threats', threatList()) },
  ...Object.entries(renderings).map(([name, render]) => ({ file: `bench/results/${name}`, render: () => render(readResults(benchResults)) })),
  { file: 'bench/results/soak.svg', render: () => soakChart(readSoak(benchResults)) }
]

/** The files that differ from their source; with `write` they no longer do. */
export async function stale (root: URL, write: boolean, list = generated): Promise<string[]> {
  const found: string[] = []
  for (const { file, render } of list) {
    const current = await readFile(new URL(file, root), 'utf8').catch(() => '')
    const fresh = await render(current)
    if (fresh === current) continue
    found.push(file)
    if (write) await writeFile(new URL(file, root), fresh)
  }
  return found
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const check = process.argv.includes('--check')
  const found = await stale(new URL('../', import.meta.url), !check)
  for (const file of found) console.log(check ? `${file} is not what its source makes of it: npm run generate` : `wrote ${file}`)
  if (check && found.length > 0) process.exitCode = 1
}
