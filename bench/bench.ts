/**
 * The benchmark suite: `npm run bench -- [--quick] [--only push,pull,…] [--peers] [--large 10000000]`.
 * Every work is measured beside what limits it, in the same run, in interleaved rounds; what counts is the ratio.
 * A work that fails is named, and the others go on.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { tableText } from './support/report.ts'
import { readResults, resultsOf, writeResults, type WorkResult } from './support/results.ts'
import { Suite, type Settings, type Work } from './support/suite.ts'
import { works } from './works.ts'

const usage = `Usage: npm run bench -- [options]

  --quick            short slices and a smaller log; for a first look, not for figures
  --only <a,b>       only these: ${works.map(({ name }) => name).join(', ')}
  --peers            also rxdb-server and express-pouchdb, installed from their own lockfile
  --large <n>        documents of the large log (1,000,000; 10,000,000 takes some minutes and 8 GB)
  --rounds <n>       of every comparison (5)
  --ms <n>           of one slice (800)
  --out <folder>     writes the results there, whatever was measured (a whole run: bench/results)
  --server-args <a>  for the node that runs the server, e.g. "--cpu-prof --cpu-prof-dir=/tmp/profiles"
`

const results = fileURLToPath(new URL('results', import.meta.url))

interface Options {
  readonly settings: Settings
  readonly chosen: readonly Work[]
  /** What was asked for, as one would ask for it again. */
  readonly command: string
  /** Null: nothing is written. */
  readonly out: string | null
}

function optionsOf (argv: readonly string[]): Options | null {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args: [...argv],
    options: { quick: flag, peers: flag, help: flag, only: text, large: text, rounds: text, ms: text, out: text, 'server-args': text }
  })
  if (values.help) return null
  const { quick, peers } = values
  const names = values.only?.split(',')
  const unknown = names?.find(name => !works.some(work => work.name === name))
  if (unknown !== undefined) throw new TypeError(`there is no work "${unknown}"\n\n${usage}`)
  const settings = {
    rounds: Number(values.rounds ?? (quick ? 3 : 5)),
    ms: Number(values.ms ?? (quick ? 400 : 800)),
    large: Number(values.large ?? (quick ? 100_000 : 1_000_000)),
    peers,
    serverArgs: values['server-args']?.split(' ') ?? []
  }
  const chosen = works.filter(({ name }) => names?.includes(name) ?? true)
  // Only a whole run replaces the committed results.
  const out = values.out ?? (chosen.length === works.length && !quick ? results : null)
  const measured = argv.filter((word, index) => word !== '--out' && argv[index - 1] !== '--out')
  return { settings, chosen, out, command: ['npm run bench', ...measured.length > 0 ? ['--', ...measured] : []].join(' ') }
}

/** One work, with what it started ended. */
async function resultOf (work: Work, settings: Settings): Promise<WorkResult> {
  const start = performance.now()
  const suite = new Suite(settings)
  const seconds = (): number => (performance.now() - start) / 1000
  try {
    const rows = await work.run(suite)
    process.stdout.write(`${tableText(rows)}\n\n`)
    return { name: work.name, seconds: seconds(), rows }
  } catch (error) {
    process.stderr.write(`${work.name} FAILED: ${error instanceof Error ? error.stack : String(error)}\n`)
    return { name: work.name, seconds: seconds(), rows: [], failed: error instanceof Error ? error.message : String(error) }
  } finally {
    await suite.end()
  }
}

/** How long each work took the last time, for those who wait. */
function lastSeconds (): ReadonlyMap<string, number> {
  try {
    return new Map(readResults(results).works.map(({ name, seconds }) => [name, seconds]))
  } catch {
    return new Map()
  }
}

async function main (): Promise<void> {
  const options = optionsOf(process.argv.slice(2))
  if (options === null) {
    process.stdout.write(usage)
    return
  }
  const { settings, chosen, out } = options
  const expected = lastSeconds()
  const found: WorkResult[] = []
  for (const [index, work] of chosen.entries()) {
    const before = expected.get(work.name)
    process.stderr.write(`[${index + 1}/${chosen.length}] ${work.name}${before === undefined ? '' : `, ${before.toFixed(0)} s the last time`}\n`)
    found.push(await resultOf(work, settings))
    // After each, so that what was found stays whatever comes.
    if (out !== null) writeResults(out, resultsOf(options.command, found))
  }
  const failed = found.filter(work => work.failed !== undefined)
  for (const { name, failed: reason } of failed) process.stderr.write(`${name} failed: ${reason}\n`)
  if (failed.length > 0) process.exitCode = 1
  if (out !== null) process.stderr.write(`results are in ${out}; "npm run generate" puts them into the README\n`)
}

await main()
