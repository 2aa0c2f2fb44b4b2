/** What the benchmark says of itself: its verdicts, its pictures, and that the committed results are whole. */
import fc from 'fast-check'
import t from 'tap'
import { verdict, type Row } from '../../bench/support/report.ts'
import { readResults, renderings, type Results } from '../../bench/support/results.ts'
import { soakChart, type SoakSample } from '../../bench/support/soak-results.ts'
import { trend } from '../../bench/support/trend.ts'
import { works } from '../../bench/works.ts'
import { read, root } from './sources.ts'

const row: Row = { work: 'push', unit: 'documents/s', ours: 50, limit: 'an echo', limitValue: 100, ratio: 0.5 }
const resultsOf = (...rows: Row[]): Results => ({ date: '2026-01-01T00:00:00Z', command: 'npm run bench', machine: { node: 'v20', platform: 'linux', cores: 2 }, works: [{ name: 'push', seconds: 1, rows }, { name: 'pull', seconds: 1, rows: [], failed: 'no <disk>\n at x' }] })

t.test('a bar is met, missed or beaten by its aim, whichever way the figure runs', async (t) => {
  const says = (ratio: number, lowerIsBetter: boolean): string => verdict({ ...row, ratio, bar: lowerIsBetter ? 2 : 0.5, aim: 1, lowerIsBetter })
  t.strictSame([0.4, 0.5, 1].map(ratio => says(ratio, false)), ['MISSED', 'met', 'met, and the aim'])
  t.strictSame([2.1, 2, 1].map(ratio => says(ratio, true)), ['MISSED', 'met', 'met, and the aim'])
})

t.test('a picture needs nothing from elsewhere, says missed without colour, and names what failed', async (t) => {
  const svg = renderings['bars.svg']!(resultsOf({ ...row, work: 'a <push> & more', bar: 0.6 }, { ...row, work: 'met', bar: 0.4, aim: 0.5 }))
  t.notMatch(svg.replace('http://www.w3.org/2000/svg', ''), /http|<script|<image|@import|url\((?!#)/)
  t.match(svg, 'a &#60;push&#62; &#38; more')
  t.match(svg, /class="hatch"[\s\S]*>missed<[\s\S]*class="good"[\s\S]*>aim reached</)
  t.match(svg, /<title id="title">1 of 2 bars met<\/title>\n<desc id="description">Missed: a &#60;push&#62;/)
  t.match(svg, /without figures: Pull/)
  t.match(svg, 'prefers-color-scheme:dark')
  t.match(renderings['latest.md']!(resultsOf(row)), /## Pull[\s\S]*\*\*Failed\*\*, without results: no <disk>\n/)
})

t.test('what a run cannot measure leaves no broken picture', async (t) => {
  for (const render of Object.values(renderings)) t.notMatch(render(resultsOf({ ...row, ratio: NaN, bar: 1 }, { ...row, limit: 'rxdb-server', ratio: 3 })), /NaN|undefined|Infinity/)
  t.notMatch(soakChart({ date: '2026-01-01', command: 'soak', minutes: 1, samples: [], end: 'Failed', failed: true }), /NaN|undefined/)
})

const noise = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 40, maxLength: 40 })
const creeps = (values: number[], slack = 0): boolean => trend(values.map((value, minute) => ({ minute, value })), slack).creeps

t.test('a quantity that stays within a twentieth does not creep, one that doubles does', async () => {
  fc.assert(fc.property(noise, jitter => !creeps(jitter.map(part => 100 + 5 * part))))
  fc.assert(fc.property(noise, jitter => creeps(jitter.map((part, minute) => 100 + 100 * minute / 40 + 10 * part))))
})

t.test('what settles in the first third is no creep, nor is what falls or stays within the slack', async (t) => {
  const filling = Array.from({ length: 40 }, (_, minute) => Math.min(minute, 12) * 10)
  t.notOk(creeps(filling))
  const rising = Array.from({ length: 40 }, (_, minute) => 100 + minute * 3)
  t.ok(creeps(rising))
  t.notOk(creeps(rising.toReversed()))
  t.notOk(creeps(rising, 1000))
})

t.test('a creeping soak says so in its picture', async (t) => {
  const samples = Array.from({ length: 40 }, (_, minute) => ({ minute, rss: 100 + 10 * minute, heap: 20, wal: 4, file: 5, descriptors: 80, push50: 2, push99: 9, pull99: 9, arrival: 9, delay: 5, echo: 1, cpu: 900 } satisfies SoakSample))
  t.match(soakChart({ date: '2026-01-01', command: 'soak', minutes: 40, samples, end: 'The end', failed: false }), /1 of \d+ creep[\s\S]*Resident memory, MiB[\s\S]*>creeps: \+/)
})

t.test('the committed results are of works that are measured, and none failed', async (t) => {
  const { works: found, command } = readResults(new URL('bench/results', root).pathname)
  t.match(command, /^npm run bench/)
  t.strictSame(found.filter(({ name }) => !works.some(work => work.name === name)), [])
  t.strictSame(found.filter(({ failed, rows }) => failed !== undefined || rows.length === 0).map(({ name }) => name), [])
})

t.test('what the README says to measure can be measured', async (t) => {
  const named = [...read('README.md').matchAll(/npm run bench -- --only ([\w,-]+)/g)].flatMap(([, list = '']) => list.split(','))
  t.ok(named.length > 0)
  t.strictSame(named.filter(name => !works.some(work => work.name === name)), [])
})
