/**
 * The benchmark suite: `npm run bench -- [--quick] [--only push,pull,…] [--peers] [--large 10000000]`.
 * Every work is measured beside what limits it, in the same run, in interleaved rounds; what counts is the ratio.
 */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { access } from './access.ts'
import { fanout } from './fanout.ts'
import { history } from './history.ts'
import { pull } from './pull.ts'
import { push } from './push.ts'
import { scale } from './scale.ts'
import { tableText, writeResults, type Row } from './support/report.ts'
import { Suite, type Settings, type Work } from './support/suite.ts'

const works: readonly Work[] = [push, pull, fanout, access, scale, history]

const usage = `Usage: npm run bench -- [options]

  --quick            short slices and a smaller log; for a first look, not for figures
  --only <a,b>       only these: ${works.map(({ name }) => name).join(', ')}
  --peers            also rxdb-server and express-pouchdb, installed from their own lockfile
  --large <n>        documents of the large log (1,000,000; 10,000,000 takes some minutes and 8 GB)
  --rounds <n>       of every comparison (5)
  --ms <n>           of one slice (800)
  --server-args <a>  for the node that runs the server, e.g. "--cpu-prof --cpu-prof-dir=/tmp/profiles"
`

interface Options { readonly settings: Settings, readonly chosen: readonly Work[], readonly quick: boolean }

function optionsOf (argv: readonly string[]): Options | null {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args: [...argv],
    options: { quick: flag, peers: flag, help: flag, only: text, large: text, rounds: text, ms: text, 'server-args': text }
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
  return { settings, chosen: works.filter(({ name }) => names?.includes(name) ?? true), quick }
}

async function main (): Promise<void> {
  const options = optionsOf(process.argv.slice(2))
  if (options === null) {
    process.stdout.write(usage)
    return
  }
  const { settings, chosen, quick } = options
  const rows: Row[] = []
  for (const work of chosen) {
    process.stderr.write(`${work.name} …\n`)
    const suite = new Suite(settings)
    try {
      const found = await work.run(suite)
      process.stdout.write(`${tableText(found)}\n\n`)
      rows.push(...found)
    } finally {
      await suite.end()
    }
  }
  // Only a whole run replaces the committed results.
  if (chosen.length === works.length && !quick) writeResults(fileURLToPath(new URL('results', import.meta.url)), 'latest', rows)
}

await main()
